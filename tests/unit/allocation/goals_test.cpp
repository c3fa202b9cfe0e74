// Budgets and goals against a graph and a host made by hand.
#include <adze/ext/draft/latency.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "plugins/pruning/layer.hpp"
#include "plugins/reconstruct/allocation_costs.hpp"
#include "plugins/reconstruct/allocation_search.hpp"

namespace reconstruct {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Property;
using ::testing::Throws;

/// Three MatMuls in a row: 8x16, 16x16 and 16x4. The last is no target.
class Model {
 public:
  Model() {
    const std::int64_t sizes[] = {8, 16, 16, 4};
    for (int i = 0; i < 4; ++i) values_[i] = value("x" + std::to_string(i));
    for (int n = 0; n < 3; ++n) {
      const std::int64_t count = sizes[n] * sizes[n + 1];
      for (std::int64_t i = 0; i < count; ++i)
        weights_[n].push_back((i % 2 ? 1.0f : -1.0f) * (1.0f + static_cast<float>(i)) *
                              (n == 0 ? 10.0f : 1.0f) / static_cast<float>(count));
      shapes_[n][0] = sizes[n], shapes_[n][1] = sizes[n + 1];
      strides_[n][0] = sizes[n + 1], strides_[n][1] = 1;
      tensors_[n] = {weights_[n].data(), 1, 0, 2, ADZE_FLOAT, 32, 1, shapes_[n], strides_[n], 0};
      values_[4 + n] = value("w" + std::to_string(n));
      values_[4 + n].constant = &tensors_[n];
      values_[4 + n].consumer_count = 1;
      inputs_[n][0] = static_cast<std::uint32_t>(n);
      inputs_[n][1] = static_cast<std::uint32_t>(4 + n);
      outputs_[n] = static_cast<std::uint32_t>(n + 1);
      nodes_[n].struct_size = sizeof(adze_node);
      nodes_[n].input_count = 2, nodes_[n].output_count = 1;
      nodes_[n].op = "MatMul", nodes_[n].domain = "", nodes_[n].name = names_[n];
      nodes_[n].inputs = inputs_[n], nodes_[n].outputs = &outputs_[n];
      node_pointers_[n] = &nodes_[n];
    }
    for (int v = 0; v < 7; ++v) value_pointers_[v] = &values_[v];
    graph_.struct_size = sizeof graph_;
    graph_.node_count = 3, graph_.value_count = 7, graph_.target_count = 2;
    graph_.nodes = node_pointers_, graph_.values = value_pointers_, graph_.targets = targets_;
    host_.struct_size = sizeof host_;
    host_.log = [](adze_call* call, std::int32_t, const char* text) noexcept {
      static_cast<Model*>(call->impl)->logged += std::string(text) + "\n";
    };
    host_.progress = [](adze_call*, double, const char*) noexcept { return 0; };
    host_.fail = [](adze_call*, adze_status code, const char*) noexcept { return code; };
    host_.get_extension = [](adze_call*, const char* id) noexcept -> const void* {
      static constexpr adze_latency kLatency = {sizeof(adze_latency), ADZE_PREDICTED, ask};
      return std::strcmp(id, ADZE_LATENCY) == 0 ? &kLatency : nullptr;
    };
    call_.struct_size = sizeof call_;
    call_.threads = 1, call_.host = &host_, call_.graph = &graph_, call_.impl = this;
  }

  /// The first node's time goes with what is kept, twice as fast as its weights; the second's stays
  /// above a third. 1 ms belongs to no node.
  static adze_status ask(adze_call*, const adze_what_if* questions, std::uint64_t count,
                         double* out) noexcept {
    for (std::uint64_t i = 0; i < count; ++i) {
      const double kept = 1 - questions[i].sparsity;
      out[i] = questions[i].node == 0   ? 2 * kept
               : questions[i].node == 1 ? std::max(kept, 1.0 / 3)
               : questions[i].node == 2 ? 0.5
                                        : 2 + 1 + 0.5 + 1;
    }
    return ADZE_OK;
  }

