// Samples for backends that calibrate by themselves.
#pragma once

#include <filesystem>
#include <memory>

#include "host/cli/command.hpp"
#include "host/dataset/dataset.hpp"
#include "host/services/dataset_service.hpp"

namespace adze::host {

/// `--calibration` and `--calibration-count`.
struct CalibrationOptions {
  std::filesystem::path file;  ///< empty: none
  std::int64_t count = 128;
};
void add_calibration_options(CLI::App& command, CalibrationOptions& options);

class CalibrationSet {
 public:
  /// Reads nothing without a file.
  CalibrationSet(const CalibrationOptions& options, const Graph& graph);
  /// As CompileOptions wants them.
  std::vector<Service*> services() const;

 private:
  std::unique_ptr<Dataset> samples_;
  std::unique_ptr<DatasetService> service_;
};

}  // namespace adze::host
