// In the host: constants as files of memory that workers map. A file is made when its constant is
// first shown to a worker and lives as long as the constant, so that later calls, and other
// components that see the same graph, copy nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "host/abi/call.hpp"
#include "host/worker/shared_buffer.hpp"

namespace adze::host {

/// Sealed. A uniform constant has one block of its elements in it, shown again and again.
struct SharedFile {
  OwnedFd fd;
  std::uint64_t id = 0;  ///< no other has it in this process
  std::size_t file_bytes = 0, shown_bytes = 0;
};

/// The files of the constants that one call shows.
class SharedConstants {
 public:
  /// Small constants have none: a message carries them. Nor has one for which there is no memory.
  explicit SharedConstants(adze_call* call);
  /// NULL: it has none.
  std::shared_ptr<const SharedFile> find(const adze_tensor* shown) const;

 private:
  std::unordered_map<const adze_tensor*, std::shared_ptr<const SharedFile>> files_;
};

}  // namespace adze::host
