// What is in a plugin's file, without its code running in this process.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "host/plugin/scan_cache.hpp"

namespace adze::host {

/// Loads the plugin into this process and describes it: {"descriptor": ...}, or {"reason": ...,
/// "transient": ...} when it is refused; transient: another library may be the cause.
nlohmann::json describe_here(const std::filesystem::path& path);

/// Describes plugins through a worker, a short-lived one for each, and remembers the answers.
class Scanner {
 public:
  /// `program`: adze-worker. `cache`: a folder; empty: none.
  Scanner(std::filesystem::path program, std::filesystem::path cache);
  /// What became of a plugin that crashed or hung is asked again after an hour, or at once.
  enum class Faults { remembered, asked_again };
  /// As describe_here(). `path` must be canonical. `own`: of the installation, whose code may run
  /// in this process. Never throws for what is wrong with the file.
  nlohmann::json scan(const std::filesystem::path& path, bool own,
                      Faults faults = Faults::remembered) const;

 private:
  nlohmann::json describe_in_worker(const std::filesystem::path& path) const;

  std::filesystem::path program_;
  ScanCache cache_;
};

}  // namespace adze::host
