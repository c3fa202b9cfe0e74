// ConvInteger and QLinearConv, exactly: sums of integers, rounded once.
#include <algorithm>

#include "plugins/tensor_exec/memory.hpp"
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/direct_convolution.hpp"
#include "plugins/tensor_exec/operators/integers.hpp"

namespace adze::exec {
namespace {

/// Which inputs of the node are what; kNone: not there.
struct ConvInputs {
  static constexpr std::size_t kNone = ~std::size_t{0};
  std::size_t weights = 1, x_zero = 2, w_zero = 3, x_scale = kNone, w_scale = kNone,
              y_scale = kNone, y_zero = kNone, bias = kNone;
};

struct IntegerConv {
  ConvInputs inputs;
  DirectConvolution convolution;
  DType x_type = DType::u8, w_type = DType::u8, y_type = DType::i32;
  std::int64_t x_count = 0, w_count = 0;
  ParameterList w_zeros, w_scales;
  Rounding rounding = Rounding::half_even;
  std::size_t x_bytes = 0, w_bytes = 0;  ///< of the widened integers in the scratch memory
};

bool is_given(const Site& site, std::size_t input) {
  return input != ConvInputs::kNone && site.has_input(input);
}

IntegerConv integer_conv(const Site& site) {
  IntegerConv problem;
  if (site.node.op == "QLinearConv")
    problem.inputs = {.weights = 3,
                      .x_zero = 2,
                      .w_zero = 5,
                      .x_scale = 1,
                      .w_scale = 4,
                      .y_scale = 6,
                      .y_zero = 7,
                      .bias = 8};
  const ConvInputs& inputs = problem.inputs;
  problem.convolution = direct_convolution(site, inputs.weights);
  const DirectConvolution& convolution = problem.convolution;
  expect_bytes(site, site.input(0));
  expect_bytes(site, site.input(inputs.weights));
  problem.x_type = site.type(site.input(0));
  problem.w_type = site.type(site.input(inputs.weights));
  problem.y_type = site.type(site.output);
  problem.x_count = element_count(site.shape(site.input(0)));
  problem.w_count = element_count(site.shape(site.input(inputs.weights)));
  problem.rounding = site.program.rounding;
  problem.x_bytes = aligned(static_cast<std::size_t>(problem.x_count) * sizeof(std::uint32_t));
  problem.w_bytes = aligned(static_cast<std::size_t>(problem.w_count) * sizeof(std::uint32_t));
  expect_type(site, inputs.x_zero, problem.x_type);
  expect_type(site, inputs.w_zero, problem.w_type);
  if (is_given(site, inputs.x_zero)) is_by_channel(site, inputs.x_zero, 1);
  const ParameterList by_channel{
      std::max<std::int64_t>(convolution.out_channels, 1),
      std::max<std::int64_t>(convolution.in_channels / convolution.groups * convolution.taps(), 1)};
  if (is_given(site, inputs.w_zero) && is_by_channel(site, inputs.w_zero, convolution.out_channels))
    problem.w_zeros = by_channel;
  if (inputs.w_scale == ConvInputs::kNone) {
    if (problem.y_type != DType::i32) site.malformed("its output is no int32");
    return problem;
  }
  expect_bytes(site, site.output);
  if (is_by_channel(site, inputs.w_scale, convolution.out_channels)) problem.w_scales = by_channel;
  for (const std::size_t scale : {inputs.x_scale, inputs.w_scale, inputs.y_scale})
    if (site.type(site.input(scale)) != DType::f32) site.malformed("a scale is no float32");
  is_by_channel(site, inputs.x_scale, 1);
  is_by_channel(site, inputs.y_scale, 1);
  is_by_channel(site, inputs.y_zero, 1);
  expect_type(site, inputs.y_zero, problem.y_type);
  expect_type(site, inputs.bias, DType::i32);
  if (is_given(site, inputs.bias) &&
      site.shape(site.input(inputs.bias)) != Shape{convolution.out_channels})
    site.malformed("the bias is not one value an output channel");
  return problem;
}

class IntegerConvKernel final : public Kernel {
 public:
  /// `places`: of each input of the node among the step's.
  IntegerConvKernel(const IntegerConv& problem, std::vector<std::size_t> places)
      : problem_(problem), places_(std::move(places)) {}

