#include "plugins/reconstruct/tuning.hpp"

#include <adze/ext/calibration.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "plugins/reconstruct/tuning_samples.hpp"
#include "tests/unit/reconstruct/small_graph.hpp"

namespace reconstruct {
namespace {

using ::testing::Each;

constexpr std::int64_t kSamples = 128, kChannels = 3, kSide = 6;
constexpr TuningOptions kOptions{.samples = kSamples, .operations = 1e9};  // a few hundred steps

/// Two convolutions and a classifier, and a host that has samples of their input.
class Model {
 public:
  /// `op` comes between the layers.
  explicit Model(const char* op) {
    const auto x = graph_.value("x", {1, kChannels, kSide, kSide});
    const auto w1 = graph_.constant("w1", {8, kChannels, 3, 3}, random_elements(8 * 27, 1, 0.2f));
    const auto b1 = graph_.constant("b1", {8}, random_elements(8, 2, 0.2f));
    const auto y1 = graph_.value("y1", {1, 8, kSide, kSide});
    const auto f1 = graph_.value("f1", {1, 8, kSide, kSide});
    graph_.node("Conv", {x, w1, b1}, y1);
    graph_.integers("pads", {1, 1, 1, 1});
    graph_.node(op, {y1}, f1);
    const auto w2 = graph_.constant("w2", {8, 8, 3, 3}, random_elements(8 * 72, 3, 0.2f));
    const auto b2 = graph_.constant("b2", {8}, random_elements(8, 4, 0.2f));
    const auto y2 = graph_.value("y2", {1, 8, 4, 4}), f2 = graph_.value("f2", {1, 8, 4, 4});
    graph_.node("Conv", {f1, w2, b2}, y2);
    graph_.node(op, {y2}, f2);
    const auto pooled = graph_.value("pooled", {1, 8, 1, 1}), flat = graph_.value("flat", {1, 8});
    graph_.node("GlobalAveragePool", {f2}, pooled);
    graph_.node("Flatten", {pooled}, flat);
    call_.graph = &graph_.graph({x}, {flat});
    host_.struct_size = sizeof host_;
    host_.get_extension = [](adze_call*, const char* id) noexcept -> const void* {
      static constexpr adze_calibration kCalibration = {sizeof(adze_calibration), kSamples, collect,
                                                        release};
      return std::strcmp(id, ADZE_CALIBRATION) == 0 ? &kCalibration : nullptr;
    };
    call_.struct_size = sizeof call_;
    call_.threads = 1, call_.seed = 7, call_.host = &host_, call_.impl = this;
    layers_ = pruning::layers_of(*call_.graph);
  }

  adze_call* call() { return &call_; }
  std::vector<float> dense_weights(std::size_t layer) const {
    const auto dense = adze::f32(call_.graph->values[layers_[layer].weight]->constant);
    return {dense.begin(), dense.end()};
  }
  /// Every second weight gone, and nothing else.
  std::vector<Tunable> halved() const {
    std::vector<Tunable> pruned;
    for (const pruning::Layer& layer : layers_) {
      const auto dense = adze::f32(call_.graph->values[layer.weight]->constant);
      const auto bias = adze::f32(call_.graph->values[layer.bias]->constant);
      Tunable one{&layer, {dense.begin(), dense.end()}, {bias.begin(), bias.end()}, {}, true};
      for (std::size_t i = 0; i < one.weights.size(); ++i) {
        one.keep.push_back(i % 2);
        if (!one.keep[i]) one.weights[i] = 0;
      }
      pruned.push_back(std::move(one));
    }
    return pruned;
  }

 private:
  static adze_status collect(adze_call* call, const adze_stat_request* requests, std::uint64_t,
                             const adze_stat** out) noexcept {
    Model& model = *static_cast<Model*>(call->impl);
    const auto count = static_cast<std::int64_t>(requests->count);
    model.sample_ = random_elements(count * kChannels * kSide * kSide,
                                    static_cast<unsigned>(requests->first) + 100);
    model.shape_[0] = count;
    model.stat_ = {.struct_size = sizeof(adze_stat), .terms = requests->count};
    model.stat_.data = {model.sample_.data(), 1, 0, 4, ADZE_FLOAT, 32, 1, model.shape_, nullptr, 0};
    *out = &model.stat_;
    return ADZE_OK;
  }
  static void release(adze_call*, const adze_stat*) noexcept {}

