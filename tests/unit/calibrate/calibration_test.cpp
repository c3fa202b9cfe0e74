// The whole way: a component's view of adze.calibration/1, with adze.cpu running the model.
#include "host/calibrate/calibration.hpp"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "host/base/error.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const char* variable) {
  const char* folder = std::getenv(variable);
  if (!folder) throw std::runtime_error(std::string(variable) + " is not set; CTest sets it");
  return folder;
}

const Registry& registry() {
  static const Registry plugins({folder_of("ADZE_BINARY_DIR") / "lib/adze/plugins"});
  return plugins;
}

class CalibrationOf : public testing::TestWithParam<const char*> {
 protected:
  CalibrationOf() : graph_(load_model(model_path())) {
    simplify(graph_);
    DataSpec spec;
    spec.source = "idx";
    spec.images = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz";
    spec.preprocess.scale = 1 / 255.0;
    spec.preprocess.mean = {0.2860};
    spec.preprocess.std = {0.3530};
    const Value& input = graph_.value(graph_.inputs[0]);
    const InputSpec wanted{input.name, input.dtype, *input.shape};
    data_ = open_dataset(spec, std::span(&wanted, 1));
  }
  static fs::path model_path() {
    return folder_of("ADZE_SOURCE_DIR") / "fixtures/models" / GetParam();
  }

  Graph graph_;
  std::unique_ptr<Dataset> data_;
};

// One call into a component, as the component sees it.
class ComponentSide {
 public:
  ComponentSide(const Graph& graph, const Dataset& data, std::int64_t samples,
                std::uint32_t threads)
      : options_{.threads = threads},
        service_(graph, data, sample_indices(data.size(), samples, 1), registry().find("cpu"),
                 options_),
        call_(registry().find("cpu"), {}, options_) {
    call_.offer(service_);
  }
  Call& call() { return call_; }
  const adze_calibration& table() {
    return *static_cast<const adze_calibration*>(
        call_.get()->host->get_extension(call_.get(), ADZE_CALIBRATION));
  }
  std::vector<const adze_stat*> collect(const std::vector<adze_stat_request>& requests) {
    std::vector<const adze_stat*> stats(requests.size());
    call_.check(table().collect(call_.get(), requests.data(), requests.size(), stats.data()),
                "collect");
    return stats;
  }

 private:
  CallOptions options_;
  Calibration service_;
  Call call_;
};

adze_stat_request ask(std::uint32_t kind, std::uint32_t node, std::uint32_t value) {
  return {.struct_size = sizeof(adze_stat_request),
          .kind = kind,
          .node = node,
          .value = value,
          .state = ADZE_STATE_SHOWN,
          .value_state = ADZE_STATE_SHOWN,
          .first = 0,
          .count = 0,
          .bins = 0};
}

std::vector<std::uint32_t> layers_of(const Graph& graph) {
  std::vector<std::uint32_t> layers;
  for (std::uint32_t i = 0; i < graph.nodes.size(); ++i)
    if (weight_of(graph, graph.nodes[i]) != kNone) layers.push_back(i);
  return layers;
}

std::span<const double> doubles(const adze_stat* stat) {
  std::size_t count = 1;
  for (std::int32_t i = 0; i < stat->data.ndim; ++i)
    count *= static_cast<std::size_t>(stat->data.shape[i]);
  return {static_cast<const double*>(stat->data.data), count};
}

