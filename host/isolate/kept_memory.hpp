// In a worker: constants that the host sent once, and messages with all that was made of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "host/base/protected_memory.hpp"
#include "host/isolate/wire.hpp"

namespace adze::host {

/// A constant of the host, mapped; a write to it is called by its name.
struct KeptConstant {
  explicit KeptConstant(SharedBuffer&& memory);
  SharedBuffer buffer;
  WatchedRange watched;
};

/// The constants that messages of the host name by number.
class KeptMemory : public KeptBlobs {
 public:
  /// Takes what a message of Verb::keep brings. Errors: DATA_LOSS, RESOURCE_EXHAUSTED.
  void keep(Reader from, Channel& channel);
  std::span<const std::byte> find(std::uint64_t id, std::uint64_t size) override;
  /// What was found since the last time. The others are forgotten, as the host expects after each
  /// graph that it shows.
  std::vector<std::shared_ptr<const KeptConstant>> settle();

 private:
  struct Entry {
    std::shared_ptr<const KeptConstant> constant;
    bool is_used = false;
  };
  std::map<std::uint64_t, Entry> entries_;
};

/// A message, what it was decoded to, and all that this points to.
struct HeldMessage {
  explicit HeldMessage(Message&& came, KeptMemory* kept = nullptr);
  /// From now on nothing of it can be written to.
  void seal();

  ProtectedMemory memory;
  Pool pool{&memory};
  Message message;
  std::optional<WatchedRange> watched;
  Reader reader;
  std::vector<std::shared_ptr<const KeptConstant>> constants;
};

}  // namespace adze::host
