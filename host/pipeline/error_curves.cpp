#include "host/pipeline/error_curves.hpp"

#include <nlohmann/json.hpp>
#include <system_error>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/plugin/descriptor.hpp"

namespace adze::host {

bool keeps_database(const adze_component& component) {
  for (std::uint64_t i = 0; i < component.param_count; ++i) {
    const adze_param& param = param_at(component, i);
    if (param.type == ADZE_TEXT && param.name == std::string_view(kDatabaseParameter)) return true;
  }
  return false;
}

std::vector<ErrorCurve> read_error_curves(const std::filesystem::path& folder,
                                          std::filesystem::file_time_type since) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path newest;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".json") continue;
    const fs::file_time_type written = entry.last_write_time(error);
    if (error || written < since) continue;
    since = written;
    newest = entry.path();
  }
  if (newest.empty()) return {};
  std::vector<ErrorCurve> curves;
  try {
    const auto document = nlohmann::json::parse(read_text_file(newest));
    for (const auto& [node, layer] : document.at("layers").items()) {
      ErrorCurve curve{.layer = node, .weights = layer.at("weights").get<std::int64_t>()};
      for (const auto& level : layer.at("levels"))
        curve.points.push_back(
            {level.at("sparsity").get<double>(), level.at("error").get<double>()});
      curves.push_back(std::move(curve));
    }
  } catch (const nlohmann::json::exception&) {
    return {};
  } catch (const Error&) {
    return {};
  }
  return curves;
}

}  // namespace adze::host