  SmallGraph graph_;
  std::vector<pruning::Layer> layers_;
  std::vector<float> sample_;
  std::int64_t shape_[4] = {0, kChannels, kSide, kSide};
  adze_stat stat_{};
  adze_host host_{};
  adze_call call_{};
};

TEST(Tuning, makes_up_for_most_of_what_a_mask_costs_and_keeps_the_mask) {
  Model model("Relu");
  std::vector<Tunable> layers = model.halved();
  const Tuned tuned =
      tune(model.call(), layers, kOptions, pruning::on_this_thread(), [](double) {});
  EXPECT_GT(tuned.steps, 0);
  EXPECT_TRUE(tuned.accepted());
  EXPECT_LT(tuned.error_after, 0.7 * tuned.error_before);
  for (const Tunable& layer : layers)
    for (std::size_t i = 0; i < layer.weights.size(); ++i)
      EXPECT_TRUE(layer.keep[i] || layer.weights[i] == 0.0f);
}

TEST(Tuning, gives_the_same_weights_in_whatever_order_parts_are_worked_on) {
  Model model("Tanh");
  std::vector<Tunable> forwards = model.halved(), backwards = forwards;
  tune(model.call(), forwards, kOptions, pruning::on_this_thread(), [](double) {});
  tune(
      model.call(), backwards, kOptions,
      [](std::uint64_t count, const std::function<void(std::uint64_t)>& body) {
        while (count-- > 0) body(count);
      },
      [](double) {});
  for (std::size_t i = 0; i < forwards.size(); ++i) {
    EXPECT_EQ(forwards[i].weights, backwards[i].weights);
    EXPECT_EQ(forwards[i].bias, backwards[i].bias);
  }
}

TEST(Tuning, tunes_what_comes_before_an_operator_that_is_not_known) {
  Model model("Cos");
  std::vector<Tunable> layers = model.halved();
  for (float& element : layers[0].bias) element += 0.5f;
  const std::vector<float> second = layers[1].weights;
  const Tuned tuned =
      tune(model.call(), layers, kOptions, pruning::on_this_thread(), [](double) {});
  EXPECT_TRUE(tuned.accepted());
  EXPECT_EQ(layers[1].weights, second);
}

TEST(Tuning, leaves_weights_alone_that_another_node_shares) {
  Model model("Relu");
  std::vector<Tunable> layers = model.halved();
  layers[0].may_change = false;
  const std::vector<float> first = layers[0].weights;
  EXPECT_TRUE(
      tune(model.call(), layers, kOptions, pruning::on_this_thread(), [](double) {}).accepted());
  EXPECT_EQ(layers[0].weights, first);
}

TEST(Tuning, corrects_layers_that_stay_dense_for_what_the_others_lost) {
  Model model("Relu");
  std::vector<Tunable> alone = model.halved(), helped = alone;
  alone[0].weights = helped[0].weights = model.dense_weights(0);
  alone[0].keep = helped[0].keep = {};
  alone[0].may_change = false;
  alone[0].is_dense = helped[0].is_dense = true;
  const auto tuned = [&](std::vector<Tunable>& layers) {
    return tune(model.call(), layers, kOptions, pruning::on_this_thread(), [](double) {});
  };
  const Tuned without = tuned(alone), with = tuned(helped);
  EXPECT_EQ(alone[0].weights, model.dense_weights(0));
  EXPECT_NE(helped[0].weights, model.dense_weights(0));
  EXPECT_LT(with.error_after, 0.95 * without.error_after);
}

TEST(Tuning, does_nothing_when_it_would_take_too_long) {
  Model model("Relu");
  std::vector<Tunable> layers = model.halved();
  const std::vector<float> first = layers[0].weights;
  const Tuned tuned = tune(model.call(), layers, {.samples = kSamples, .operations = 1e6},
                           pruning::on_this_thread(), [](double) {});
  EXPECT_EQ(tuned.steps, 0);
  EXPECT_EQ(layers[0].weights, first);
}

TEST(TuningSamples, of_a_mixed_view_has_its_share_of_each) {
  Model model("Relu");
  const Network network(*model.call()->graph);
  const std::uint32_t input = network.inputs()[0];
  const Extent& extent = network.extent(input);
  const TuningSamples samples(model.call(), network, 16);
  const auto placed = [&](const View& view) {
    std::vector<float> made(static_cast<std::size_t>(extent.size()));
    samples.place(input, extent, view, made.data());
    return made;
  };
  const auto third = placed({.first = {.index = 3}, .second = {}});
  const auto fifth = placed({.first = {.index = 5}, .second = {}});
  const auto mixed = placed({.first = {.index = 3}, .second = {.index = 5}, .share = 0.25f});
  ASSERT_NE(third, fifth);
  for (std::size_t i = 0; i < mixed.size(); ++i)
    EXPECT_FLOAT_EQ(mixed[i], 0.25f * third[i] + 0.75f * fifth[i]);
}

TEST(TuningSamples, are_varied_alike_from_one_seed_and_half_of_them_mixed) {
  Random random(5), again(5);
  int mixed = 0;
  for (std::int64_t i = 0; i < 1000; ++i) {
    const View view = varied(i % 10, 10, random), same = varied(i % 10, 10, again);
    EXPECT_EQ(view.first.index, i % 10);
    EXPECT_LT(view.second.index, 10);
    EXPECT_LE(std::abs(view.first.down), 1);
    EXPECT_EQ(view.share, same.share);
    EXPECT_EQ(view.second.index, same.second.index);
    mixed += view.share < 1;
  }
  EXPECT_NEAR(mixed, 500, 60);
}

}  // namespace
}  // namespace reconstruct
