#include "host/services/evaluate_service.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/bad_plugins/graphs.hpp"
#include "tests/unit/services/samples.hpp"

namespace adze::host {
namespace {

using testing::HasSubstr;

/// Row i of the output: a * x and b * x of sample [x, -x], with a and b the first two weights.
class TwoProducts : public Runner {
 public:
  TwoProducts(const Graph& graph, std::int64_t& runs)
      : weights_(to_f32(*graph.value(1).constant)), runs_(runs) {}
  std::string name() const override { return "two products"; }
  std::vector<ProfileRow> profile() override { return {}; }
  std::vector<NamedTensor> run(std::span<const Tensor> inputs) override {
    ++runs_;
    std::vector<float> elements;
    const auto samples = inputs[0].as<float>();
    for (std::size_t i = 0; i < samples.size(); i += 2)
      for (const std::size_t at : {0u, 1u}) elements.push_back(weights_[at] * (samples[i] + 1));
    return {{"output", Tensor(DType::f32, inputs[0].shape(), std::span<const float>(elements))}};
  }

 private:
  std::vector<float> weights_;
  std::int64_t& runs_;
};

class EvaluateServiceTest : public testing::Test {
 protected:
  EvaluateServiceTest() {
    call.offer(service);
    call.accept(edits);
  }
  const adze_evaluate& table() {
    return *static_cast<const adze_evaluate*>(
        call.get()->host->get_extension(call.get(), ADZE_EVALUATE));
  }
  double score(std::uint32_t kind, std::uint32_t most = 0) {
    double found = std::nan("");
    EXPECT_EQ(table().score(call.get(), kind, most, &found), ADZE_OK) << call.refusal();
    return found;
  }
  void set_weights(float a, float b) {
    edits.set_constant(1, Tensor(DType::f32, {3, 2},
                                 std::span<const float>(std::vector<float>{a, b, 3, 4, 5, 6})));
  }
  EvaluateService::Compile compile = [this](const Graph& compiled, std::uint32_t batch) {
    ++compiles;
    EXPECT_LE(batch, 64u);
    return std::make_unique<TwoProducts>(compiled, runs);
  };

  std::int64_t runs = 0, compiles = 0;
  test::Numbers samples{150, true};
  Graph graph = test::two_gemms();  // the first weights are 1 and 2
  EvaluateService service{graph, samples, "top1", compile};
  EditList edits{graph, {0}};
  Call call{test::component("bad_edits"), {}, {}};
};

TEST_F(EvaluateServiceTest, without_edits_nothing_differs) {
  EXPECT_EQ(table().sample_count, 150u);
  EXPECT_EQ(score(ADZE_SCORE_SQNR_DB), 200);
  EXPECT_EQ(compiles, 0);
  set_weights(1, 2);
  EXPECT_EQ(score(ADZE_SCORE_SQNR_DB), 200) << "an edit that changes nothing";
}

TEST_F(EvaluateServiceTest, the_sqnr_is_that_of_the_outputs_with_the_edits_made_so_far) {
  const std::uint64_t mark = edits.mark();
  set_weights(1.1f, 2);  // noise 0.01, signal 1 + 4
  EXPECT_NEAR(score(ADZE_SCORE_SQNR_DB), 10 * std::log10(500), 1e-4);
  EXPECT_NEAR(score(ADZE_SCORE_SQNR_DB, 100), 10 * std::log10(500), 1e-4);
  edits.rewind(mark);
  set_weights(0, 0);
  EXPECT_NEAR(score(ADZE_SCORE_SQNR_DB), 0, 1e-9);
}

TEST_F(EvaluateServiceTest, the_shown_graph_runs_once_however_often_scores_are_asked_for) {
  set_weights(2, 2);
  score(ADZE_SCORE_SQNR_DB);
  const std::int64_t both = runs;
  EXPECT_EQ(both, 6) << "three batches of each";
  score(ADZE_SCORE_SQNR_DB);
  EXPECT_EQ(runs, both + 3);
}

TEST_F(EvaluateServiceTest, the_task_score_is_the_metric_on_the_labels) {
  EXPECT_EQ(score(ADZE_SCORE_TASK), 0.5) << "class 1 always, half the labels";
  set_weights(2, 1);
  EXPECT_EQ(score(ADZE_SCORE_TASK, 1), 1) << "sample 0 is of class 0";
}

TEST_F(EvaluateServiceTest, says_what_it_cannot_tell) {
  double found = 7;
  EXPECT_EQ(table().score(call.get(), 3, 0, &found), ADZE_UNIMPLEMENTED);
  EXPECT_EQ(table().score(call.get(), ADZE_SCORE_TASK, 0, nullptr), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(found, 7);
  const test::Numbers unlabeled(10, false);
  EvaluateService plain(graph, unlabeled, "", compile);
  try {
    plain.score(edits, ADZE_SCORE_TASK, 0);
    FAIL() << "a score";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_NOT_FOUND);
    EXPECT_THAT(error.what(), HasSubstr("give labels in [calibration]"));
  }
}

TEST_F(EvaluateServiceTest, an_output_that_is_no_number_is_an_error_and_no_score) {
  double found = 7;
  set_weights(std::numeric_limits<float>::max(), 2);
  EXPECT_EQ(table().score(call.get(), ADZE_SCORE_SQNR_DB, 0, &found), ADZE_DATA_LOSS);
  EXPECT_THAT(call.refusal(), HasSubstr("output 'output' is inf with the edits"));
}

}  // namespace
}  // namespace adze::host
