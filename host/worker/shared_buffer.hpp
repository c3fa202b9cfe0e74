// Bytes that two processes share: an anonymous file that nobody can change or shrink any more.
#pragma once

#include <cstddef>
#include <span>

#include "host/base/owned_fd.hpp"

namespace adze::host {

/// A sealed memfd with a copy of `bytes`. Errors: RESOURCE_EXHAUSTED.
OwnedFd share(std::span<const std::byte> bytes);

struct SharedPart {
  std::size_t offset;
  std::span<const std::byte> bytes;
};
/// The same of several pieces; what lies between them is zero. `size` covers them all.
OwnedFd share(std::span<const SharedPart> parts, std::size_t size);

/// What the other process sent, mapped read-only for as long as this lives. The seals make sure
/// that no byte changes while it is used and that no access faults.
class SharedBuffer {
 public:
  /// Errors: DATA_LOSS when `fd` is no memfd with all seals or has not exactly `expected_bytes`.
  SharedBuffer(OwnedFd fd, std::size_t expected_bytes);
  /// `shown_bytes` of the same file again and again; its size must be one of whole pages when it is
  /// shown more than once. Pages are mapped when they are read. Errors: as above.
  SharedBuffer(OwnedFd fd, std::size_t file_bytes, std::size_t shown_bytes);
  ~SharedBuffer();
  SharedBuffer(SharedBuffer&& other) noexcept;
  SharedBuffer& operator=(SharedBuffer&&) = delete;
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0, mapped_ = 0;
};

}  // namespace adze::host
