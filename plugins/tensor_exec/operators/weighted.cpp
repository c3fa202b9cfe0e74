#include "plugins/tensor_exec/operators/weighted.hpp"

#include <map>

#include "plugins/tensor_exec/avx2.hpp"
#include "plugins/tensor_exec/chain.hpp"
#include "plugins/tensor_exec/integer_convolution.hpp"

namespace adze::exec {
namespace {

std::unique_ptr<DnnlConvolution> dnnl_convolution(const Geometry& geometry,
                                                  const FloatConvolution& problem) {
  return std::make_unique<DnnlConvolution>(geometry, DnnlConvolution::Type::floats,
                                           std::as_bytes(std::span(problem.weights)), problem.bias,
                                           problem.clamp, problem.with_addend);
}

class FloatConvolutionKernel final : public Kernel {
 public:
  explicit FloatConvolutionKernel(const FloatConvolution& problem)
      : convolution_(dnnl_convolution(problem.geometry, problem)),
        has_addend_(problem.with_addend),
        chain_(problem.chain),
        count_(problem.geometry.batch * problem.geometry.out_pixels() *
               problem.geometry.out_channels) {}
  std::size_t scratch_bytes() const { return convolution_->scratch_bytes(); }

  void run(const Run& run) const override {
    convolution_->run(run.inputs[0], run.outputs[0], run.scratch,
                      has_addend_ ? run.inputs[1] : nullptr);
    if (!chain_) return;
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      chain_->apply(dst + begin, dst + begin, end - begin);
    });
  }

 private:
  std::unique_ptr<DnnlConvolution> convolution_;
  bool has_addend_;
  std::shared_ptr<const Chain> chain_;
  std::int64_t count_;
};

/// A convolution by oneDNN, some rows of the image at a time: they are shared among our own
/// threads.
class RowwiseConvolutionKernel final : public Kernel {
 public:
  /// Parts of an image; 0: this is no layer for it. oneDNN is ahead of our matrix product where
  /// writing the pixels side by side costs much: 1x1 convolutions of large images, whose sums are
  /// short, and the few channels of a first layer.
  static std::int64_t parts_of(const Geometry& g) {
    constexpr std::int64_t kFewChannels = 4;
    const bool one_pixel = g.kernel_height == 1 && g.kernel_width == 1 && g.stride_height == 1 &&
                           g.stride_width == 1 && !g.has_padding();
    if (widest_vectors() != Vectors::avx2 || g.groups != 1 || g.out_height < 28 ||
        (!one_pixel && g.in_channels > kFewChannels))
      return 0;
    const std::int64_t parts = g.out_height % 8 == 0 ? 8 : g.out_height % 4 == 0 ? 4 : 0;
    // A call of oneDNN takes some microseconds before it computes.
    constexpr std::int64_t kFewestProducts = 500'000;
    if (g.out_pixels() * g.out_channels * g.depth() < parts * kFewestProducts) return 0;
    // Parts within the padding alone would see no row of the image.
    const bool sees_rows = g.out_height / std::max<std::int64_t>(parts, 1) * g.stride_height >
                           std::max(g.pad_top, g.pad_bottom);
    return sees_rows ? parts : 0;
  }

  explicit RowwiseConvolutionKernel(const FloatConvolution& problem)
      : batch_(problem.geometry.batch), has_addend_(problem.with_addend), chain_(problem.chain) {
    const Geometry& g = problem.geometry;
    in_bytes_ = static_cast<std::size_t>(g.in_pixels() * g.in_channels) * sizeof(float);
    out_bytes_ = static_cast<std::size_t>(g.out_pixels() * g.out_channels) * sizeof(float);
    const ThreadCount one(1);
    const std::int64_t parts = parts_of(g), rows = g.out_height / parts;
    for (std::int64_t i = 0; i < parts; ++i) {
      const std::int64_t first = i * rows * g.stride_height - g.pad_top;
      const std::int64_t end =
          first + (rows - 1) * g.stride_height + (g.kernel_height - 1) * g.dilation_height + 1;
      Geometry part = g;
      part.batch = 1;
      part.out_height = rows;
      part.pad_top = std::max<std::int64_t>(-first, 0);
      part.pad_bottom = std::max<std::int64_t>(end - g.in_height, 0);
      part.in_height = end - first - part.pad_top - part.pad_bottom;
      auto& convolution = convolutions_[{part.pad_top, part.pad_bottom}];
      if (!convolution) convolution = dnnl_convolution(part, problem);
      const auto in_row = static_cast<std::size_t>(g.in_width * g.in_channels) * sizeof(float);
      parts_.push_back(
          {convolution.get(), static_cast<std::size_t>(first + part.pad_top) * in_row,
           static_cast<std::size_t>(i) * out_bytes_ / static_cast<std::size_t>(parts)});
    }
  }

  void run(const Run& run) const override {
    const ThreadCount one(1);
    const auto parts = static_cast<std::int64_t>(parts_.size());
    for_chunks(run.threads, batch_ * parts, [&](std::int64_t chunk) {
      const Part& part = parts_[static_cast<std::size_t>(chunk % parts)];
      const auto image = static_cast<std::size_t>(chunk / parts);
      const std::size_t out = image * out_bytes_ + part.out_offset;
      part.convolution->run(run.inputs[0] + image * in_bytes_ + part.in_offset,
                            run.outputs[0] + out, thread_scratch(part.convolution->scratch_bytes()),
                            has_addend_ ? run.inputs[1] + out : nullptr);
      if (!chain_) return;
      auto* dst = reinterpret_cast<float*>(run.outputs[0] + out);
      chain_->apply(dst, dst,
                    static_cast<std::int64_t>(out_bytes_ / sizeof(float) / parts_.size()));
    });
  }

