#include "host/plugin/scan_cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "host/base/cbor.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/frame.hpp"
#include "host/base/hash.hpp"
#include "host/base/owned_fd.hpp"
#include "host/plugin/build_id.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFormat = 1;
constexpr CborLimits kLimits{.max_bytes = 4u << 20, .max_depth = 16};

json document_of(const FileKey& key, const std::string& host) {
  return {{"format", kFormat},        {"host", host},     {"path", key.path},
          {"build_id", key.build_id}, {"size", key.size}, {"mtime_ns", key.mtime_ns}};
}

std::array<std::byte, 4> checksum_of(std::span<const std::byte> bytes) {
  return std::bit_cast<std::array<std::byte, 4>>(crc32c(bytes));
}

}  // namespace

FileKey key_of(const fs::path& path) {
  FileKey key{.path = path.string(), .build_id = build_id_of(path)};
  struct stat found {};
  if (::stat(path.c_str(), &found)) return key;
  key.size = static_cast<std::uint64_t>(found.st_size);
  key.mtime_ns = std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec;
  return key;
}

fs::path default_cache_folder() {
  const auto named = [](const char* variable) -> fs::path {
    const char* value = ::secure_getenv(variable);
    return value && fs::path(value).is_absolute() ? value : "";
  };
  if (const fs::path cache = named("XDG_CACHE_HOME"); !cache.empty())
    return cache / "adze" / "plugins";
  const fs::path home = named("HOME");
  return home.empty() ? home : home / ".cache" / "adze" / "plugins";
}

fs::path ScanCache::file_of(const FileKey& key) const {
  return folder_ / (sha256_hex(std::as_bytes(std::span(key.path))).substr(0, 32) + ".cbor");
}

std::optional<json> ScanCache::find(const FileKey& key) const try {
  if (folder_.empty()) return std::nullopt;
  const auto bytes = read_file(file_of(key), kLimits.max_bytes);
  if (bytes.size() < 4) return std::nullopt;
  const auto body = std::span(bytes).first(bytes.size() - 4);
  if (!std::ranges::equal(checksum_of(body), std::span(bytes).last(4))) return std::nullopt;
  json document = decode_cbor(body, "the cache of plugins", kLimits);
  const json found = document.at("found");
  document.erase("found");
  if (document != document_of(key, host_)) return std::nullopt;
  return found;
} catch (const std::exception&) {
  return std::nullopt;
}

bool ScanCache::store(const FileKey& key, const json& found) const try {
  if (folder_.empty()) return false;
  fs::create_directories(folder_);
  json document = document_of(key, host_);
  document["found"] = found;
  std::vector<std::byte> bytes = encode_cbor(document);
  const auto checksum = checksum_of(bytes);
  bytes.insert(bytes.end(), checksum.begin(), checksum.end());
  // No fsync: what a power loss damages is found by its checksum and made again.
  std::string temporary = (folder_ / "new-XXXXXX").string();
  const OwnedFd file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) return false;
  const bool stored =
      ::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
      ::rename(temporary.c_str(), file_of(key).c_str()) == 0;
  if (!stored) ::unlink(temporary.c_str());
  return stored;
} catch (const std::exception&) {  // remembered another time
  return false;
}

}  // namespace adze::host
