#include "hil/session/validate.hpp"

#include <limits>

#include "tests/unit/agent/board_fixture.hpp"

namespace adze::hil::test {
namespace {

/// Rows of two numbers, labelled with the place of the larger one.
class Pairs : public host::Dataset {
 public:
  explicit Pairs(std::int64_t size) : size_(size) {}
  std::int64_t size() const override { return size_; }
  bool has_labels() const override { return true; }
  std::int64_t label(std::int64_t index) const override { return index % 2; }
  std::vector<host::Tensor> batch(std::span<const std::int64_t> indices) const override {
    std::vector<float> values;
    for (const std::int64_t i : indices) {
      const auto base = static_cast<float>(2 + i);
      values.push_back(base);
      values.push_back(i % 2 ? base + 1 : base - 1);
    }
    return {samples(values)};
  }

 private:
  std::int64_t size_;
};

/// Multiplies by a number; from sample `odd_from` on by its negative.
class Multiplier : public host::Runner {
 public:
  explicit Multiplier(float factor, int odd_from = std::numeric_limits<int>::max())
      : factor_(factor), odd_from_(odd_from) {}
  std::string name() const override { return "multiplier"; }
  std::vector<host::NamedTensor> run(std::span<const host::Tensor> inputs) override {
    host::Tensor out = inputs[0];
    int at = 0;
    for (float& v : out.mutate<float>()) v *= seen_ + at++ / 2 >= odd_from_ ? -factor_ : factor_;
    seen_ += at / 2;
    return {{"y", out}};
  }
  std::vector<host::ProfileRow> profile() override { return {}; }

 private:
  float factor_;
  int odd_from_, seen_ = 0;
};

class Validate : public testing::Test {
 protected:
  ValidateResult validate_against(Multiplier emulated, ValidateOptions options = {}) {
    options.model = "echo.onnx";
    options.metric = "top1";
    options.batch = 8;
    Multiplier fp32(2.001f);
    return validate(session_, bundle_, emulated, fp32, Pairs(50), options);
  }
  host::TemporaryDirectory directory_;
  LocalBoard board_{agent_options(directory_.path() / "root")};
  BoardSession session_{board_.connect()};
  std::vector<std::byte> bundle_ = echo_bundle("ok");
};

TEST_F(Validate, passes_when_the_board_does_what_the_emulation_does) {
  const ValidateResult result = validate_against(Multiplier(2));
  EXPECT_EQ(result.verdict, "PASS");
  EXPECT_TRUE(result.against_emulated.at(0).identical());
  EXPECT_FALSE(result.against_fp32.at(0).identical());
  EXPECT_EQ(result.metric_measured, 1.0);
  EXPECT_EQ(result.metric_emulated, 1.0);
  EXPECT_EQ(result.measured.statistics.n, 50u);
  EXPECT_TRUE(result.measured.conditions.simulated);
  EXPECT_EQ(result.bundle, id_of(bundle_));
}

TEST_F(Validate, fails_when_the_board_decides_otherwise_than_the_emulation) {
  const ValidateResult result = validate_against(Multiplier(2, /*odd_from=*/40));
  EXPECT_EQ(result.verdict, "FAIL");
  ASSERT_FALSE(result.reasons.empty());
  EXPECT_NEAR(result.against_emulated.at(0).top1_agreement.value(), 0.8, 1e-9);
  EXPECT_EQ(result.metric_measured, 1.0);
  EXPECT_NEAR(result.metric_emulated.value(), 0.8, 1e-9);
  EXPECT_EQ(validate_against(Multiplier(2, 40), {.min_agreement = 0.7}).verdict, "PASS");
}

TEST_F(Validate, fails_when_the_median_latency_is_above_what_is_allowed) {
  EXPECT_EQ(validate_against(Multiplier(2), {.max_latency_ms = 1e-9}).verdict, "FAIL");
  EXPECT_EQ(validate_against(Multiplier(2), {.max_latency_ms = 1e9}).verdict, "PASS");
}

TEST_F(Validate, runs_only_the_samples_that_were_asked_for) {
  const ValidateResult result = validate_against(Multiplier(2), {.samples = 10});
  EXPECT_EQ(result.samples, 10);
  EXPECT_EQ(result.measured.statistics.n, 10u);
}

TEST_F(Validate, a_crash_on_the_board_is_no_verdict) {
  bundle_ = echo_bundle("crash");
  EXPECT_EQ(failure_of([&] { validate_against(Multiplier(2)); }).exit, host::Exit::failed);
}

}  // namespace
}  // namespace adze::hil::test
