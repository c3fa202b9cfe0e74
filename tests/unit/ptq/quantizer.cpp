// adze.quantize.ptq as the host runs it: what each parameter changes, and bad input.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "host/base/error.hpp"
#include "tests/unit/ptq/rig.hpp"

namespace ptq {
namespace {

using adze::host::Settings;
using ::testing::HasSubstr;

const Shape kImage = {1, 4, 8, 8};

MadeSamples images(std::int64_t count = 32) {
  return {count, kImage, [](std::int64_t sample, std::int64_t element) {
            const float x = noise(static_cast<std::uint64_t>(sample * 256 + element));
            // Mostly small, now and then large.
            return x * x * x;
          }};
}

void conv(Builder& builder, const std::string& input, const std::string& output,
          std::uint64_t seed) {
  builder.constant(output + ".w", noise_tensor({4, 4, 3, 3}, seed, 0.4f));
  builder.constant(output + ".b", noise_tensor({4}, seed + 50, 0.1f));
  builder.node("Conv", {input, output + ".w", output + ".b"}, output,
               {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
}

/// Two convolutions, a depthwise one between them, and a result that is added.
Graph network() {
  Builder builder;
  conv(builder, "x", "c1", 1);
  builder.node("Relu", {"c1"}, "r1");
  builder.constant("d.w", noise_tensor({4, 1, 3, 3}, 2, 0.5f));
  builder.constant("d.b", noise_tensor({4}, 3, 0.1f));
  builder.node("Conv", {"r1", "d.w", "d.b"}, "d",
               {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}, {"group", std::int64_t{4}}});
  builder.node("Relu", {"d"}, "r2");
  conv(builder, "r2", "c2", 4);
  builder.node("Add", {"c2", "x"}, "a");
  builder.node("Relu", {"a"}, "r3");
  conv(builder, "r3", "y", 5);
  return builder.finish("x", {"y"});
}

Tensor& contents(Graph& graph, const std::string& name) {
  return *graph.values[graph.find_value(name)].constant;
}

/// The same function, with channels of `r1` and `r2` that spread 1:1000.
Graph spread_network() {
  Graph graph = network();
  const float factors[] = {0.03f, 1, 30, 5};
  for (int c = 0; c < 4; ++c) {
    const auto channel = static_cast<std::size_t>(c);
    for (std::size_t i = 0; i < 36; ++i)
      contents(graph, "c1.w").mutate<float>()[channel * 36 + i] *= factors[c];
    contents(graph, "c1.b").mutate<float>()[channel] *= factors[c];
    for (std::size_t i = 0; i < 9; ++i)
      contents(graph, "d.w").mutate<float>()[channel * 9 + i] *= factors[3 - c] / factors[c];
    contents(graph, "d.b").mutate<float>()[channel] *= factors[3 - c];
    for (std::size_t row = 0; row < 4; ++row)
      for (std::size_t i = 0; i < 9; ++i)
        contents(graph, "c2.w").mutate<float>()[row * 36 + channel * 9 + i] /= factors[3 - c];
  }
  return graph;
}

/// Nothing but ranges.
Settings plain(Settings more = {}) {
  more.insert({{"calibrator", "minmax"},
               {"equalize", "off"},
               {"bias_correction", "off"},
               {"rounding", "nearest"}});
  return more;
}

bool same_scales(const Quantized& a, const Quantized& b) {
  for (std::size_t i = 0; i < a.edited.values.size(); ++i)
    if (a.edited.values[i].quant != b.edited.values[i].quant) return false;
  return true;
}

bool same_constants(const Graph& a, const Graph& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i)
    if (a.values[i].constant && to_f32(*a.values[i].constant) != to_f32(*b.values[i].constant))
      return false;
  return true;
}

std::string error_of(const Graph& graph, const adze::host::Dataset& samples,
                     const Settings& settings = {}) {
  try {
    quantize(graph, samples, settings);
  } catch (const adze::host::Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Quantizer, by_default_is_close_to_the_float_model) {
  const Quantized made = quantize(network(), images(), {});
  EXPECT_GT(sqnr_db(made.shown, made.edited, images()), 33);
}

TEST(Quantizer, gives_the_same_edits_twice) {
  const Quantized a = quantize(network(), images(), {}), b = quantize(network(), images(), {});
  EXPECT_TRUE(same_scales(a, b));
  EXPECT_TRUE(same_constants(a.edited, b.edited));
}

TEST(Quantizer, each_calibrator_gives_scales_of_its_own) {
  const Quantized minmax = quantize(network(), images(), plain());
  for (const char* name : {"percentile", "entropy", "mse"}) {
    Settings settings = plain();
    settings["calibrator"] = name;
    settings["percentile"] = 99.9;
    EXPECT_FALSE(same_scales(minmax, quantize(network(), images(), settings))) << name;
  }
  Settings looser = plain(), tighter = plain();
  looser["calibrator"] = tighter["calibrator"] = "percentile";
  tighter["percentile"] = 99.0;
  EXPECT_GT(quantize(network(), images(), looser).value("x").quant->scale[0],
            quantize(network(), images(), tighter).value("x").quant->scale[0]);
}

TEST(Quantizer, the_automatic_calibrator_disturbs_the_outputs_no_more_than_min_max) {
  Settings best = plain();
  best["calibrator"] = "auto";
  const Quantized a = quantize(network(), images(), best);
  const Quantized b = quantize(network(), images(), plain());
  EXPECT_GE(sqnr_db(a.shown, a.edited, images()), sqnr_db(b.shown, b.edited, images()) - 0.5);
}

TEST(Quantizer, equalization_changes_the_function_of_the_float_model_by_nothing) {
  for (const char* weights : {"per_channel", "per_tensor"}) {
    const Quantized made =
        quantize(spread_network(), images(), plain({{"equalize", "on"}, {"weights", weights}}));
    EXPECT_FALSE(same_constants(made.shown, made.edited));
    EXPECT_GT(sqnr_db(made.shown, without_scales(made.edited), images()), 110) << weights;
  }
}

TEST(Quantizer, equalization_mends_channels_that_spread_1_to_1000_also_through_depthwise_layers) {
  for (const char* weights : {"per_channel", "per_tensor"}) {
    const Quantized off = quantize(spread_network(), images(), plain({{"weights", weights}}));
    const Quantized found =
        quantize(spread_network(), images(), plain({{"equalize", "auto"}, {"weights", weights}}));
    const double before = sqnr_db(off.shown, off.edited, images());
    const double after = sqnr_db(found.shown, found.edited, images());
    EXPECT_LT(before, 20) << weights;
    EXPECT_GT(after, 28) << weights;
  }
}

TEST(Quantizer, equalization_goes_through_a_prelu_whose_slopes_differ_by_channel) {
  Builder builder;
  conv(builder, "x", "c1", 1);
  builder.constant("slope", noise_tensor({4, 1, 1}, 7, 0.5f));
  builder.node("PRelu", {"c1", "slope"}, "p1");
  conv(builder, "p1", "y", 2);
  const Quantized made =
      quantize(builder.finish("x", {"y"}), images(), plain({{"equalize", "on"}}));
  EXPECT_FALSE(same_constants(made.shown, made.edited));
  EXPECT_GT(sqnr_db(made.shown, without_scales(made.edited), images()), 110);
}

TEST(Quantizer, equalization_stops_at_activations_that_do_not_scale) {
  Builder builder;
  conv(builder, "x", "c1", 1);
  builder.node("Sigmoid", {"c1"}, "s1");
  conv(builder, "s1", "y", 2);
  const Graph graph = builder.finish("x", {"y"});
  const Quantized made = quantize(graph, images(), plain({{"equalize", "on"}}));
  EXPECT_TRUE(same_constants(made.shown, made.edited));
}

TEST(Quantizer, the_grid_of_a_softmax_along_channels_holds_all_that_it_can_give) {
  for (const std::int64_t axis : {1, 3}) {
    Builder builder;
    conv(builder, "x", "c1", 1);
    builder.node("Softmax", {"c1"}, "s1", {{"axis", axis}});
    conv(builder, "s1", "y", 2);
    const Graph graph = builder.finish("x", {"y"});
    for (const char* calibrator : {"minmax", "auto"}) {
      const Quantized made = quantize(graph, images(), plain({{"calibrator", calibrator}}));
      const float scale = made.value("s1").quant->scale[0];
      if (axis == 1) {
        EXPECT_FLOAT_EQ(scale, 1 / 255.0f) << calibrator;
      } else {
        EXPECT_LT(scale, 0.95f / 255) << calibrator;
      }
    }
  }
}

TEST(Quantizer, one_scale_a_weight_tensor_when_asked) {
  const Quantized made = quantize(network(), images(), plain({{"weights", "per_tensor"}}));
  EXPECT_EQ(made.value("c1.w").quant->axis, -1);
  EXPECT_EQ(made.value("c1.w").quant->scale.size(), 1u);
  const Quantized finer = quantize(network(), images(), plain());
  EXPECT_EQ(finer.value("c1.w").quant->scale.size(), 4u);
  EXPECT_GT(sqnr_db(finer.shown, finer.edited, images()),
            sqnr_db(made.shown, made.edited, images()));
}

TEST(Quantizer, adaptive_rounding_brings_outputs_closer_and_keeps_pruned_weights_at_zero) {
  Graph graph = network();
  for (const char* name : {"c1.w", "c2.w", "y.w"}) {
    Value& weight = graph.values[graph.find_value(name)];
    weight.keep.assign(144, 1);
    for (std::size_t i = 0; i < 144; i += 2) {
      weight.keep[i] = 0;
      weight.constant->mutate<float>()[i] = 0;
    }
  }
  const Settings coarse = plain({{"weights", "per_tensor"}});
  Settings adaptive = coarse;
  adaptive["rounding"] = "adaptive";
  const Quantized nearest = quantize(graph, images(), coarse);
  const Quantized adapted = quantize(graph, images(), adaptive);
  EXPECT_TRUE(same_scales(nearest, adapted));
  int changed = 0;
  for (const char* name : {"c1.w", "c2.w", "y.w"}) {
    const float scale = adapted.value(name).quant->scale[0];
    const std::vector<float> weights = to_f32(*adapted.value(name).constant);
    for (std::size_t i = 0; i < weights.size(); i += 2) EXPECT_EQ(weights[i], 0);
    // A layer that did not gain on samples held out stays as it was.
    if (weights == to_f32(*nearest.value(name).constant)) continue;
    ++changed;
    for (const float w : weights) EXPECT_NEAR(w / scale, std::nearbyint(w / scale), 1e-3);
  }
  EXPECT_GE(changed, 2);
  EXPECT_GT(sqnr_db(adapted.shown, adapted.edited, images()),
            sqnr_db(nearest.shown, nearest.edited, images()));
}

TEST(Quantizer, bias_correction_takes_a_shifted_mean_back) {
  Settings on = plain({{"calibrator", "percentile"}, {"percentile", 97.0}});
  on["bias_correction"] = "on";
  Settings off = on;
  off["bias_correction"] = "off";
  const Quantized corrected = quantize(network(), images(), on);
  const Quantized as_is = quantize(network(), images(), off);
  EXPECT_NE(to_f32(*corrected.value("c2.b").constant), to_f32(*as_is.value("c2.b").constant));
  EXPECT_GT(sqnr_db(corrected.shown, corrected.edited, images()),
            sqnr_db(as_is.shown, as_is.edited, images()));
  Settings judged = on;
  judged["bias_correction"] = "auto";
  const Quantized kept = quantize(network(), images(), judged);
  EXPECT_GT(sqnr_db(kept.shown, kept.edited, images()),
            sqnr_db(as_is.shown, as_is.edited, images()));
}

TEST(Quantizer, seven_bits_and_affine_zero_points_when_asked) {
  const Quantized seven = quantize(network(), images(), plain({{"bits", std::int64_t{7}}}));
  EXPECT_EQ(seven.value("x").quant->bits, 7);
  EXPECT_EQ(seven.value("x").quant->zero_point[0], 64);
  const Quantized affine = quantize(network(), images(), plain({{"zero_point", "affine"}}));
  EXPECT_NE(affine.value("c2").quant->zero_point[0], 128);
}

TEST(Quantizer, one_scale_for_what_is_added_when_asked) {
  const auto same = [](const Quantized& made) {
    return made.value("c2").quant == made.value("x").quant;
  };
  const Quantized alone = quantize(network(), images(), plain());
  EXPECT_FALSE(same(alone)) << "a board type that says nothing";
  const Quantized shared = quantize(network(), images(), plain({{"shared_scales", "on"}}));
  EXPECT_TRUE(same(shared));
  for (const char* name : {"c2", "x"})
    EXPECT_GE(shared.value(name).quant->scale[0], alone.value(name).quant->scale[0] * 0.999f);
  EXPECT_EQ(shared.value("r1").quant, alone.value("r1").quant);
}

TEST(Quantizer, leaves_nodes_and_operators_float_that_are_named) {
  const Quantized node =
      quantize(network(), images(), plain({{"leave_float", std::vector<std::string>{"c1_node"}}}));
  EXPECT_FALSE(node.is_quantized("c1.w"));
  EXPECT_TRUE(node.is_quantized("d.w"));
  const Quantized op =
      quantize(network(), images(), plain({{"leave_float", std::vector<std::string>{"Conv"}}}));
  EXPECT_FALSE(op.is_quantized("d.w"));
  EXPECT_TRUE(op.is_quantized("r3"));
}

TEST(Quantizer, leaves_what_decodes_results_float_unless_told_otherwise) {
  Builder builder;
  conv(builder, "x", "boxes", 1);
  conv(builder, "x", "scores", 2);
  builder.node("Sigmoid", {"scores"}, "probabilities");
  builder.node("Concat", {"boxes", "probabilities"}, "y", {{"axis", std::int64_t{1}}});
  builder.value("y", {1, 8, 8, 8});
  Graph graph = builder.finish("x", {"y"});
  graph.values[graph.find_value("y")].shape = Shape{1, 8, 8, 8};
  const Quantized floats = quantize(graph, images(), plain());
  EXPECT_FALSE(floats.is_quantized("boxes"));
  EXPECT_FALSE(floats.is_quantized("probabilities"));
  EXPECT_TRUE(floats.is_quantized("boxes.w"));
  const Quantized integers = quantize(graph, images(), plain({{"heads", "int8"}}));
  EXPECT_TRUE(integers.is_quantized("boxes"));
  EXPECT_TRUE(integers.is_quantized("probabilities"));
}

/// A normalization spelled out, some of its channels 200 times the others, and a MatMul.
Graph transformer() {
  Builder builder;
  Tensor gains = noise_tensor({16}, 1, 0.2f);
  for (std::size_t i = 0; i < 16; i += 5) gains.mutate<float>()[i] = 40;
  builder.constant("gain", gains);
  builder.constant("shift", noise_tensor({16}, 2, 0.1f));
  builder.value("x", {1, 4, 16});
  builder.value("scaled", {1, 4, 16});
  builder.value("normal", {1, 4, 16});
  builder.value("y", {1, 4, 8});
  builder.node("Mul", {"x", "gain"}, "scaled");
  builder.node("Add", {"scaled", "shift"}, "normal");
  Tensor weights = noise_tensor({16, 8}, 3);
  for (std::size_t i = 0; i < 16; i += 5)
    for (std::size_t j = 0; j < 8; ++j) weights.mutate<float>()[i * 8 + j] *= 0.01f;
  builder.constant("m.w", weights);
  builder.node("MatMul", {"normal", "m.w"}, "y");
  return builder.finish("x", {"y"});
}

TEST(Quantizer, smoothing_moves_outliers_of_a_normalization_into_the_weights) {
  const MadeSamples tokens(16, {1, 4, 16}, [](std::int64_t sample, std::int64_t element) {
    return noise(static_cast<std::uint64_t>(sample * 64 + element));
  });
  const Settings off = plain({{"leave_float", std::vector<std::string>{"Mul", "Add"}}});
  Settings on = off;
  on["smooth"] = 0.5;
  const Quantized before = quantize(transformer(), tokens, off);
  const Quantized after = quantize(transformer(), tokens, on);
  EXPECT_GT(sqnr_db(after.shown, without_scales(after.edited), tokens), 110);
  EXPECT_GT(sqnr_db(after.shown, after.edited, tokens),
            sqnr_db(before.shown, before.edited, tokens) + 10);
}

// Bad input.

TEST(Quantizer, refuses_an_empty_calibration_set) {
  EXPECT_THAT(error_of(network(), images(0)), HasSubstr("the calibration set is empty"));
}

TEST(Quantizer, works_on_a_single_image) {
  const Quantized made = quantize(network(), images(1), {});
  EXPECT_TRUE(made.is_quantized("c1.w"));
  EXPECT_GT(sqnr_db(made.shown, made.edited, images(1)), 25);
}

TEST(Quantizer, names_the_input_whose_samples_hold_nan) {
  const MadeSamples broken(8, kImage, [](std::int64_t sample, std::int64_t element) {
    return sample == 3 && element == 7 ? std::numeric_limits<float>::quiet_NaN() : 0.5f;
  });
  EXPECT_THAT(error_of(network(), broken), HasSubstr("gives NaN on a calibration sample"));
}

TEST(Quantizer, names_the_weight_that_holds_nan) {
  Graph graph = network();
  contents(graph, "c2.w").mutate<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(error_of(graph, images()), HasSubstr("'c2.w' holds NaN or infinity"));
}

TEST(Quantizer, manages_channels_that_are_all_zero) {
  Graph graph = network();
  for (const char* name : {"c1.w", "c2.w"})
    for (std::size_t i = 0; i < 36; ++i) contents(graph, name).mutate<float>()[i] = 0;
  contents(graph, "c1.b").mutate<float>()[0] = 0;
  const Quantized made = quantize(graph, images(), {{"equalize", "on"}, {"rounding", "adaptive"}});
  for (const float scale : made.value("c1.w").quant->scale) EXPECT_GT(scale, 0);
  EXPECT_GT(sqnr_db(made.shown, made.edited, images()), 30);
}

TEST(Quantizer, keeps_biases_within_32_bits_at_extreme_scales) {
  Graph graph = network();
  for (std::size_t i = 0; i < 36; ++i) contents(graph, "c2.w").mutate<float>()[i] = 1e-30f;
  contents(graph, "c2.b").mutate<float>()[0] = 1000;
  const Quantized made = quantize(graph, images(), plain());
  const double step = static_cast<double>(made.value("c2.w").quant->scale[0]) *
                      static_cast<double>(made.value("r2").quant->scale[0]);
  EXPECT_LT(1000 / step, std::pow(2.0, 31));
  EXPECT_GT(sqnr_db(made.shown, made.edited, images()), 30);
}

TEST(Quantizer, refuses_a_model_that_is_quantized_already) {
  const Quantized made = quantize(network(), images(), plain());
  EXPECT_THAT(error_of(made.edited, images()), HasSubstr("the model is quantized already: '"));
}

TEST(Quantizer, names_the_nearest_when_a_node_to_leave_float_is_not_there) {
  EXPECT_THAT(
      error_of(network(), images(), {{"leave_float", std::vector<std::string>{"c1_nodes"}}}),
      HasSubstr("'c1_nodes'; the nearest is 'c1_node'"));
}

}  // namespace
}  // namespace ptq
