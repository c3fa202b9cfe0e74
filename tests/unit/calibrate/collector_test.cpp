#include "host/calibrate/collector.hpp"

#include <cmath>

#include "host/base/error.hpp"
#include "tests/unit/calibrate/graphs.hpp"

namespace adze::host {
namespace {

// x [n, 2] -> MatMul w [2, 2] -> h -> Scale s -> y. The runner below computes just this.
Graph chain() {
  Graph graph;
  const std::vector<float> w{1, 2, 3, 4}, s{10};
  graph.values = {
      {.name = "x", .shape = Shape{1, 2}, .batch_axis = 0, .consumers = {0}},
      {.name = "w",
       .shape = Shape{2, 2},
       .constant = Tensor(DType::f32, {2, 2}, std::span(w)),
       .consumers = {0}},
      {.name = "h", .shape = Shape{1, 2}, .batch_axis = 0, .producer = 0, .consumers = {1}},
      {.name = "s",
       .shape = Shape{1},
       .constant = Tensor(DType::f32, {1}, std::span(s)),
       .consumers = {1}},
      {.name = "y", .shape = Shape{1, 2}, .batch_axis = 0, .producer = 1}};
  graph.nodes = {{.op = "MatMul", .name = "first", .inputs = {0, 1}, .outputs = {2}},
                 {.op = "Mul", .name = "second", .inputs = {2, 3}, .outputs = {4}}};
  graph.inputs = {0};
  graph.outputs = {4};
  return graph;
}

struct Log {
  int compiles = 0, samples = 0;
  std::vector<std::string> extra;
  std::vector<std::int64_t> batches;
};

class ChainRunner : public Runner {
 public:
  ChainRunner(const Graph& graph, std::vector<std::string> extra, Log& log)
      : w_(to_f32(*graph.values[1].constant)),
        s_(to_f32(*graph.values[3].constant)[0]),
        extra_(std::move(extra)),
        log_(log) {}
  std::string name() const override { return "chain:c"; }
  std::vector<ProfileRow> profile() override { return {}; }
  std::vector<NamedTensor> run(std::span<const Tensor> inputs) override {
    const auto x = inputs[0].as<float>();
    std::vector<float> h(x.size()), y(x.size());
    for (std::size_t i = 0; i < x.size(); i += 2)
      for (std::size_t j = 0; j < 2; ++j) {
        h[i + j] = x[i] * w_[j] + x[i + 1] * w_[2 + j];
        y[i + j] = h[i + j] * s_;
      }
    log_.samples += static_cast<int>(x.size() / 2);
    log_.batches.push_back(inputs[0].shape()[0]);
    const auto tensor = [&](const std::vector<float>& of) {
      return Tensor(DType::f32, inputs[0].shape(), std::span(of));
    };
    std::vector<NamedTensor> outputs{{"y", tensor(y)}};
    for (const std::string& name : extra_)
      if (name == "h") outputs.push_back({"h", tensor(h)});
    return outputs;
  }

 private:
  std::vector<float> w_;
  float s_;
  std::vector<std::string> extra_;
  Log& log_;
};

// Sample i is (i, 1).
class CountingDataset : public Dataset {
 public:
  explicit CountingDataset(std::int64_t size) : size_(size) {}
  std::int64_t size() const override { return size_; }
  bool has_labels() const override { return false; }
  std::int64_t label(std::int64_t) const override { return 0; }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    std::vector<float> x;
    for (const std::int64_t index : indices) {
      x.push_back(index == poison ? NAN : static_cast<float>(index));
      x.push_back(1);
    }
    return {Tensor(DType::f32, {static_cast<std::int64_t>(indices.size()), 2},
                   std::span<const float>(x))};
  }
  std::int64_t poison = -1;

 private:
  std::int64_t size_;
};

constexpr std::uint32_t kX = 0, kWeight = 1, kH = 2, kY = 4;

adze_stat_request request_of(std::uint32_t kind, std::uint32_t node, std::uint32_t value,
                             std::uint64_t bins = 0, std::uint32_t state = ADZE_STATE_SHOWN) {
  return {.struct_size = sizeof(adze_stat_request),
          .kind = kind,
          .node = node,
          .value = value,
          .state = state,
          .value_state = state,
          .first = 0,
          .count = 0,
          .bins = bins};
}

class CollectorTest : public testing::Test {
 protected:
  std::vector<Statistic> collect(const std::vector<adze_stat_request>& requests,
                                 const EditList* edits = nullptr, std::uint64_t held = 0) {
    return collector_.collect(requests, edits, held);
  }
  adze_status code_of(const adze_stat_request& request, const EditList* edits = nullptr,
                      std::uint64_t held = 0) {
    try {
      collect({request}, edits, held);
    } catch (const Error& error) {
      text_ = error.what();
      return error.code;
    }
    return ADZE_OK;
  }
  static std::vector<std::int64_t> indices() {
    std::vector<std::int64_t> all(150);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
    return all;
  }

