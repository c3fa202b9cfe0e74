#include "host/worker/shared_buffer.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;

[[noreturn]] void no_memory(const char* doing) {
  throw Error(ADZE_RESOURCE_EXHAUSTED,
              std::string("cannot ") + doing + " shared memory: " + std::strerror(errno));
}

/// Errors: DATA_LOSS when `fd` is no memfd with all seals or has not exactly `expected_bytes`.
void check(const OwnedFd& fd, std::size_t expected_bytes) {
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals)
    throw Error(ADZE_DATA_LOSS, "the worker's other side sent a tensor that is not sealed");
  struct stat found {};
  if (::fstat(fd.get(), &found) || static_cast<std::uint64_t>(found.st_size) != expected_bytes)
    throw Error(ADZE_DATA_LOSS, "a tensor of " + std::to_string(expected_bytes) +
                                    " bytes was announced, " + std::to_string(found.st_size) +
                                    " came");
}

}  // namespace

OwnedFd share(std::span<const std::byte> bytes) {
  const SharedPart whole{0, bytes};
  return share({&whole, 1}, bytes.size());
}

OwnedFd share(std::span<const SharedPart> parts, std::size_t size) {
  OwnedFd fd(::memfd_create("adze-tensor", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) no_memory("make");
  if (::ftruncate(fd.get(), static_cast<off_t>(size))) no_memory("size");
  for (SharedPart part : parts)
    while (!part.bytes.empty()) {
      // Half the time of a copy into a mapping, for it takes no page faults.
      const ssize_t put =
          ::pwrite(fd.get(), part.bytes.data(), part.bytes.size(), static_cast<off_t>(part.offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) no_memory("fill");
      part.bytes = part.bytes.subspan(static_cast<std::size_t>(put));
      part.offset += static_cast<std::size_t>(put);
    }
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals)) no_memory("seal");
  return fd;
}

SharedBuffer::SharedBuffer(OwnedFd fd, std::size_t expected_bytes)
    : size_(expected_bytes), mapped_(expected_bytes) {
  check(fd, expected_bytes);
  if (expected_bytes == 0) return;
  void* data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd.get(), 0);
  if (data == MAP_FAILED) no_memory("map");
  data_ = static_cast<const std::byte*>(data);
}

SharedBuffer::SharedBuffer(OwnedFd fd, std::size_t file_bytes, std::size_t shown_bytes)
    : size_(shown_bytes) {
  check(fd, file_bytes);
  if (shown_bytes == 0) return;
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  if (file_bytes == 0 || (file_bytes < shown_bytes && file_bytes % page_bytes))
    throw Error(ADZE_DATA_LOSS, "the worker's other side sent a block that cannot be repeated");
  mapped_ = (shown_bytes + file_bytes - 1) / file_bytes * file_bytes;
  void* data = ::mmap(nullptr, mapped_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) no_memory("map");
  data_ = static_cast<const std::byte*>(data);
  for (std::size_t at = file_bytes; at < mapped_; at += file_bytes) {
    void* block = const_cast<std::byte*>(data_) + at;
    if (::mmap(block, file_bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd.get(), 0) == MAP_FAILED) {
      ::munmap(data, mapped_);
      no_memory("map");
    }
  }
}

SharedBuffer::~SharedBuffer() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), mapped_);
}

SharedBuffer::SharedBuffer(SharedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {}

}  // namespace adze::host