  adze_call* call() { return &call_; }
  /// What an earlier stage has pruned of the first layer.
  void mask_first_layer(double sparsity) {
    for (std::size_t i = 0; i < weights_[0].size(); ++i)
      keep_.push_back(static_cast<double>(i) >= sparsity * static_cast<double>(weights_[0].size()));
    values_[4].keep = keep_.data();
  }
  const adze_graph& graph() const { return graph_; }
  std::vector<Layer> layers() const { return pruning::layers_of(graph_); }
  std::vector<CostedLayer> costed() const { return {{0, 4}, {1, 5}}; }
  std::string logged;

 private:
  adze_value value(const std::string& name) {
    value_names_.push_back(std::make_unique<std::string>(name));
    adze_value made{};
    made.struct_size = sizeof made;
    made.rank = -1, made.batch_axis = -1, made.code = ADZE_FLOAT, made.bits = 32;
    made.producer = ADZE_NONE;
    made.name = value_names_.back()->c_str();
    return made;
  }

  const char* names_[3] = {"first", "second", "third"};
  std::vector<std::unique_ptr<std::string>> value_names_;
  std::vector<float> weights_[3];
  std::vector<std::uint8_t> keep_;
  std::int64_t shapes_[3][2], strides_[3][2];
  adze_tensor tensors_[3];
  adze_value values_[7];
  adze_node nodes_[3]{};
  std::uint32_t inputs_[3][2], outputs_[3], targets_[2] = {0, 1};
  const adze_value* value_pointers_[7];
  const adze_node* node_pointers_[3];
  adze_graph graph_{};
  adze_host host_{};
  adze_call call_{};
};

/// A board type that stores 1.5 bytes a kept weight.
class BoardType {
 public:
  BoardType() {
    facts_[0] = {sizeof(adze_property),
                 ADZE_F64,
                 1,
                 "sparse.bytes_per_kept_weight",
                 &bytes_,
                 nullptr,
                 nullptr,
                 nullptr,
                 nullptr};
    facts_[1] = {sizeof(adze_property),
                 ADZE_FLAG,
                 1,
                 "sparse.supported",
                 nullptr,
                 &supported,
                 nullptr,
                 nullptr,
                 nullptr};
  }
  const adze_target* get() const { return &target_; }
  std::int64_t supported = 1;

