#include "host/base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

adze_status status_of(int error) {
  if (error == ENOENT || error == ENOTDIR) return ADZE_NOT_FOUND;
  if (error == EACCES || error == EPERM || error == EROFS) return ADZE_PERMISSION_DENIED;
  if (error == ENOSPC || error == EDQUOT) return ADZE_RESOURCE_EXHAUSTED;
  return ADZE_FAILED_PRECONDITION;
}

[[noreturn]] void fail(const char* verb, const std::filesystem::path& path, int error) {
  throw Error(status_of(error),
              std::string("cannot ") + verb + " '" + path.string() + "': " + std::strerror(error));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

template <class Buffer>
Buffer read_all(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) fail("read", path, errno);
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) fail("read", path, EISDIR);
  Buffer contents;
  std::array<char, 1 << 16> chunk;
  for (;;) {
    const ssize_t got = ::read(file.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path, errno);
    if (got == 0) return contents;
    if (contents.size() + static_cast<std::size_t>(got) > max_bytes)
      throw Error(ADZE_OUT_OF_RANGE, "cannot read '" + path.string() + "': larger than " +
                                         std::to_string(max_bytes) + " bytes");
    const auto* from = reinterpret_cast<const typename Buffer::value_type*>(chunk.data());
    contents.insert(contents.end(), from, from + got);
  }
}

}  // namespace

std::vector<std::byte> read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  return read_all<std::vector<std::byte>>(path, max_bytes);
}

std::string read_text_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  return read_all<std::string>(path, max_bytes);
}

void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  std::error_code made;
  std::filesystem::create_directories(folder, made);
  if (made) fail("create folder", folder, made.value());
  std::string temporary = path.string() + ".XXXXXX";
  {
    const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
    if (file.get() < 0) fail("write", path, errno);
    ::fchmod(file.get(), 0644);
    int error = 0;
    for (std::size_t at = 0; at < bytes.size() && !error;) {
      const ssize_t put = ::write(file.get(), bytes.data() + at, bytes.size() - at);
      if (put >= 0)
        at += static_cast<std::size_t>(put);
      else if (errno != EINTR)
        error = errno;
    }
    if (!error && ::fsync(file.get())) error = errno;
    if (error) {
      ::unlink(temporary.c_str());
      fail("write", path, error);
    }
  }
  if (::rename(temporary.c_str(), path.c_str())) {
    const int error = errno;
    ::unlink(temporary.c_str());
    fail("write", path, error);
  }
  const Descriptor parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() >= 0) ::fsync(parent.get());
}

void require_writable_folder(const std::filesystem::path& folder) {
  if (folder.empty())
    throw Error(ADZE_INVALID_ARGUMENT, "the name of the folder for the results is empty");
  std::error_code made;
  std::filesystem::create_directories(folder, made);
  if (made) fail("create folder", folder, made.value());
  std::string name = (folder / ".adze-XXXXXX").string();
  const int file = ::mkostemp(name.data(), O_CLOEXEC);
  if (file < 0) fail("write into", folder, errno);
  ::close(file);
  ::unlink(name.c_str());
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  write_file(path, std::as_bytes(std::span(text)));
}

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "adze.XXXXXX").string();
  if (!::mkdtemp(name.data())) fail("create folder", name, errno);
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path installation_root() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) fail("find the running program", "/proc/self/exe", error.value());
  return program.parent_path().parent_path();
}

}  // namespace adze::host
