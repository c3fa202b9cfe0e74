// The fixture models against ONNX Runtime, when ADZE_ONNXRUNTIME names its library.
#include <algorithm>
#include <cmath>

#include "host/base/file.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"
#include "tests/bench/quantize_by_range.hpp"
#include "tests/needs.hpp"
#include "tests/onnxruntime/ort.hpp"
#include "tests/unit/drpai/plugins.hpp"

namespace adze::host {
namespace {

using adze::testing::OrtSession;

constexpr std::int64_t kSamples = 64;

class AgainstOnnxRuntime : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ADZE_NEEDS(adze::testing::ort_library(), "ONNX Runtime (ADZE_ONNXRUNTIME, ci/onnxruntime.sh)");
    graph_ = load_model(std::filesystem::path(std::getenv("ADZE_SOURCE_DIR")) / "fixtures/models" /
                        GetParam());
    simplify(graph_);
    inputs_ = adze::testing::random_inputs(graph_, kSamples, 3);
  }

  std::vector<float> peer(const Graph& graph) {
    const std::filesystem::path file = folder_.path() / "model.onnx";
    save_model(graph, file);
    OrtSession session(*adze::testing::ort_library(), file, 1);
    const OrtSession::Tensor input{inputs_[0].shape(), to_f32(inputs_[0])};
    return session.run({&input, 1}).front().elements;
  }

  std::vector<float> own(const Component& backend, const Graph& graph, const std::string& path) {
    BackendRunner runner(backend, {{"path", path}}, graph, "own", {},
                         {.batch = kSamples, .extra_outputs = {}});
    return to_f32(runner.run(inputs_).front().tensor);
  }

  Graph graph_;
  std::vector<Tensor> inputs_;
  TemporaryDirectory folder_;
};

TEST_P(AgainstOnnxRuntime, floats_agree) {
  const std::vector<float> expected = peer(graph_), got = own(cpu_backend(), graph_, "auto");
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], 1e-3 + 1e-3 * std::fabs(expected[i])) << i;
}

/// Weights of 7 bits: without VNNI, ONNX Runtime's sums of pairs of products saturate in 16 bits.
Graph with_7_bit_weights(Graph graph) {
  for (Value& value : graph.values)
    if (value.constant && value.quant)
      for (float& scale : value.quant->scale) scale *= 2;
  return graph;
}

// ONNX Runtime joins the scales of an addition, which moves a rounding now and then.
TEST_P(AgainstOnnxRuntime, quantized_outputs_agree) {
  const Graph quantized =
      with_7_bit_weights(adze::testing::quantize_by_range(graph_, cpu_backend()));
  const std::vector<float> expected = peer(quantized);
  const std::vector<float> got = own(drpai_backend(), quantized, "fast");
  ASSERT_EQ(got, own(drpai_backend(), quantized, "plain"));
  ASSERT_EQ(got.size(), expected.size());
  const float step = quantized.value(quantized.outputs.front()).quant->scale.front();
  std::size_t same = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    same += std::fabs(got[i] - expected[i]) < step / 2;
    EXPECT_LE(std::fabs(got[i] - expected[i]), 1.1f * step) << i;
  }
  RecordProperty("same_share",
                 std::to_string(static_cast<double>(same) / static_cast<double>(got.size())));
  EXPECT_GE(static_cast<double>(same), 0.98 * static_cast<double>(got.size()));
}

INSTANTIATE_TEST_SUITE_P(Fixtures, AgainstOnnxRuntime,
                         ::testing::Values("fmnist_resnet10.onnx", "fmnist_mobilenet.onnx"),
                         [](const auto& name) {
                           const std::string file = name.param;
                           return file.substr(0, file.size() - 5);
                         });

}  // namespace
}  // namespace adze::host
