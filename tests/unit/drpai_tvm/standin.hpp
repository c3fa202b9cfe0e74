// A copy of the stand-in toolchain, and a small model to compile with it.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/onnx/model.hpp"
#include "host/pipeline/board_type.hpp"
#include "host/services/dataset_service.hpp"
#include "tests/unit/drpai/plugins.hpp"
#include "tests/unit/graph/graph_builder.hpp"

namespace adze::host {

/// Relu(Conv(x)) on images of `size` x `size`; a share of the weights is zero.
inline Graph small_model(std::int64_t size, double sparsity = 0) {
  GraphBuilder built;
  built.graph.opset = 13;
  std::vector<float> weights(4 * 3 * 3 * 3);
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = static_cast<double>(i) < sparsity * static_cast<double>(weights.size())
                     ? 0.0f
                     : 0.01f * static_cast<float>(i % 17) - 0.07f;
  for (float& w : weights)
    if (w == 0 && sparsity == 0) w = 0.005f;
  const auto x = built.input("x", {1, 3, size, size});
  const auto w = built.floats("w", {4, 3, 3, 3}, weights);
  const auto b = built.floats("b", {4}, {0.1f, 0.2f, -0.1f, 0.0f});
  const auto c = built.value("c", {1, 4, size, size}, 0);
  const auto y = built.value("y", {1, 4, size, size}, 0);
  Node& conv = built.node("Conv", {x, w, b}, {c}, "conv");
  conv.op_version = 11;
  conv.attributes["pads"] = std::vector<std::int64_t>{1, 1, 1, 1};
  conv.attributes["kernel_shape"] = std::vector<std::int64_t>{3, 3};
  built.node("Relu", {c}, {y}, "relu").op_version = 13;
  built.graph.outputs = {y};
  built.graph.relink();
  return built.graph;
}

inline Graph quantized(Graph graph, float input_scale = 0.02f) {
  const auto set = [&](const char* name, Quant quant) {
    graph.values[graph.find_value(name)].quant = std::move(quant);
  };
  set("x", {.is_signed = false, .scale = {input_scale}, .zero_point = {128}});
  set("w", {.axis = 0,
            .is_signed = true,
            .scale = {0.001f, 0.0012f, 0.0014f, 0.0016f},
            .zero_point = {0, 0, 0, 0}});
  set("y", {.is_signed = false, .scale = {0.03f}, .zero_point = {0}});
  return graph;
}

/// Images of the values that the vendor's sample script makes of pictures.
class Pictures : public Dataset {
 public:
  Pictures(std::int64_t size, float level) : size_(size), level_(level) {}
  std::int64_t size() const override { return 3; }
  bool has_labels() const override { return false; }
  std::int64_t label(std::int64_t) const override { return 0; }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    std::vector<float> values;
    for (const std::int64_t index : indices)
      values.resize(values.size() + static_cast<std::size_t>(3 * size_ * size_),
                    level_ + 0.1f * static_cast<float>(index));
    return {Tensor(DType::f32, {static_cast<std::int64_t>(indices.size()), 3, size_, size_},
                   std::span<const float>(values))};
  }

 private:
  std::int64_t size_;
  float level_;
};

struct StandIn {
  StandIn() {
    namespace fs = std::filesystem;
    const fs::path source =
        fs::path(std::getenv("ADZE_SOURCE_DIR")) / "tests/unit/drpai_tvm/toolchain";
    fs::copy(source, root(), fs::copy_options::recursive);
    fs::create_directories(root() / "translator");
    fs::create_directories(root() / "sdk");
    write("VERSION", "v2.7.0\n");
  }
  std::filesystem::path root() const { return folder.path() / "tvm"; }
  void write(const char* name, const std::string& text) const {
    std::ofstream(root() / name, std::ios::binary) << text;
  }
  Settings settings(Settings more = {}) const {
    more.try_emplace("tvm_root", root().string());
    more.try_emplace("translator", (root() / "translator").string());
    more.try_emplace("quantizer", (root() / "quantizer").string());
    more.try_emplace("sdk", (root() / "sdk").string());
    more.try_emplace("python", std::string("/usr/bin/python3"));
    return more;
  }
  /// Whether the process that a hanging script starts is gone, soon; also when it was never
  /// started.
  bool helper_is_gone() const {
    if (!exists(root() / "helper.pid")) return true;
    const int helper = std::stoi(read_text_file(root() / "helper.pid"));
    for (int i = 0; i < 250 && ::kill(helper, 0) == 0; ++i) ::usleep(20'000);
    return ::kill(helper, 0) != 0;
  }
  /// What was called, a JSON object each.
  std::vector<nlohmann::json> calls() const {
    std::ifstream file(root() / "calls.jsonl");
    std::vector<nlohmann::json> found;
    for (std::string line; std::getline(file, line);) found.push_back(nlohmann::json::parse(line));
    return found;
  }
  std::unique_ptr<BackendRunner> compile(const Graph& graph, const Settings& more = {},
                                         const Dataset* samples = nullptr,
                                         const std::string& board_type = "rzv2h",
                                         Progress progress = {}) const {
    const auto target = load_target(board_type);
    std::unique_ptr<DatasetService> service;
    CompileOptions options;
    const std::vector<InputSpec> inputs = input_specs(graph);
    if (samples) {
      service = std::make_unique<DatasetService>(*samples, std::vector<std::int64_t>{0, 1, 2},
                                                 std::vector<std::int64_t>{}, inputs);
      options.services = {service.get()};
    }
    return std::make_unique<BackendRunner>(
        built_component("adze_drpai_tvm.so"), settings(more), graph, "model",
        CallOptions{.target = target.get(), .progress = std::move(progress)}, options);
  }

  TemporaryDirectory folder;
};

struct Refusal {
  adze_status code = ADZE_OK;
  std::string text;
};

template <class Body>
Refusal refusal_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return {error.code, error.what()};
  }
  return {};
}

}  // namespace adze::host
