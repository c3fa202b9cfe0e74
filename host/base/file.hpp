// Whole files: read with a limit, written so that a reader sees the old or the new one, never half.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adze::host {

/// Reads a whole file. Errors: NOT_FOUND, PERMISSION_DENIED, OUT_OF_RANGE when larger than
/// `max_bytes`.
std::vector<std::byte> read_file(const std::filesystem::path& path,
                                 std::uint64_t max_bytes = 4ull << 30);
std::string read_text_file(const std::filesystem::path& path, std::uint64_t max_bytes = 64u << 20);

/// Writes to a temporary name in the same folder, fsyncs, renames, fsyncs the folder. Missing
/// parent folders are made.
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file(const std::filesystem::path& path, std::string_view text);

/// Makes `folder` where it is missing and tries it with a file, so that hours of work do not end at
/// a folder that cannot be written. Errors: NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION.
void require_writable_folder(const std::filesystem::path& folder);

/// A new empty folder below the system's temporary folder, removed with all contents on
/// destruction.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The folder of the running program's installation: what holds bin/, lib/adze/ and share/adze/.
std::filesystem::path installation_root();

}  // namespace adze::host
