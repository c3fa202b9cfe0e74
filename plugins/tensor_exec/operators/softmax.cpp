// Softmax, LogSoftmax and Hardmax, in floats. Before opset 13 they run over all axes from `axis`
// on.
#include <algorithm>
#include <array>

#include "plugins/tensor_exec/avx2_functions.hpp"
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/axes.hpp"
#include "plugins/tensor_exec/operators/vector_math.hpp"

namespace adze::exec {
namespace {

enum class Softmax : std::uint8_t { softmax, log_softmax, hardmax };

Softmax softmax_of(const Site& site) {
  return site.node.op == "Softmax"      ? Softmax::softmax
         : site.node.op == "LogSoftmax" ? Softmax::log_softmax
                                        : Softmax::hardmax;
}

Extents softmax_extents(const Site& site) {
  const std::uint32_t input = site.input(0);
  const Shape shape = site.shape(input);
  const bool flat = site.node.op_version < 13;
  const std::size_t axis = site.axis(site.node.integer("axis", flat ? 1 : -1), shape.size());
  const std::size_t end = flat ? shape.size() : axis + 1;
  for (std::size_t i = axis; i < end; ++i) site.keep_samples_apart(input, i);
  return extents_around(shape, axis, end);
}

constexpr std::int64_t kLanes = 8;  ///< columns, or sums of one column, side by side

/// One column whose elements lie side by side, in the order of the lanes.
ADZE_MULTIVERSION
void softmax_row(const float* src, std::int64_t count, bool logarithms, float* dst) {
  std::array<float, kLanes> lanes;
  lanes.fill(-std::numeric_limits<float>::infinity());
  const std::int64_t whole = count - count % kLanes;
  for (std::int64_t i = 0; i < whole; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      lanes[static_cast<std::size_t>(lane)] = lanes[static_cast<std::size_t>(lane)] < src[i + lane]
                                                  ? src[i + lane]
                                                  : lanes[static_cast<std::size_t>(lane)];
  for (std::int64_t i = whole; i < count; ++i) lanes[0] = lanes[0] < src[i] ? src[i] : lanes[0];
  const float largest = *std::max_element(lanes.begin(), lanes.end());
  exponential_row(src, largest, dst, count);
  lanes.fill(0);
  for (std::int64_t i = 0; i < whole; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      lanes[static_cast<std::size_t>(lane)] += dst[i + lane];
  for (std::int64_t i = whole; i < count; ++i) lanes[0] += dst[i];
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  if (!logarithms) {
    for (std::int64_t i = 0; i < count; ++i) dst[i] /= sum;
    return;
  }
  const float logarithm = std::log(sum);
  for (std::int64_t i = 0; i < count; ++i) dst[i] = src[i] - largest - logarithm;
}

/// `width` columns, up to kLanes, whose elements lie `step` apart.
ADZE_MULTIVERSION
void softmax_columns(const float* src, std::int64_t count, std::int64_t step, std::int64_t width,
                     bool logarithms, float* dst) {
  std::array<float, kLanes> largest, sums{};
  largest.fill(-std::numeric_limits<float>::infinity());
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t c = 0; c < width; ++c) {
      float& best = largest[static_cast<std::size_t>(c)];
      best = best < src[i * step + c] ? src[i * step + c] : best;
    }
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t c = 0; c < width; ++c) {
      const float power = exponential(src[i * step + c] - largest[static_cast<std::size_t>(c)]);
      dst[i * step + c] = power;
      sums[static_cast<std::size_t>(c)] += power;
    }
  if (logarithms)
    for (float& sum : sums) sum = std::log(sum);
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t c = 0; c < width; ++c) {
      const float sum = sums[static_cast<std::size_t>(c)];
      float& result = dst[i * step + c];
      result = logarithms ? src[i * step + c] - largest[static_cast<std::size_t>(c)] - sum
                          : result / sum;
    }
}

class SoftmaxKernel final : public Kernel {
 public:
  SoftmaxKernel(Softmax function, const Extents& extents)
      : function_(function), extents_(extents) {}

  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    const auto [outer, middle, inner] = extents_;
    if (middle == 0) return;
    const std::int64_t blocks = (inner + kLanes - 1) / kLanes;  // of columns
    parallel_for(run.threads, outer * blocks, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t column = i % blocks * kLanes;
        const std::int64_t at = i / blocks * extents_.middle * extents_.inner + column;
        columns(src + at, std::min(kLanes, extents_.inner - column), dst + at);
      }
    });
  }

 private:
  void columns(const float* src, std::int64_t width, float* dst) const {
    const bool logarithms = function_ == Softmax::log_softmax;
    if (function_ == Softmax::hardmax)
      for (std::int64_t column = 0; column < width; ++column)
        mark_largest(src + column, dst + column);
    else if (extents_.inner == 1)
      softmax_row(src, extents_.middle, logarithms, dst);
    else
      softmax_columns(src, extents_.middle, extents_.inner, width, logarithms, dst);
  }

  /// The first of equals.
  void mark_largest(const float* src, float* dst) const {
    const std::int64_t step = extents_.inner;
    std::int64_t largest = 0;
    for (std::int64_t i = 0; i < extents_.middle; ++i) {
      dst[i * step] = 0;
      if (src[i * step] > src[largest * step]) largest = i;
    }
    dst[largest * step] = 1;
  }

  Softmax function_;
  Extents extents_;
};

}  // namespace

void check_softmax(const Site& site) {
  softmax_extents(site);
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned plan_softmax(const Site& site) {
  Planned planned;
  planned.inputs = {{site.input(0), {}}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = std::make_unique<SoftmaxKernel>(softmax_of(site), softmax_extents(site));
  return planned;
}

}  // namespace adze::exec