 private:
  struct Part {
    const DnnlConvolution* convolution;
    std::size_t in_offset, out_offset;  ///< in bytes, within an image
  };

  std::int64_t batch_;
  bool has_addend_;
  std::shared_ptr<const Chain> chain_;
  std::size_t in_bytes_ = 0, out_bytes_ = 0;  ///< of one image
  std::vector<Part> parts_;
  /// By the rows of padding above and below: all parts but the first and last are alike.
  std::map<std::pair<std::int64_t, std::int64_t>, std::unique_ptr<DnnlConvolution>> convolutions_;
};

template <class T>
std::vector<T> in_channel_order(const WeightedLayer& layer, std::vector<T> stored) {
  if (layer.depth_stride == 1 && layer.output_stride == layer.geometry.depth()) return stored;
  std::vector<T> ordered;
  ordered.reserve(stored.size());
  for (std::int64_t o = 0; o < layer.geometry.out_channels; ++o)
    for (std::int64_t i = 0; i < layer.geometry.depth(); ++i)
      ordered.push_back(
          stored[static_cast<std::size_t>(o * layer.output_stride + i * layer.depth_stride)]);
  return ordered;
}

/// One value an output channel; a single one counts for all.
std::vector<float> bias_of(const Site& site, const WeightedLayer& layer) {
  const auto channels = static_cast<std::size_t>(layer.geometry.out_channels);
  if (layer.bias == ADZE_NONE) return std::vector<float>(channels, 0.0f);
  std::vector<float> bias = site.program.floats(layer.bias);
  if (bias.size() == 1) bias.resize(channels, bias.front());
  if (bias.size() != channels) site.refuse("the bias is not one value an output channel");
  for (float& value : bias) value *= layer.bias_factor;
  return bias;
}

IntegerConvolution integer_problem(const Site& site, const WeightedLayer& layer) {
  const Quantization& quantization = *site.value(layer.weights).quantization;
  const auto channels = static_cast<std::size_t>(layer.geometry.out_channels);
  IntegerConvolution problem;
  problem.geometry = layer.geometry;
  problem.input = *site.quant8(layer.input);
  problem.output = site.quant8(site.chain ? site.chain->source() : site.output);
  if (site.chain)
    problem.lookup = std::make_shared<const Lookup>(
        site.chain->table(problem.output.value(), site.quant8(site.output).value()));
  problem.clamp = site.clamp;
  problem.rounding = site.program.rounding;

  problem.weights = in_channel_order(layer, site.program.small_integers(layer.weights));
  const std::size_t depth = static_cast<std::size_t>(layer.geometry.depth());
  const std::vector<float> bias = bias_of(site, layer);
  for (std::size_t o = 0; o < channels; ++o) {
    if (std::isnan(bias[o])) site.malformed("its bias holds a NaN, which no integer stands for");
    const std::size_t at = quantization.scale.size() == 1 ? 0 : o;
    for (std::size_t i = 0; i < depth; ++i)
      problem.weights[o * depth + i] =
          static_cast<std::int16_t>(problem.weights[o * depth + i] - quantization.zero_point[at]);
    problem.weight_scales.push_back(quantization.scale[at]);
    problem.bias.push_back(quantize_bias(bias[o], problem.input.scale * quantization.scale[at]));
  }
  return problem;
}

}  // namespace

bool runs_as_integers(const Program& program, std::uint32_t input, std::uint32_t weights,
                      std::int32_t output_axis) {
  const auto& quantization = program.values[weights].quantization;
  return quant8_of(program.values[input]) && quantization && quantization->bits <= 8 &&
         (quantization->axis < 0 || quantization->axis == output_axis);
}

Planned plan_weighted(const Site& site, const WeightedLayer& layer) {
  Planned planned;
  const Layout in = site.normal_layout(layer.input, layer.layout);
  const Layout out = site.normal_layout(site.output, layer.layout);
  if (layer.weight_factor == 1 &&
      runs_as_integers(site.program, layer.input, layer.weights, layer.output_axis)) {
    const IntegerConvolution problem = integer_problem(site, layer);
    planned.inputs = {{layer.input, {Storage::u8, in}}};
    planned.outputs = {{site.output, {problem.output ? Storage::u8 : Storage::f32, out}}};
    planned.kernel = make_integer_convolution(problem, site.options.path, planned.scratch_bytes);
    return planned;
  }
  std::vector<float> weights = in_channel_order(layer, site.program.floats(layer.weights));
  for (float& weight : weights) weight *= layer.weight_factor;
  const FloatConvolution problem{layer.geometry, std::move(weights),       bias_of(site, layer),
                                 site.clamp,     site.addend != ADZE_NONE, site.chain};
  planned.inputs = {{layer.input, {Storage::f32, in}}};
  if (problem.with_addend) planned.inputs.push_back({site.addend, {Storage::f32, out}});
  planned.outputs = {{site.output, {Storage::f32, out}}};
  if (RowwiseConvolutionKernel::parts_of(problem.geometry) > 0)
    planned.kernel = std::make_unique<RowwiseConvolutionKernel>(problem);
  else
    planned.kernel = make_avx2_convolution(problem);
  if (planned.kernel) return planned;
  auto kernel = std::make_unique<FloatConvolutionKernel>(problem);
  planned.scratch_bytes = kernel->scratch_bytes();
  planned.kernel = std::move(kernel);
  return planned;
}

}  // namespace adze::exec
