// The differentiable network against formulas written out, and its gradients against differences.
#include "plugins/reconstruct/network.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/reconstruct/small_graph.hpp"

namespace reconstruct {
namespace {

ByValue parameters_of(const adze_graph& graph, const Network& network) {
  ByValue parameters(graph.value_count);
  for (const std::uint32_t value : network.parameters())
    parameters[value] = network.ordered<float>(value, adze::f32(graph.values[value]->constant));
  return parameters;
}

/// sum over `output` of coefficients times elements.
double answer(const Network& network, const ByValue& parameters, Workspace& work,
              std::uint32_t output, const std::vector<float>& coefficients, std::int64_t samples) {
  network.forward(samples, parameters, work);
  double sum = 0;
  for (std::size_t i = 0; i < coefficients.size(); ++i)
    sum += static_cast<double>(coefficients[i]) * static_cast<double>(work.values[output][i]);
  return sum;
}

/// Every parameter's gradient, element by element, against a difference.
void expect_gradients(const adze_graph& graph, std::uint32_t output) {
  constexpr std::int64_t kSamples = 3;
  Network network(graph);
  ASSERT_TRUE(network.knows(output));
  const std::uint32_t values[] = {output};
  network.restrict_to(values, network.parameters());
  ByValue parameters = parameters_of(graph, network);
  Workspace work = network.workspace(kSamples, true);
  for (const std::uint32_t input : network.inputs())
    work.values[input] = random_elements(std::ssize(work.values[input]), input + 78);
  for (const std::uint32_t parameter : network.parameters())
    work.parameter_gradients[parameter].resize(parameters[parameter].size());
  const auto coefficients = random_elements(kSamples * network.extent(output).size(), 5);
  network.forward(kSamples, parameters, work);
  network.clear_gradients(work);
  work.gradients[output] = coefficients;
  network.backward(kSamples, parameters, work);
  for (const std::uint32_t parameter : network.parameters())
    for (std::size_t i = 0; i < parameters[parameter].size(); ++i) {
      constexpr float kStep = 2e-3f;
      const float before = parameters[parameter][i];
      parameters[parameter][i] = before + kStep;
      const double above = answer(network, parameters, work, output, coefficients, kSamples);
      parameters[parameter][i] = before - kStep;
      const double below = answer(network, parameters, work, output, coefficients, kSamples);
      parameters[parameter][i] = before;
      const double expected = (above - below) / (2 * static_cast<double>(kStep));
      EXPECT_NEAR(static_cast<double>(work.parameter_gradients[parameter][i]), expected,
                  2e-2 * (1 + std::abs(expected)))
          << graph.values[parameter]->name << "[" << i << "]";
    }
}

void expect_formula(int groups, int dilation) {
  const int channels = 4 / groups, width = 8 - 2 * dilation;
  SmallGraph made;
  const auto x = made.value("x", {1, 4, 7, 6});
  const auto w = made.constant("w", {6, channels, 3, 3}, random_elements(54 * channels, 1));
  const auto b = made.constant("b", {6}, random_elements(6, 2));
  const auto y = made.value("y", {1, 6, 4, width});
  made.node("Conv", {x, w, b}, y);
  made.integers("group", {groups});
  made.integers("strides", {2, 1});
  made.integers("pads", {1, 1, 2, 1});
  made.integers("dilations", {1, dilation});
  const adze_graph& graph = made.graph({x}, {y});
  Network network(graph);
  ASSERT_TRUE(network.knows(y));
  Workspace work = network.workspace(2, false);
  work.values[x] = random_elements(2 * 4 * 7 * 6, 3);
  network.forward(2, parameters_of(graph, network), work);
  const auto weight = adze::f32(graph.values[w]->constant),
             bias = adze::f32(graph.values[b]->constant);
  for (int n = 0; n < 2; ++n)
    for (int o = 0; o < 6; ++o)
      for (int oy = 0; oy < 4; ++oy)
        for (int ox = 0; ox < width; ++ox) {
          float expected = bias[static_cast<std::size_t>(o)];
          for (int c = 0; c < channels; ++c)
            for (int ky = 0; ky < 3; ++ky)
              for (int kx = 0; kx < 3; ++kx) {
                const int iy = oy * 2 - 1 + ky, ix = ox - 1 + kx * dilation;
                if (iy < 0 || iy >= 7 || ix < 0 || ix >= 6) continue;
                const int in = ((n * 7 + iy) * 6 + ix) * 4 + o / (6 / groups) * channels + c;
                expected +=
                    weight[static_cast<std::size_t>(((o * channels + c) * 3 + ky) * 3 + kx)] *
                    work.values[x][static_cast<std::size_t>(in)];
              }
          EXPECT_NEAR(work.values[y][static_cast<std::size_t>(((n * 4 + oy) * width + ox) * 6 + o)],
                      expected, 1e-4f);
        }
}

TEST(Network, answers_like_the_formula_of_a_convolution) { expect_formula(1, 1); }

TEST(Network, answers_like_the_formula_of_a_convolution_in_groups) { expect_formula(2, 1); }

TEST(Network, answers_like_the_formula_of_a_convolution_with_gaps) {
  expect_formula(1, 2);
  expect_formula(2, 2);
}

TEST(Network, gradients_of_a_residual_network_are_those_of_differences) {
  SmallGraph made;
  const auto x = made.value("x", {1, 2, 6, 6});
  const auto w1 = made.constant("w1", {4, 2, 3, 3}, random_elements(72, 1));
  const auto b1 = made.constant("b1", {4}, random_elements(4, 2));
  const auto y1 = made.value("y1", {1, 4, 6, 6}), f1 = made.value("f1", {1, 4, 6, 6});
  made.node("Conv", {x, w1, b1}, y1);
  made.integers("pads", {1, 1, 1, 1});
  made.node("Tanh", {y1}, f1);
  const auto w2 = made.constant("w2", {4, 1, 3, 3}, random_elements(36, 3));
  const auto b2 = made.constant("b2", {4}, random_elements(4, 4));
  const auto y2 = made.value("y2", {1, 4, 3, 3});
  made.node("Conv", {f1, w2, b2}, y2);
  made.integers("group", {4});
  made.integers("strides", {2, 2});
  made.integers("pads", {1, 1, 1, 1});
  const auto w3 = made.constant("w3", {4, 4, 1, 1}, random_elements(16, 5));
  const auto b3 = made.constant("b3", {4}, random_elements(4, 6));
  const auto y3 = made.value("y3", {1, 4, 3, 3}), sum = made.value("sum", {1, 4, 3, 3});
  made.node("Conv", {f1, w3, b3}, y3);
  made.integers("strides", {2, 2});
  made.node("Add", {y2, y3}, sum);
  const auto gate = made.value("gate", {1, 4, 3, 3}), both = made.value("both", {1, 8, 3, 3});
  made.node("Sigmoid", {sum}, gate);
  made.node("Concat", {gate, y3}, both);
  made.integers("axis", {1});
  const auto flat = made.value("flat", {1, 72}), out = made.value("out", {1, 3});
  made.node("Flatten", {both}, flat);
  const auto w4 = made.constant("w4", {3, 72}, random_elements(216, 7));
  const auto b4 = made.constant("b4", {3}, random_elements(3, 8));
  made.node("Gemm", {flat, w4, b4}, out);
  made.integers("transB", {1});
  expect_gradients(made.graph({x}, {out}), out);
}

TEST(Network, gradients_pass_pools_and_a_gate_that_each_channel_has) {
  SmallGraph made;
  const auto x = made.value("x", {1, 3, 6, 6});
  const auto w1 = made.constant("w1", {3, 3, 1, 1}, random_elements(9, 1));
  const auto b1 = made.constant("b1", {3}, random_elements(3, 2));
  const auto y1 = made.value("y1", {1, 3, 6, 6});
  made.node("Conv", {x, w1, b1}, y1);
  const auto squeezed = made.value("squeezed", {1, 3, 1, 1}),
             gated = made.value("gated", {1, 3, 6, 6});
  made.node("GlobalAveragePool", {y1}, squeezed);
  const auto w2 = made.constant("w2", {3, 3, 1, 1}, random_elements(9, 3));
  const auto b2 = made.constant("b2", {3}, random_elements(3, 4));
  const auto gate = made.value("gate", {1, 3, 1, 1});
  made.node("Conv", {squeezed, w2, b2}, gate);
  made.node("Mul", {gate, y1}, gated);
  const auto mean = made.value("mean", {1, 3, 3, 3}), out = made.value("out", {1, 3, 2, 2});
  made.node("AveragePool", {gated}, mean);
  made.integers("kernel_shape", {3, 3});
  made.integers("strides", {2, 2});
  made.integers("pads", {1, 1, 1, 1});
  made.node("MaxPool", {mean}, out);
  made.integers("kernel_shape", {2, 2});
  expect_gradients(made.graph({x}, {out}), out);
}

TEST(Network, ends_where_an_operator_is_not_known) {
  SmallGraph made;
  const auto x = made.value("x", {1, 3, 4, 4}), y = made.value("y", {1, 3, 4, 4});
  const auto z = made.value("z", {1, 3, 4, 4}), out = made.value("out", {1, 3, 4, 4});
  made.node("Relu", {x}, y);
  made.node("Cos", {y}, z);
  made.node("Relu", {z}, out);
  Network network(made.graph({x}, {out}));
  EXPECT_TRUE(network.knows(y));
  EXPECT_FALSE(network.knows(z));
  EXPECT_FALSE(network.knows(out));
}

TEST(Network, weights_come_back_in_the_order_they_had) {
  SmallGraph made;
  const auto x = made.value("x", {1, 4});
  const auto w = made.constant("w", {4, 3}, random_elements(12, 1));
  const auto y = made.value("y", {1, 3});
  made.node("MatMul", {x, w}, y);
  const adze_graph& graph = made.graph({x}, {y});
  Network network(graph);
  const auto stored = adze::f32(graph.values[w]->constant);
  const auto ordered = network.ordered<float>(w, stored);
  EXPECT_EQ(network.stored(w, ordered), std::vector<float>(stored.begin(), stored.end()));
  EXPECT_EQ(ordered[1], stored[3]);  // second input of the first output
}

}  // namespace
}  // namespace reconstruct
