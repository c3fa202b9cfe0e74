// Softmax, LogSoftmax and Hardmax, in floats. Before opset 13 they run over all axes from `axis`
// on.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/axes.hpp"

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

class SoftmaxKernel final : public Kernel {
 public:
  SoftmaxKernel(Softmax function, const Extents& extents)
      : function_(function), extents_(extents) {}

  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    const auto [outer, middle, inner] = extents_;
    if (middle == 0) return;
    parallel_for(run.threads, outer * inner, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t at =
            i / extents_.inner * extents_.middle * extents_.inner + i % extents_.inner;
        if (function_ == Softmax::hardmax)
          mark_largest(src + at, dst + at);
        else
          column(src + at, dst + at);
      }
    });
  }

 private:
  void column(const float* src, float* dst) const {
    const std::int64_t step = extents_.inner;
    float largest = -std::numeric_limits<float>::infinity(), sum = 0;
    for (std::int64_t i = 0; i < extents_.middle; ++i) largest = std::max(largest, src[i * step]);
    for (std::int64_t i = 0; i < extents_.middle; ++i) {
      dst[i * step] = std::exp(src[i * step] - largest);
      sum += dst[i * step];
    }
    if (function_ == Softmax::softmax) {
      for (std::int64_t i = 0; i < extents_.middle; ++i) dst[i * step] /= sum;
      return;
    }
    const float logarithm = std::log(sum);
    for (std::int64_t i = 0; i < extents_.middle; ++i)
      dst[i * step] = src[i * step] - largest - logarithm;
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
