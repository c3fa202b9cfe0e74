#include "plugins/tensor_exec/operators/direct_convolution.hpp"

#include <algorithm>

#include "plugins/tensor_exec/operators/spatial_product.hpp"
#include "plugins/tensor_exec/rows.hpp"

namespace adze::exec {
namespace {

/// Places whose tap lies inside the input.
struct Places {
  std::int64_t begin, end;
};

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

Places places_inside(const WindowAxis& axis, std::int64_t tap) {
  const std::int64_t shift = axis.source(0, tap);  // place p lies at p * stride + shift
  const std::int64_t begin = shift >= 0 ? 0 : (-shift + axis.stride - 1) / axis.stride;
  const std::int64_t end = floor_divide(axis.in - 1 - shift, axis.stride) + 1;
  return {begin, std::min(end, axis.out)};
}

template <class T>
inline void add_row(const T* src, std::int64_t src_step, T weight, std::int64_t count, T* dst,
                    std::int64_t dst_step) {
  if (src_step == 1 && dst_step == 1) {
    for (std::int64_t i = 0; i < count; ++i) dst[i] += src[i] * weight;
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) dst[i * dst_step] += src[i * src_step] * weight;
}

ADZE_MULTIVERSION
void add_row_of(const float* src, std::int64_t src_step, float weight, std::int64_t count,
                float* dst, std::int64_t dst_step) {
  add_row(src, src_step, weight, count, dst, dst_step);
}

ADZE_MULTIVERSION
void add_row_of(const std::uint32_t* src, std::int64_t src_step, std::uint32_t weight,
                std::int64_t count, std::uint32_t* dst, std::int64_t dst_step) {
  add_row(src, src_step, weight, count, dst, dst_step);
}

class DirectConvolutionKernel final : public Kernel {
 public:
  DirectConvolutionKernel(const DirectConvolution& problem, const Clamp& clamp, bool has_bias)
      : problem_(problem), clamp_(clamp), has_bias_(has_bias) {}

  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    const auto* weights = reinterpret_cast<const float*>(run.inputs[1]);
    const auto* bias = has_bias_ ? reinterpret_cast<const float*>(run.inputs[2]) : nullptr;
    const std::int64_t channels = problem_.out_channels, pixels = problem_.result_pixels();
    parallel_for(run.threads, problem_.batch * channels, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        float* dst = reinterpret_cast<float*>(run.outputs[0]) + i * pixels;
        std::fill(dst, dst + pixels, bias ? bias[i % channels] : 0.0f);
        problem_.add_channel(src, weights, i / channels, i % channels, dst);
        if (clamp_.any()) clamp_row(dst, static_cast<std::size_t>(pixels), clamp_.low, clamp_.high);
      }
    });
  }

 private:
  DirectConvolution problem_;
  Clamp clamp_;
  bool has_bias_;
};

}  // namespace

template <class T>
void DirectConvolution::add_tap(const T* src, T weight, const std::array<std::int64_t, 3>& tap,
                                T* dst) const {
  const Places z = places_inside(axes[0], tap[0]), y = places_inside(axes[1], tap[1]),
               x = places_inside(axes[2], tap[2]);
  if (x.begin >= x.end) return;
  for (std::int64_t i = z.begin; i < z.end; ++i)
    for (std::int64_t j = y.begin; j < y.end; ++j) {
      const std::int64_t small = (i * axes[1].out + j) * axes[2].out + x.begin;
      const std::int64_t large =
          (axes[0].source(i, tap[0]) * axes[1].in + axes[1].source(j, tap[1])) * axes[2].in +
          axes[2].source(x.begin, tap[2]);
      if (transposed)
        add_row_of(src + small, 1, weight, x.end - x.begin, dst + large, axes[2].stride);
      else
        add_row_of(src + large, axes[2].stride, weight, x.end - x.begin, dst + small, 1);
    }
}

