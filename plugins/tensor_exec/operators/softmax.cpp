// Softmax, in floats. Before opset 13 it runs over all axes from `axis` on.
#include "plugins/tensor_exec/operators/all.hpp"

namespace adze::exec {
namespace {

struct Extents {
  std::int64_t outer = 1, middle = 1, inner = 1;
};

Extents extents_of(const Site& site) {
  const Shape shape = site.shape(site.input(0));
  const auto rank = static_cast<std::int64_t>(shape.size());
  const bool flat = site.node.op_version < 13;
  std::int64_t axis = site.node.integer("axis", flat ? 1 : -1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) site.malformed("its axis is too large");
  Extents extents;
  for (std::int64_t i = 0; i < rank; ++i) {
    const std::int64_t size = shape[static_cast<std::size_t>(i)];
    if (i < axis)
      extents.outer *= size;
    else if (i == axis || flat)
      extents.middle *= size;
    else
      extents.inner *= size;
  }
  return extents;
}

class SoftmaxKernel final : public Kernel {
 public:
  explicit SoftmaxKernel(const Extents& extents) : extents_(extents) {}
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    const auto [outer, middle, inner] = extents_;
    parallel_for(run.threads, outer * inner, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t at =
            i / extents_.inner * extents_.middle * extents_.inner + i % extents_.inner;
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
    for (std::int64_t i = 0; i < extents_.middle; ++i) dst[i * step] /= sum;
  }

  Extents extents_;
};

}  // namespace

void check_softmax(const Site& site) {
  extents_of(site);
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned plan_softmax(const Site& site) {
  Planned planned;
  planned.inputs = {{site.input(0), {}}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = std::make_unique<SoftmaxKernel>(extents_of(site));
  return planned;
}

}  // namespace adze::exec
