// Rules of the board types on small graphs, and what cutting the accelerator's subgraph costs.
#include <gmock/gmock.h>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/onnx/model.hpp"
#include "host/pipeline/board_type_fit.hpp"
#include "tests/unit/drpai/plugins.hpp"
#include "tests/unit/drpai/sketch.hpp"

namespace adze::host {
namespace {

using ::testing::HasSubstr;

std::vector<Placement> placed(const Graph& graph, const std::string& board_type) {
  const auto target = load_target(board_type);
  CallOptions options;
  options.target = target.get();
  return place(drpai_backend(), {}, graph, options);
}

double total_ms(const Graph& graph, Facts facts, double sparsity = 0) {
  const Target target("rzv2h", facts);
  CallOptions options;
  options.target = &target;
  std::vector<WhatIf> questions;
  for (std::uint32_t n = 0; n < graph.nodes.size(); ++n) questions.push_back({n, sparsity});
  double sum = 0;
  for (const double ms : estimate(drpai_backend(), {}, graph, options, questions)) sum += ms;
  return sum;
}

TEST(Rules, tell_grouped_depthwise_and_odd_kernels_apart) {
  Sketch sketch;
  auto x = sketch.input({1, 64, 28, 28});
  x = sketch.conv(x, 64);
  x = sketch.conv(x, 64, 32);
  x = sketch.conv(x, 64, 64);
  x = sketch.conv(x, 64, 64, 5, 5);
  x = sketch.conv(x, 64, 1, 1, 7);
  const Graph graph = sketch.done(x);
  const auto v2h = placed(graph, "rzv2h"), v2l = placed(graph, "rzv2l");
  EXPECT_EQ(v2h[0].unit, "drpai");
  EXPECT_EQ(v2h[1].reason, "grouped convolution, 32 groups: runs on the CPU");
  EXPECT_EQ(v2h[2].unit, "drpai");
  EXPECT_EQ(v2h[3].unit, "drpai");
  EXPECT_EQ(v2h[4].reason, "kernel 1x7 is not square: runs on the CPU");
  EXPECT_EQ(v2l[2].unit, "drpai");
  EXPECT_EQ(v2l[3].reason, "depthwise convolution with a 5x5 kernel: runs on the CPU");
}

TEST(Rules, send_broadcasts_and_lone_normalizations_to_the_cpu) {
  Sketch sketch;
  auto x = sketch.conv(sketch.input({1, 32, 8, 8}), 32);
  const auto pooled = sketch.node("GlobalAveragePool", {x}, {1, 32, 1, 1});
  const auto gate = sketch.node("Sigmoid", {pooled}, {1, 32, 1, 1});
  x = sketch.node("Mul", {x, gate}, {1, 32, 8, 8});
  x = sketch.conv(x, 32);
  std::vector<std::uint32_t> normalization{x};
  for (int i = 0; i < 4; ++i) normalization.push_back(sketch.constant({32}));
  x = sketch.node("BatchNormalization", normalization, {1, 32, 8, 8});
  x = sketch.conv(sketch.node("Relu", {x}, {1, 32, 8, 8}), 32);
  const Graph graph = sketch.done(sketch.node("Frobnicate", {x}, {1, 32, 8, 8}));
  const auto where = placed(graph, "rzv2h");
  EXPECT_EQ(where[1].unit, "drpai");
  EXPECT_EQ(where[2].unit, "drpai");
  EXPECT_THAT(where[3].reason, HasSubstr("Mul of 1x32x8x8 and 1x32x1x1"));
  EXPECT_THAT(where[5].reason, HasSubstr("normalization in front of an activation"));
  EXPECT_EQ(where[6].unit, "drpai");
  EXPECT_THAT(where[8].reason, HasSubstr("operator Frobnicate is not offered by DRP-AI"));
  EXPECT_THAT(placed(graph, "rzv2l")[2].reason, HasSubstr("no part of a Swish"));
}

TEST(Rules, with_an_unknown_condition_are_refused) {
  Facts facts = load_facts("rzv2h");
  facts["placement.rule.0.when"] = std::string("on_sundays");
  Sketch sketch;
  const Graph graph = sketch.done(sketch.conv(sketch.input({1, 8, 8, 8}), 8));
  try {
    total_ms(graph, facts);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no condition 'on_sundays' among always, grouped"));
  }
}

TEST(Latency, of_a_shortcut_around_the_cpu_is_that_of_two_hand_overs_more) {
  const auto block = [](bool shortcut) {
    Sketch sketch;
    const auto first = sketch.conv(sketch.input({1, 64, 28, 28}), 64);
    auto x = sketch.conv(first, 64, 32);
    x = sketch.conv(x, 64);
    if (shortcut) x = sketch.node("Add", {x, first}, {1, 64, 28, 28});
    return sketch.done(x);
  };
  Facts facts = load_facts("rzv2h");
  const double each = std::get<double>(facts.at("cost.hand_over.ms_each")),
               size = std::get<double>(facts.at("cost.hand_over.ms_per_million_elements"));
  // `first` leaves once, for both of its readers; it enters the last subgraph besides.
  EXPECT_NEAR(total_ms(block(true), facts) - total_ms(block(false), facts),
              each + size * 64 * 28 * 28 / 1e6, 1e-9);
}

TEST(Latency, follows_the_clock_in_products_only_and_zeros_down_to_the_floor) {
  Sketch sketch;
  const Graph graph = sketch.done(sketch.conv(sketch.input({1, 64, 28, 28}), 64));
  Facts facts = load_facts("rzv2h");
  const double full = total_ms(graph, facts);
  const double products =
      64. * 64 * 9 * 28 * 28 / 1e9 * std::get<double>(facts.at("cost.ai_mac.ms_per_gmac"));
  facts["clock.ai_mhz"] = 250.0;
  EXPECT_NEAR(total_ms(graph, facts) - full, 3 * products, 1e-9);
  facts = load_facts("rzv2h");
  EXPECT_LT(total_ms(graph, facts, 0.5), full);
  EXPECT_EQ(total_ms(graph, facts, 0.99), total_ms(graph, facts, 1));
  facts["sparse.supported"] = false;
  EXPECT_EQ(total_ms(graph, facts, 0.9), full);
}

TEST(BoardFit, recovers_the_prices_that_made_the_times) {
  const TemporaryDirectory folder;
  Facts facts = load_facts("rzv2h");
  facts["fit.terms"] =
      std::vector<std::string>{"ai_mac.ms_per_gmac", "ai_mac.ms_per_million_weights",
                               "cpu.ms_per_gmac", "hand_over.ms_each", "cpu.start_ms"};
  const std::map<std::string, double> prices{{"cost.ai_mac.ms_per_gmac", 500},
                                             {"cost.ai_mac.ms_per_million_weights", 300},
                                             {"cost.cpu.ms_per_gmac", 700},
                                             {"cost.hand_over.ms_each", 0.5},
                                             {"cost.cpu.start_ms", 0}};
  Facts truth = facts;
  for (const auto& [name, price] : prices) truth[name] = price;
  std::vector<TimedModel> rows;
  for (int i = 0; i < 24; ++i) {
    Sketch sketch;
    auto x = sketch.conv(sketch.input({1, 32, 16 + i % 5 * 8, 16}), 32 * (1 + i % 3));
    for (int grouped = 0; grouped < i % 4; ++grouped)
      x = sketch.conv(sketch.conv(x, 32 * (1 + i % 3), 8 << i % 2), 32 * (1 + i % 3));
    const Graph graph = sketch.done(x);
    const std::string name = "model" + std::to_string(i) + ".onnx";
    save_model(graph, folder.path() / name);
    rows.push_back({name, "", total_ms(graph, truth)});
  }
  rows[5].latency_ms *= 4;  // one that was measured badly
  const BoardFit fit = fit_board_type(drpai_backend(), facts, rows, {folder.path()}, {},
                                      [](double, const std::string&) {});
  for (const auto& [name, value] : fit.coefficients)
    EXPECT_NEAR(value, prices.at(name), 0.06 * prices.at(name) + 0.1) << name;
  EXPECT_LT(fit.leave_one_out.median, 0.02);
  EXPECT_GT(fit.models[5].timed.latency_ms, 3 * fit.models[5].left_out_ms);
  EXPECT_FALSE(fit.leave_family_out);
}

TEST(Latency, of_swish_is_one_step_and_that_of_its_gate_nothing) {
  Sketch sketch;
  const auto x = sketch.conv(sketch.input({1, 32, 28, 28}), 32);
  const auto gate = sketch.node("Sigmoid", {x}, {1, 32, 28, 28});
  const Graph graph = sketch.done(sketch.node("Mul", {x, gate}, {1, 32, 28, 28}));
  const Facts facts = load_facts("rzv2h");
  const Target target("rzv2h", facts);
  CallOptions options;
  options.target = &target;
  const WhatIf questions[] = {{1, 0}, {2, 0}};
  const auto answers = estimate(drpai_backend(), {}, graph, options, questions);
  EXPECT_EQ(answers[0], 0);
  EXPECT_NEAR(
      answers[1],
      32. * 28 * 28 / 1e6 * std::get<double>(facts.at("cost.drp.ms_per_million_swish_elements")),
      1e-9);
}

TEST(Latency, with_an_older_toolchain_counts_additions_behind_a_resize) {
  Sketch sketch;
  const auto x = sketch.conv(sketch.input({1, 32, 28, 28}), 32);
  auto small = sketch.conv(x, 32);
  small = sketch.node("Resize", {small}, {1, 32, 28, 28}, {{"mode", std::string("nearest")}});
  const auto other = sketch.node("Relu", {x}, {1, 32, 28, 28});
  const Graph graph = sketch.done(sketch.node("Add", {other, small}, {1, 32, 28, 28}));
  const Facts now = load_facts("rzv2h");
  EXPECT_GT(total_ms(graph, at_toolchain(now, "2.4")), total_ms(graph, now));
  EXPECT_EQ(total_ms(graph, at_toolchain(now, "2.5")), total_ms(graph, now));
  EXPECT_THROW(at_toolchain(now, "newest"), Error);
}

TEST(Rules, tell_interpolation_from_repetition_and_strided_slices_from_pieces) {
  Sketch sketch;
  auto x = sketch.conv(sketch.input({1, 16, 8, 8}), 16);
  const std::map<std::string, Attribute> linear{{"mode", std::string("linear")}};
  const auto pooled = sketch.node("GlobalAveragePool", {x}, {1, 16, 1, 1});
  const auto spread = sketch.node("Resize", {pooled}, {1, 16, 8, 8}, linear);
  x = sketch.node("Add", {x, spread}, {1, 16, 8, 8});
  x = sketch.conv(sketch.node("Resize", {x}, {1, 16, 16, 16}, linear), 16);
  const auto every_second = sketch.slice(x, {1, 16, 8, 16}, 0, 16, 2, 2);
  const Graph graph = sketch.done(sketch.slice(every_second, {1, 8, 8, 16}, 0, 8, 1, 1));
  const auto where = placed(graph, "rzv2h");
  EXPECT_EQ(where[2].unit, "drpai") << where[2].reason;
  EXPECT_EQ(where[4].reason, "Resize by interpolation, mode linear: runs on the CPU");
  EXPECT_EQ(where[6].unit, "drpai") << where[6].reason;
  EXPECT_EQ(where[7].reason, "Slice of a tensor into pieces: runs on the CPU");
}

TEST(Latency, needs_every_price) {
  Facts facts = load_facts("rzv2h");
  facts.erase("cost.drp.ms_per_node");
  Sketch sketch;
  const Graph graph = sketch.done(sketch.conv(sketch.input({1, 8, 8, 8}), 8));
  EXPECT_THROW(total_ms(graph, facts), Error);
}

}  // namespace
}  // namespace adze::host