 private:
  double bytes_ = 1.5;
  adze_property facts_[2];
  const adze_property* pointers_[2] = {&facts_[0], &facts_[1]};
  adze_target target_{sizeof(adze_target), 2, "board", pointers_};
};

TEST(AllocationCosts, weights_count_those_of_the_targets) {
  const Model model;
  const Costs costs = Costs::of_weights(model.graph(), model.costed());
  const double none[] = {0, 0}, some[] = {0.5, 0.25};
  EXPECT_DOUBLE_EQ(costs.total(none), 128 + 256);
  EXPECT_DOUBLE_EQ(costs.total(some), 64 + 192);
  EXPECT_NEAR(costs.layer(0, 0.12345), 128 * (1 - 0.12345), 1e-9);
}

TEST(AllocationCosts, bytes_count_dense_layers_and_positions_only_where_they_pay) {
  const Model model;
  BoardType board;
  const Costs costs = Costs::of_bytes(model.graph(), board.get(), model.costed());
  EXPECT_DOUBLE_EQ(costs.fixed(), 64);  // the last layer, a byte a weight
  const double none[] = {0, 0}, little[] = {0.2, 0.2}, half[] = {0.5, 0.5};
  EXPECT_DOUBLE_EQ(costs.total(none), 64 + 128 + 256);
  EXPECT_DOUBLE_EQ(costs.total(little), 64 + 128 + 256);  // 1.5 * 0.8 > 1
  EXPECT_DOUBLE_EQ(costs.total(half), 64 + 96 + 192);
  board.supported = 0;
  EXPECT_DOUBLE_EQ(Costs::of_bytes(model.graph(), board.get(), model.costed()).total(half),
                   64 + 128 + 256);
  EXPECT_THAT([&] { Costs::of_bytes(model.graph(), nullptr, model.costed()); },
              Throws<adze::Error>(Property(&adze::Error::what, HasSubstr("board type"))));
}

TEST(AllocationCosts, latency_adds_up_to_the_whole_model) {
  Model model;
  const Costs costs = Costs::of_latency(model.call(), model.costed());
  const double none[] = {0, 0}, sparse[] = {0.9, 0.9};
  EXPECT_NEAR(costs.fixed(), 1.5, 1e-12);
  EXPECT_NEAR(costs.total(none), 4.5, 1e-12);
  EXPECT_NEAR(costs.total(sparse), 1.5 + 0.2 + 1.0 / 3, 1e-9);
}

std::vector<double> sparsities(Model& model, const Goal& goal, const AllocationOptions& options) {
  std::vector<double> found;
  Progress progress(model.call());
  for (const Goal& one : choose_goals(model.call(), model.layers(), goal, false, options, progress))
    found.push_back(one.sparsity);
  return found;
}

TEST(Allocation, uniform_by_weights_is_what_was_asked) {
  Model model;
  EXPECT_THAT(sparsities(model, {.sparsity = 0.7}, {.method = Method::uniform}),
              ::testing::ElementsAre(0.7, 0.7));
  EXPECT_EQ(model.logged, "");
}

TEST(AllocationCosts, what_earlier_stages_pruned_costs_nothing_any_more) {
  Model model;
  model.mask_first_layer(0.5);
  const Costs costs = Costs::of_weights(model.graph(), model.costed());
  EXPECT_EQ(costs.layer(0, 0.2), 64);
  EXPECT_EQ(costs.layer(0, 0.75), 32);
  EXPECT_EQ(costs.layer(1, 0), 256);
}

TEST(Allocation, a_rule_prunes_other_layers_less_where_earlier_stages_pruned_one) {
  Model model;
  model.mask_first_layer(0.9);
  AllocationOptions options{.method = Method::uniform, .unit = BudgetUnit::weights, .budget = 192};
  const std::vector<double> found = sparsities(model, {}, options);
  EXPECT_NEAR(found[1] * 256, 384 - 192 - 0.9 * 128, 1);
}

TEST(Allocation, a_fixed_pattern_leaves_no_choice) {
  Model model;
  const Goal goal = pruning::parse_goal(pruning::kNotSaid, "2:8");
  EXPECT_THAT(sparsities(model, goal, {}), ::testing::ElementsAre(0.75, 0.75));
}

TEST(Allocation, rules_keep_the_number_of_weights) {
  for (const Method method : {Method::erk, Method::global}) {
    Model model;
    const std::vector<double> found = sparsities(model, {.sparsity = 0.6}, {.method = method});
    const double zeros = found[0] * 128 + found[1] * 256;
    EXPECT_GE(zeros, 0.6 * 384 - 1e-9);
    EXPECT_LE(zeros, 0.6 * 384 + 1.5);
    EXPECT_LT(found[0], found[1]);  // the smaller layer, and the one with larger weights
    EXPECT_THAT(model.logged, HasSubstr("allocation:"));
  }
}

TEST(Allocation, a_latency_budget_is_met_and_one_out_of_reach_names_the_range) {
  Model model;
  AllocationOptions options{.method = Method::uniform, .unit = BudgetUnit::latency_ms, .budget = 3};
  // 1.5 + 3 kept <= 3
  EXPECT_THAT(sparsities(model, {}, options), ::testing::ElementsAre(0.5, 0.5));
  EXPECT_THAT(model.logged, HasSubstr("not verified on hardware"));
  options.budget = 1.6;
  EXPECT_THAT([&] { sparsities(model, {}, options); },
              Throws<adze::Error>(
                  Property(&adze::Error::what, AllOf(HasSubstr("1.6 ms"), HasSubstr("4.5 ms")))));
  options.budget = 100;
  EXPECT_THAT(sparsities(model, {}, options), ::testing::ElementsAre(0, 0));
  EXPECT_THAT(model.logged, HasSubstr("without pruning anything"));
}

TEST(Allocation, a_budget_in_latency_may_be_what_a_sparsity_would_give) {
  Model model;
  const std::vector<double> found = sparsities(
      model, {.sparsity = 0.8}, {.method = Method::global, .unit = BudgetUnit::latency_ms});
  const Costs costs = Costs::of_latency(model.call(), model.costed());
  const double same[] = {0.8, 0.8};
  EXPECT_LE(costs.total(found), costs.total(same) + 1e-12);
}

TEST(Allocation, by_error_without_a_calibration_set_says_so) {
  Model model;
  EXPECT_THAT([&] { sparsities(model, {.sparsity = 0.7}, {}); },
              Throws<adze::Error>(Property(&adze::Error::what, HasSubstr("adze.calibration/1"))));
}

}  // namespace
}  // namespace reconstruct