// With weights w and bias b of a channel and v = (w, b): the mean of the channel is v . G[:, d] and
// the mean of its square v G v, which the backend knows nothing of.
TEST_P(CalibrationOf, gram_matrices_predict_mean_and_variance_of_every_layers_output) {
  ComponentSide view(graph_, *data_, 48, 2);
  std::vector<adze_stat_request> requests;
  const std::vector<std::uint32_t> layers = layers_of(graph_);
  ASSERT_GT(layers.size(), 8);
  for (const std::uint32_t layer : layers) {
    requests.push_back(ask(ADZE_STAT_GRAM, layer, kNone));
    requests.push_back(ask(ADZE_STAT_CHANNELS, kNone, graph_.nodes[layer].outputs[0]));
  }
  const auto stats = view.collect(requests);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Node& node = graph_.nodes[layers[i]];
    SCOPED_TRACE(node.name);
    const adze_tensor& shown = stats[2 * i]->data;
    const auto size = static_cast<std::size_t>(shown.shape[1]);
    const auto gram = doubles(stats[2 * i]), channels = doubles(stats[2 * i + 1]);
    const Tensor& weight = *graph_.value(node.inputs[1]).constant;
    const std::vector<float> w = to_f32(weight),
                             b = to_f32(*graph_.value(node.inputs.at(2)).constant);
    const bool by_column = node.op == "Gemm" && attribute_or<std::int64_t>(node, "transB", 0) == 0;
    const std::size_t outputs = b.size();
    const std::size_t per_group = outputs / static_cast<std::size_t>(shown.shape[0]);
    for (std::size_t c = 0; c < outputs; ++c) {
      std::vector<double> v(size);
      for (std::size_t k = 0; k + 1 < size; ++k)
        v[k] = by_column ? w[k * outputs + c] : w[c * (size - 1) + k];
      v.back() = b[c];
      const double* g = gram.data() + c / per_group * size * size;
      double mean = 0, square = 0;
      for (std::size_t r = 0; r < size; ++r) {
        mean += v[r] * g[r * size + size - 1];
        for (std::size_t k = 0; k < size; ++k) square += v[r] * g[r * size + k] * v[k];
      }
      const double deviation = std::sqrt(channels[4 * c + 3]);
      EXPECT_NEAR(mean, channels[4 * c + 2], 1e-4 * (1 + deviation + std::abs(mean)));
      EXPECT_NEAR(std::sqrt(std::max(0.0, square - mean * mean)), deviation,
                  1e-3 * (1 + deviation));
    }
  }
}

TEST_P(CalibrationOf, results_are_the_same_bytes_for_any_number_of_threads) {
  std::vector<adze_stat_request> requests;
  for (const std::uint32_t layer : layers_of(graph_))
    requests.push_back(ask(ADZE_STAT_GRAM, layer, kNone));
  ComponentSide one(graph_, *data_, 80, 1), three(graph_, *data_, 80, 3);
  const auto a = one.collect(requests), b = three.collect(requests);
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(doubles(a[i]), doubles(b[i]))) << i;
}

TEST_P(CalibrationOf, the_edited_model_shows_what_a_mask_does) {
  ComponentSide view(graph_, *data_, 8, 2);
  const std::uint32_t layer = layers_of(graph_)[0], weight = graph_.nodes[layer].inputs[1];
  EditList edits(graph_, {layer});
  view.call().accept(edits);
  const std::vector<std::uint8_t> none(
      static_cast<std::size_t>(graph_.value(weight).constant->count()), 0);
  edits.set_mask(weight, none);
  adze_stat_request request = ask(ADZE_STAT_CHANNELS, kNone, graph_.nodes[layer].outputs[0]);
  const auto dense = view.collect({request});
  request.state = ADZE_STATE_EDITED;
  const auto pruned = view.collect({request});
  EXPECT_GT(doubles(dense[0])[3], 0);
  EXPECT_EQ(doubles(pruned[0])[3], 0);  // only the bias is left
}

TEST_P(CalibrationOf, failures_reach_the_component_as_code_and_text) {
  ComponentSide view(graph_, *data_, 8, 1);
  const adze_stat_request bad = ask(ADZE_STAT_CHANNELS, kNone, 1u << 30);
  const adze_stat* stat = nullptr;
  EXPECT_EQ(view.table().collect(view.call().get(), &bad, 1, &stat), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(stat, nullptr);
  EXPECT_THAT(view.call().refusal(), testing::HasSubstr("no value 1073741824"));
  adze_stat_request short_one = bad;
  short_one.struct_size = 8;
  EXPECT_EQ(view.table().collect(view.call().get(), &short_one, 1, &stat), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(view.table().sample_count, 8);
}

TEST_P(CalibrationOf, released_results_make_room_and_ranges_have_no_data) {
  ComponentSide view(graph_, *data_, 8, 1);
  const auto stats = view.collect({ask(ADZE_STAT_HISTOGRAM, kNone, graph_.inputs[0]),
                                   ask(ADZE_STAT_HISTOGRAM, kNone, graph_.outputs[0])});
  EXPECT_EQ(stats[0]->data.ndim, 0);
  EXPECT_EQ(stats[0]->data.data, nullptr);
  EXPECT_EQ(stats[0]->terms, 8 * 784);
  EXPECT_NEAR(stats[0]->low, -0.2860 / 0.3530, 1e-6);
  for (const adze_stat* stat : stats) view.table().release(view.call().get(), stat);
}

INSTANTIATE_TEST_SUITE_P(Models, CalibrationOf,
                         testing::Values("fmnist_resnet10.onnx", "fmnist_mobilenet.onnx"),
                         [](const auto& parameter) {
                           const std::string name = parameter.param;
                           return name.substr(0, name.find('.'));
                         });

}  // namespace
}  // namespace adze::host
