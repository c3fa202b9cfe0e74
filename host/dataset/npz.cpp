#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <memory>

#include "host/base/error.hpp"
#include "host/dataset/array_file.hpp"

namespace adze::host {
namespace {

constexpr std::string_view kSuffix = ".npy";
constexpr std::uint64_t kMaxBytes = 4ull << 30;

[[noreturn]] void broken(const std::filesystem::path& path, const std::string& why) {
  throw Error(ADZE_DATA_LOSS, fmt::format("cannot read '{}' as npz: {}", path.string(), why));
}

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};
using Archive = std::unique_ptr<zip_t, Discard>;

Archive open(const std::filesystem::path& path) {
  size_of_file(path);
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    broken(path, fmt::format("{}; write it with numpy.savez", text));
  }
  return archive;
}

}  // namespace

std::vector<std::string> npz_names(const std::filesystem::path& path) {
  const Archive archive = open(path);
  std::vector<std::string> names;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* name = zip_get_name(archive.get(), static_cast<zip_uint64_t>(i), 0);
    if (name && std::string_view(name).ends_with(kSuffix))
      names.emplace_back(name, std::string_view(name).size() - kSuffix.size());
  }
  if (names.empty()) broken(path, "it holds no array");
  std::ranges::sort(names);
  return names;
}

Tensor read_npz(const std::filesystem::path& path, const std::string& name) {
  const Archive archive = open(path);
  const std::string entry_name = name + std::string(kSuffix);
  zip_stat_t stat;
  if (zip_stat(archive.get(), entry_name.c_str(), 0, &stat) != 0)
    throw Error(ADZE_NOT_FOUND, fmt::format("'{}' holds no array '{}'; it holds {}", path.string(),
                                            name, fmt::join(npz_names(path), ", ")));
  if ((stat.valid & ZIP_STAT_SIZE) == 0 || stat.size > kMaxBytes)
    broken(path,
           fmt::format("array '{}' is larger than {} bytes or of unknown size", name, kMaxBytes));
  const std::unique_ptr<zip_file_t, Discard> entry(zip_fopen(archive.get(), entry_name.c_str(), 0));
  if (!entry) broken(path, fmt::format("array '{}': {}", name, zip_strerror(archive.get())));
  std::vector<std::byte> bytes;
  while (bytes.size() < stat.size) {
    const std::size_t at = bytes.size();
    bytes.resize(at + std::min<std::uint64_t>(stat.size - at, 1u << 22));
    const zip_int64_t got = zip_fread(entry.get(), bytes.data() + at, bytes.size() - at);
    if (got < 0) broken(path, fmt::format("array '{}': {}", name, zip_file_strerror(entry.get())));
    bytes.resize(at + static_cast<std::size_t>(got));
    if (got == 0) broken(path, fmt::format("array '{}' ends early", name));
  }
  std::byte beyond;  // reading to the end is what checks the CRC
  if (zip_fread(entry.get(), &beyond, 1) != 0)
    broken(path, fmt::format("array '{}' is damaged: {}", name, zip_file_strerror(entry.get())));
  return parse_npy(bytes, path.string() + ":" + name);
}

}  // namespace adze::host