template <class T>
void DirectConvolution::add_channel(const T* src, const T* weights, std::int64_t image,
                                    std::int64_t channel, T* dst) const {
  const std::int64_t group_inputs = in_channels / groups, group_outputs = out_channels / groups;
  const std::int64_t group = channel / group_outputs;
  for (std::int64_t i = 0; i < group_inputs; ++i) {
    const std::int64_t input = group * group_inputs + i;
    const T* from = src + (image * in_channels + input) * source_pixels();
    const T* weight = weights + (transposed ? input * group_outputs + channel % group_outputs
                                            : channel * group_inputs + i) *
                                    taps();
    std::array<std::int64_t, 3> tap{};
    for (tap[0] = 0; tap[0] < axes[0].kernel; ++tap[0])
      for (tap[1] = 0; tap[1] < axes[1].kernel; ++tap[1])
        for (tap[2] = 0; tap[2] < axes[2].kernel; ++tap[2]) add_tap(from, *weight++, tap, dst);
  }
}

template void DirectConvolution::add_channel(const float*, const float*, std::int64_t, std::int64_t,
                                             float*) const;
template void DirectConvolution::add_channel(const std::uint32_t*, const std::uint32_t*,
                                             std::int64_t, std::int64_t, std::uint32_t*) const;

DirectConvolution direct_convolution(const Site& site, std::size_t at) {
  const Shape in = site.shape(site.input(0)), out = site.shape(site.node.outputs.front()),
              weights = site.shape(site.input(at));
  if (weights.size() < 3) site.malformed("the weights have too few axes");
  const Shape kernel(weights.begin() + 2, weights.end());
  if (site.node.integers("kernel_shape", kernel) != kernel)
    site.malformed("its kernel_shape is not that of its weights " + to_string(weights));
  const std::vector<WindowAxis> axes = three_axes(site, window_axes(site, kernel));
  DirectConvolution problem;
  problem.batch = in[0];
  problem.in_channels = in[1];
  problem.out_channels = out[1];
  problem.groups = site.node.integer("group", 1);
  std::copy(axes.begin(), axes.end(), problem.axes.begin());
  if (problem.groups < 1 || in[1] % problem.groups != 0 || out[1] % problem.groups != 0 ||
      weights[0] != out[1] || weights[1] != in[1] / problem.groups)
    site.malformed("weights " + to_string(weights) + " do not fit " + std::to_string(in[1]) +
                   " input channels in " + std::to_string(problem.groups) + " groups");
  return problem;
}

void check_bias(const Site& site, std::int64_t channels) {
  if (site.has_input(2) && site.shape(site.input(2)) != Shape{channels})
    site.malformed("the bias is not one value an output channel");
}

namespace {

/// With constant weights, which oneDNN packs; nullptr where it does not take them.
std::unique_ptr<Kernel> packed_kernel(const Site& site, const DirectConvolution& problem,
                                      std::size_t& out_scratch_bytes) {
  const auto fixed = [&](std::size_t input) { return site.value(site.input(input)).is_constant(); };
  const bool is_empty = std::min({problem.batch, problem.in_channels, problem.out_channels,
                                  problem.source_pixels(), problem.result_pixels()}) == 0;
  if (!fixed(1) || (site.has_input(2) && !fixed(2)) || is_empty) return nullptr;
  std::vector<float> bias(static_cast<std::size_t>(problem.out_channels), 0.0f);
  if (site.has_input(2)) bias = site.program.floats(site.input(2));
  return make_spatial_product(problem, site.program.floats(site.input(1)), bias, site.clamp,
                              out_scratch_bytes);
}

}  // namespace

Planned plan_direct_convolution(const Site& site, const DirectConvolution& problem) {
  Planned planned;
  planned.inputs = {{site.input(0), {}}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = packed_kernel(site, problem, planned.scratch_bytes);
  if (planned.kernel) return planned;
  planned.inputs = {{site.input(0), {}}, {site.input(1), {}}};
  if (site.has_input(2)) planned.inputs.push_back({site.input(2), {}});
  planned.outputs = {{site.output, {}}};
  planned.kernel =
      std::make_unique<DirectConvolutionKernel>(problem, site.clamp, site.has_input(2));
  return planned;
}

}  // namespace adze::exec
