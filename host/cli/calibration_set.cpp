#include "host/cli/calibration_set.hpp"

#include "host/pipeline/recipe.hpp"

namespace adze::host {

void add_calibration_options(CLI::App& command, CalibrationOptions& options) {
  command.add_option("--calibration", options.file,
                     "TOML file with a [data] table, for backends that calibrate themselves");
  command.add_option("--calibration-count", options.count, "Samples taken of it")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
}

CalibrationSet::CalibrationSet(const CalibrationOptions& options, const Graph& graph) {
  if (options.file.empty()) return;
  const std::vector<InputSpec> inputs = input_specs(graph);
  samples_ = open_dataset(parse_data_file(options.file), inputs);
  service_ = std::make_unique<DatasetService>(
      *samples_, sample_indices(samples_->size(), options.count, /*seed=*/0),
      std::vector<std::int64_t>{}, inputs);
}

std::vector<Service*> CalibrationSet::services() const {
  if (!service_) return {};
  return {service_.get()};
}

}  // namespace adze::host
