// The error database of a pruner that keeps one: what each layer loses at each level.
#pragma once

#include <adze/plugin.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace adze::host {

struct ErrorPoint {
  double sparsity = 0, error = 0;  ///< error: of the layer's answers, relative
};

struct ErrorCurve {
  std::string layer;  ///< name of the node
  std::int64_t weights = 0;
  std::vector<ErrorPoint> points;
};

/// A pruner with a parameter of this name keeps its database in the folder that it names, as files
/// NAME.json: {"layers": {NODE: {"weights", "levels": [{"sparsity", "error", "kept"}]}}}. It writes
/// the file that a call used anew at its end.
inline constexpr const char* kDatabaseParameter = "database";
bool keeps_database(const adze_component& component);

/// Of the file written last, unless that was before `since`; layers in the file's order. Empty when
/// there is none that can be read.
std::vector<ErrorCurve> read_error_curves(const std::filesystem::path& folder,
                                          std::filesystem::file_time_type since);

}  // namespace adze::host