  void run(const Run& run) const override {
    const IntegerConv& p = problem_;
    auto* x = reinterpret_cast<std::uint32_t*>(run.scratch);
    auto* weights = reinterpret_cast<std::uint32_t*>(run.scratch + p.x_bytes);
    auto* sums = reinterpret_cast<std::uint32_t*>(run.scratch + p.x_bytes + p.w_bytes);
    subtract_zero_points(p.x_type, run.inputs[0], p.x_count, input(run, p.inputs.x_zero), {}, x);
    subtract_zero_points(p.w_type, input(run, p.inputs.weights), p.w_count,
                         input(run, p.inputs.w_zero), p.w_zeros, weights);
    const std::int64_t channels = p.convolution.out_channels,
                       pixels = p.convolution.result_pixels();
    const auto* bias = reinterpret_cast<const std::int32_t*>(input(run, p.inputs.bias));
    parallel_for(
        run.threads, p.convolution.batch * channels, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) {
            std::uint32_t* to = sums + i * pixels;
            std::fill(to, to + pixels, bias ? static_cast<std::uint32_t>(bias[i % channels]) : 0u);
            p.convolution.add_channel(x, weights, i / channels, i % channels, to);
            finish(run, i * pixels, pixels, i % channels, to);
          }
        });
  }

 private:
  const std::byte* input(const Run& run, std::size_t of_node) const {
    if (of_node >= places_.size() || places_[of_node] == ConvInputs::kNone) return nullptr;
    return run.inputs[places_[of_node]];
  }

  void finish(const Run& run, std::int64_t first, std::int64_t count, std::int64_t channel,
              const std::uint32_t* sums) const {
    const IntegerConv& p = problem_;
    if (p.inputs.y_scale == ConvInputs::kNone) {
      std::copy(sums, sums + count, reinterpret_cast<std::uint32_t*>(run.outputs[0]) + first);
      return;
    }
    const auto scale = [&](std::size_t of_node, std::int64_t index) {
      return reinterpret_cast<const float*>(input(run, of_node))[index];
    };
    const float factor = scale(p.inputs.x_scale, 0) *
                         scale(p.inputs.w_scale, p.w_scales.count == 1 ? 0 : channel) /
                         scale(p.inputs.y_scale, 0);
    const std::int64_t zero = integer_at(p.y_type, input(run, p.inputs.y_zero), 0);
    for (std::int64_t i = 0; i < count; ++i)
      store_rounded(p.y_type, static_cast<float>(static_cast<std::int32_t>(sums[i])) * factor, zero,
                    p.rounding, first + i, run.outputs[0]);
  }

  IntegerConv problem_;
  std::vector<std::size_t> places_;
};

}  // namespace

void check_integer_conv(const Site& site) { integer_conv(site); }

Planned plan_integer_conv(const Site& site) {
  const IntegerConv problem = integer_conv(site);
  Planned planned;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < site.node.inputs.size(); ++i) {
    places.push_back(site.has_input(i) ? planned.inputs.size() : ConvInputs::kNone);
    if (site.has_input(i)) planned.inputs.push_back({site.input(i), site.own_form(site.input(i))});
  }
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.scratch_bytes =
      problem.x_bytes + problem.w_bytes +
      static_cast<std::size_t>(element_count(site.output_shape())) * sizeof(std::uint32_t);
  planned.kernel = std::make_unique<IntegerConvKernel>(problem, std::move(places));
  return planned;
}

}  // namespace adze::exec