  Graph graph_ = chain();
  CountingDataset data_{150};
  Log log_;
  std::string text_;
  bool stop_ = false;
  Collector collector_{graph_,
                       data_,
                       indices(),
                       [this](const Graph& graph, const std::vector<std::string>& extra,
                              std::uint32_t) -> std::unique_ptr<Runner> {
                         ++log_.compiles;
                         log_.extra = extra;
                         return std::make_unique<ChainRunner>(graph, extra, log_);
                       },
                       2,
                       [this](double, const std::string&) { return stop_; }};
};

TEST_F(CollectorTest, answers_many_requests_with_one_compile_and_one_pass) {
  const auto found =
      collect({request_of(ADZE_STAT_GRAM, 0, kNone), request_of(ADZE_STAT_CHANNELS, kNone, kH),
               request_of(ADZE_STAT_HISTOGRAM, kNone, kY), request_of(ADZE_STAT_SAMPLES, kNone, kX),
               request_of(ADZE_STAT_CROSS, 0, kH)});
  EXPECT_EQ(log_.compiles, 1);
  EXPECT_EQ(log_.samples, 150);
  EXPECT_EQ(log_.extra, std::vector<std::string>{"h"});  // x is given, y is an output
  const double mean = 149 / 2.0, square = 149 * 299 / 6.0;
  const auto gram = found[0].data->as<double>();
  EXPECT_NEAR(gram[0], square, 1e-2);
  EXPECT_NEAR(gram[2], mean, 1e-5);
  EXPECT_EQ(gram[8], 1);
  EXPECT_NEAR(found[1].data->as<double>()[2], mean + 3, 1e-6);  // h0 = x0 + 3
  EXPECT_EQ(found[2].range.high, 10 * (2 * 149 + 4));
  EXPECT_EQ(found[3].data->shape(), (Shape{150, 2}));
  EXPECT_NEAR(found[4].data->as<double>()[2], mean + 3, 1e-5);  // mean of h0 times the bias row
}

TEST_F(CollectorTest, needs_neither_compiler_nor_run_for_the_models_input) {
  const auto found = collect({request_of(ADZE_STAT_HISTOGRAM, kNone, kX)});
  EXPECT_EQ(found[0].range.high, 149);
  EXPECT_EQ(log_.compiles, 0);
}

TEST_F(CollectorTest, finds_the_range_of_a_histogram_in_a_pass_ahead_unless_it_is_known) {
  const auto first = collect({request_of(ADZE_STAT_HISTOGRAM, kNone, kH, 4)});
  EXPECT_EQ(log_.samples, 300);
  EXPECT_EQ(first[0].range.low, 3);
  EXPECT_EQ(first[0].range.high, 302);
  const auto counts = first[0].data->as<double>();
  EXPECT_EQ(counts[0] + counts[1] + counts[2] + counts[3], 300);
  const auto again = collect({request_of(ADZE_STAT_HISTOGRAM, kNone, kH, 8)});
  EXPECT_EQ(log_.samples, 450);
  EXPECT_EQ(again[0].data->shape(), Shape{8});
  EXPECT_EQ(log_.compiles, 1);
}

TEST_F(CollectorTest, takes_only_the_samples_asked_for) {
  adze_stat_request request = request_of(ADZE_STAT_HISTOGRAM, kNone, kX);
  request.first = 70;
  request.count = 3;
  adze_stat_request rest = request_of(ADZE_STAT_HISTOGRAM, kNone, kX);
  rest.first = 100;
  const auto found = collect({request, rest});
  EXPECT_EQ(found[0].terms, 6);
  EXPECT_EQ(found[0].range.high, 72);
  EXPECT_EQ(found[1].terms, 100);
  EXPECT_EQ(found[1].range.high, 149);
}

TEST_F(CollectorTest, runs_the_edited_model_and_compiles_it_once_a_change) {
  EditList edits(graph_, {0});
  const auto edited = request_of(ADZE_STAT_HISTOGRAM, kNone, kH, 0, ADZE_STATE_EDITED);
  EXPECT_EQ(collect({edited}, &edits)[0].range.high, 302);  // nothing is edited yet
  const std::uint64_t mark = edits.mark();
  const std::vector<std::uint8_t> keep{1, 0, 1, 0};
  edits.set_mask(kWeight, keep);
  EXPECT_EQ(collect({edited}, &edits)[0].range.high, 152);
  EXPECT_EQ(log_.compiles, 2);
  collect({request_of(ADZE_STAT_CHANNELS, kNone, kH, 0, ADZE_STATE_EDITED)}, &edits);
  EXPECT_EQ(log_.compiles, 2);
  EXPECT_EQ(collect({request_of(ADZE_STAT_HISTOGRAM, kNone, kH)}, &edits)[0].range.high, 302);

  // As many edits as before, but others.
  edits.rewind(mark);
  const std::vector<std::uint8_t> other{0, 1, 0, 1};
  edits.set_mask(kWeight, other);
  const auto found =
      collect({edited, request_of(ADZE_STAT_CHANNELS, kNone, kH, 0, ADZE_STATE_EDITED)}, &edits);
  EXPECT_EQ(log_.compiles, 3);
  EXPECT_EQ(found[1].data->as<double>()[1], 0);
}

TEST_F(CollectorTest, crosses_the_two_states) {
  EditList edits(graph_, {0});
  edits.set_mask(kWeight, std::vector<std::uint8_t>{1, 0, 1, 0});
  adze_stat_request request = request_of(ADZE_STAT_CROSS, 0, kH);
  request.value_state = ADZE_STATE_EDITED;
  const auto found = collect({request}, &edits);
  const auto cross = found[0].data->as<double>();
  EXPECT_GT(cross[0], 0);
  EXPECT_EQ(cross[3], 0);  // the edited h1
  EXPECT_EQ(log_.compiles, 1);
}

TEST_F(CollectorTest, names_the_first_node_that_gives_nan) {
  data_.poison = 120;
  adze_stat_request both = request_of(ADZE_STAT_HISTOGRAM, kNone, kY);
  EXPECT_EQ(code_of(both), ADZE_DATA_LOSS);
  EXPECT_THAT(text_, testing::HasSubstr("node 'second' (Mul)"));
  try {
    collect({both, request_of(ADZE_STAT_HISTOGRAM, kNone, kH)});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("node 'first' (MatMul)"));
  }
  EXPECT_EQ(code_of(request_of(ADZE_STAT_HISTOGRAM, kNone, kX)), ADZE_DATA_LOSS);
  EXPECT_THAT(text_, testing::HasSubstr("input 'x'"));
  both.count = 100;
  EXPECT_EQ(code_of(both), ADZE_OK);
}

