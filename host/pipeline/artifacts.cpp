#include "host/pipeline/artifacts.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <span>
#include <system_error>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/hash.hpp"
#include "host/pipeline/quantization_json.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

json measured_json(const Measured& measured) {
  return {{"metric", measured.metric}, {"value", measured.value}, {"backend", measured.backend}};
}

json before_after(double before, double after) { return {{"before", before}, {"after", after}}; }

/// A folder beside the results, on the same file system, removed with what is left in it.
class Staging {
 public:
  explicit Staging(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    std::string name = (folder / ".adze-XXXXXX").string();
    if (!::mkdtemp(name.data()))
      throw Error(ADZE_PERMISSION_DENIED,
                  fmt::format("cannot make a folder in '{}': {}", folder.string(),
                              std::generic_category().message(errno)));
    path_ = name;
  }
  ~Staging() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string document_text(const json& document) { return document.dump(1) + "\n"; }

}  // namespace

json metrics_json(const OptimizeResult& result) {
  json steps = json::array(), layers = json::array(), by_layer = json::object();
  for (const StageResult& stage : result.stages) {
    json step = measured_json(stage.measured);
    step["name"] = stage.use;
    step["sparsity"] = stage.sparsity;
    step["agreement"] = stage.measured.agreement ? json(*stage.measured.agreement) : json();
    step["options"] = options_json(stage.options);
    if (stage.policy) step["policy"] = policy_json(*stage.policy);
    steps.push_back(std::move(step));
  }
  for (const LayerChange& layer : result.layers) {
    layers.push_back({{"name", layer.name},
                      {"op", layer.op},
                      {"unit", layer.unit},
                      {"reason", layer.reason},
                      {"piece", layer.piece},
                      {"handed_over", layer.handed_over},
                      {"sparsity", layer.sparsity ? json(*layer.sparsity) : json()},
                      {"predicted_ms", before_after(layer.before_ms, layer.after_ms)}});
    if (layer.sparsity) by_layer[layer.name] = *layer.sparsity;
  }
  json document = {
      {"model", result.model},
      {"board_type", result.board_type},
      {"seed", result.seed},
      {"baseline", measured_json(result.baseline)},
      {"optimized", measured_json(result.optimized)},
      {"steps", steps},
      {"sparsity", result.sparsity},
      {"sparsity_by_layer", by_layer},
      {"optimized_sha256", sha256_hex(result.onnx)},
      {"size_bytes", {{"before", result.before_bytes}, {"after", result.onnx.size()}}},
      {"parameters", {{"before", result.before_parameters}, {"after", result.after_parameters}}},
      {"predicted_ms", before_after(result.before_ms, result.after_ms)},
      {"layers", layers},
      {"warnings", result.warnings},
      {"accept",
       {{"max_drop", result.max_drop ? json(*result.max_drop) : json()},
        {"drop", result.drop},
        {"passed", result.passed}}}};
  json rewrites = json::array();
  for (const LeavingNode& node : result.rewrites)
    rewrites.push_back({{"node", node.node},
                        {"op", node.op},
                        {"reason", node.reason},
                        {"kind", node.rewrite->kind},
                        {"text", node.rewrite->text}});
  document["rewrites"] = std::move(rewrites);
  if (result.memory) document["memory_bytes"] = to_json(*result.memory);
  if (!result.error_curves.empty()) document["error_curves"] = curves_json(result.error_curves);
  if (result.calibration) document["calibration"] = calibration_json(*result.calibration);
  if (result.quantization) document["quantization"] = quality_json(*result.quantization);
  return document;
}

json curves_json(const std::vector<ErrorCurve>& curves) {
  json documents = json::array();
  for (const ErrorCurve& curve : curves) {
    json points = json::array();
    for (const ErrorPoint& point : curve.points)
      points.push_back({{"sparsity", point.sparsity}, {"error", point.error}});
    documents.push_back(
        {{"name", curve.layer}, {"weights", curve.weights}, {"points", std::move(points)}});
  }
  return documents;
}

json edits_json(const OptimizeResult& result) {
  json edits = json::array();
  for (const EditRecord& edit : result.edits)
    edits.push_back({{"stage", edit.stage},
                     {"kind", edit.kind},
                     {"target", edit.target},
                     {"shape", edit.shape},
                     {"dtype", edit.dtype},
                     {"sha256", edit.sha256}});
  return edits;
}

json timings_json(const OptimizeResult& result) {
  json steps = json::array();
  for (const StepTime& step : result.times)
    steps.push_back({{"name", step.name}, {"seconds", step.seconds}});
  return {{"steps", steps}};
}

void write_artifacts(const OptimizeResult& result, const std::filesystem::path& folder,
                     const std::map<std::string, std::string>& more) {
  std::map<std::string, std::string> texts = more;
  texts["metrics.json"] = document_text(metrics_json(result));
  texts["edits.json"] = document_text(edits_json(result));
  texts["timings.json"] = document_text(timings_json(result));

  const Staging staging(folder);
  write_file(staging.path() / "optimized.onnx", std::span<const std::byte>(result.onnx));
  for (const auto& [name, text] : texts) write_file(staging.path() / name, std::string_view(text));
  std::filesystem::rename(staging.path() / "optimized.onnx", folder / "optimized.onnx");
  for (const auto& [name, text] : texts)
    std::filesystem::rename(staging.path() / name, folder / name);
}

}  // namespace adze::host
