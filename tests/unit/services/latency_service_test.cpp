#include "host/services/latency_service.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// As a newer plugin has it.
struct NewerQuestion {
  adze_what_if known;
  std::uint64_t appended;
};

class LatencyServiceTest : public testing::Test {
 protected:
  LatencyServiceTest() { call.offer(service); }
  const adze_latency& table() {
    return *static_cast<const adze_latency*>(
        call.get()->host->get_extension(call.get(), ADZE_LATENCY));
  }
  static adze_what_if question(std::uint32_t node, double sparsity = 0, std::uint32_t input = 0,
                               std::uint32_t output = 0) {
    return {sizeof(adze_what_if), node, sparsity, input, output};
  }
  adze_status ask(const adze_what_if& one) {
    double answer = 0;
    return table().ask(call.get(), &one, 1, &answer);
  }

  Graph graph = test::two_gemms();
  LatencyService service{graph, test::component("toy_backend"), {}};
  Call call{test::component("bad_edits"), {}, {}};
};

TEST_F(LatencyServiceTest, one_answer_a_question_from_the_backend) {
  EXPECT_EQ(table().source, static_cast<std::uint32_t>(ADZE_PREDICTED));
  const std::vector<adze_what_if> questions = {question(kNone), question(0), question(1, 0.5)};
  std::vector<double> answers(3);
  ASSERT_EQ(table().ask(call.get(), questions.data(), 3, answers.data()), ADZE_OK);
  EXPECT_THAT(answers, ElementsAre(10, 1, 0.75));
  EXPECT_EQ(table().ask(call.get(), nullptr, 0, nullptr), ADZE_OK);
}

TEST_F(LatencyServiceTest, larger_questions_of_newer_plugins_are_stepped_over) {
  std::vector<NewerQuestion> questions(2, {question(0, 1), 99});
  questions[1].known.sparsity = 0;
  for (NewerQuestion& one : questions) one.known.struct_size = sizeof(NewerQuestion);
  std::vector<double> answers(2);
  ASSERT_EQ(table().ask(call.get(), &questions[0].known, 2, answers.data()), ADZE_OK);
  EXPECT_THAT(answers, ElementsAre(0.5, 1));
}

TEST_F(LatencyServiceTest, refuses_what_makes_no_question) {
  EXPECT_EQ(ask(question(2)), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(ask(question(0, 1.5)), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(ask(question(0, -0.1)), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(ask(question(0, std::numeric_limits<double>::quiet_NaN())), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(ask(question(0, 0, 3, 0)), ADZE_INVALID_ARGUMENT);
  EXPECT_THAT(call.refusal(), HasSubstr("'first' (Gemm) has 2 input and 3 output channels"));
  EXPECT_EQ(ask(question(0, 0, 2, 3)), ADZE_OK);
  EXPECT_EQ(ask(question(kNone, 0.5)), ADZE_INVALID_ARGUMENT);
  adze_what_if unset = question(0);
  unset.struct_size = 0;
  EXPECT_EQ(ask(unset), ADZE_INVALID_ARGUMENT);
  unset.struct_size = sizeof(adze_what_if) + 1;
  EXPECT_EQ(ask(unset), ADZE_INVALID_ARGUMENT);
  const adze_what_if one = question(0);
  double answer = 0;
  EXPECT_EQ(table().ask(call.get(), nullptr, 1, &answer), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(table().ask(call.get(), &one, 1, nullptr), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(table().ask(call.get(), &one, ~std::uint64_t{0}, &answer), ADZE_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace adze::host