TEST_F(CollectorTest, refuses_requests_that_make_no_sense) {
  EXPECT_EQ(code_of(request_of(6, 0, kH)), ADZE_UNIMPLEMENTED);
  EXPECT_EQ(code_of(request_of(ADZE_STAT_CHANNELS, kNone, kH, 0, 2)), ADZE_UNIMPLEMENTED);
  EXPECT_EQ(code_of(request_of(ADZE_STAT_CHANNELS, kNone, 99)), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code_of(request_of(ADZE_STAT_CHANNELS, kNone, kNone)), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code_of(request_of(ADZE_STAT_CHANNELS, kNone, kWeight)), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code_of(request_of(ADZE_STAT_GRAM, 99, kNone)), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code_of(request_of(ADZE_STAT_GRAM, 1, kNone)), ADZE_INVALID_ARGUMENT);
  EXPECT_THAT(text_, testing::HasSubstr("'second'"));
  EXPECT_EQ(code_of(request_of(ADZE_STAT_HISTOGRAM, kNone, kH, 1ull << 40)),
            ADZE_RESOURCE_EXHAUSTED);
  EXPECT_EQ(code_of(request_of(ADZE_STAT_GRAM, 0, kNone), nullptr, 2ull << 30),
            ADZE_RESOURCE_EXHAUSTED);
  adze_stat_request beyond = request_of(ADZE_STAT_CHANNELS, kNone, kH);
  beyond.first = 149;
  beyond.count = 2;
  EXPECT_EQ(code_of(beyond), ADZE_OUT_OF_RANGE);
  beyond.first = 150;
  beyond.count = 0;
  EXPECT_EQ(code_of(beyond), ADZE_OUT_OF_RANGE);
  EXPECT_EQ(log_.compiles, 0);
}

TEST_F(CollectorTest, stops_when_the_user_says_so) {
  stop_ = true;
  EXPECT_EQ(code_of(request_of(ADZE_STAT_CHANNELS, kNone, kH)), ADZE_CANCELLED);
}

TEST_F(CollectorTest, takes_one_sample_at_a_time_when_a_value_has_no_batch_axis) {
  graph_.values[kH].batch_axis = -1;
  const auto found = collect({request_of(ADZE_STAT_SAMPLES, kNone, kH)});
  EXPECT_THAT(log_.batches, testing::Each(1));
  EXPECT_EQ(found[0].data->shape(), (Shape{150, 1, 2}));
}

}  // namespace
}  // namespace adze::host
