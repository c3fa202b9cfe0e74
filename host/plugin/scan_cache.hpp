// What scans of plugins found, kept between runs of the program.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace adze::host {

/// One state of one file.
struct FileKey {
  std::string path, build_id;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
};
/// All zero and empty but the path when the file cannot be looked at.
FileKey key_of(const std::filesystem::path& path);

/// $XDG_CACHE_HOME/adze/plugins, or ~/.cache/adze/plugins; empty when neither is known.
std::filesystem::path default_cache_folder();

/// One file a plugin. A cache that is damaged, of another host, or not writable is none: nothing
/// here is an error. Several processes may write at once; the last wins.
class ScanCache {
 public:
  /// `folder` empty: remembers nothing. `host`: what else a result depends on.
  ScanCache(std::filesystem::path folder, std::string host)
      : folder_(std::move(folder)), host_(std::move(host)) {}
  std::optional<nlohmann::json> find(const FileKey& key) const;
  /// Whether it is remembered now.
  bool store(const FileKey& key, const nlohmann::json& found) const;

 private:
  std::filesystem::path file_of(const FileKey& key) const;

  std::filesystem::path folder_;
  std::string host_;
};

}  // namespace adze::host
