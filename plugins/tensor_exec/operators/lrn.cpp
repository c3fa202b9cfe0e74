// LRN: each element by the power of a sum of squares over neighbouring channels, in floats.
#include "plugins/tensor_exec/operators/all.hpp"

namespace adze::exec {
namespace {

struct Lrn {
  std::int64_t batch = 1, channels = 1, pixels = 1;
  std::int64_t before = 0, after = 0;  ///< channels of the window around its own
  float bias = 1, factor = 1, beta = 1;
};

class LrnKernel final : public Kernel {
 public:
  explicit LrnKernel(const Lrn& problem) : problem_(problem) {}
  void run(const Run& run) const override {
    const Lrn& p = problem_;
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    parallel_for(run.threads, p.batch * p.channels, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t channel = row % p.channels;
        const float* image = src + (row - channel) * p.pixels;
        float* to = dst + row * p.pixels;
        std::fill(to, to + p.pixels, 0.0f);
        for (std::int64_t c = std::max<std::int64_t>(channel - p.before, 0);
             c <= std::min(channel + p.after, p.channels - 1); ++c)
          for (std::int64_t i = 0; i < p.pixels; ++i)
            to[i] += image[c * p.pixels + i] * image[c * p.pixels + i];
        const float* own = image + channel * p.pixels;
        for (std::int64_t i = 0; i < p.pixels; ++i)
          to[i] = own[i] / std::pow(p.bias + p.factor * to[i], p.beta);
      }
    });
  }

 private:
  Lrn problem_;
};

Lrn lrn_of(const Site& site) {
  const Shape in = site.shape(site.input(0));
  if (in.size() < 2) site.malformed("its input has no channels");
  const std::int64_t size = site.node.integer("size", 0);
  constexpr std::int64_t kMaxSize = 1 << 20;
  if (size < 1 || size > kMaxSize) site.malformed("its size is out of range");
  Lrn problem;
  problem.batch = in[0];
  problem.channels = in[1];
  for (std::size_t axis = 2; axis < in.size(); ++axis) problem.pixels *= in[axis];
  problem.before = (size - 1) / 2;
  problem.after = size - 1 - problem.before;
  problem.bias = static_cast<float>(site.node.number("bias", 1));
  problem.factor = static_cast<float>(site.node.number("alpha", 1e-4) / static_cast<double>(size));
  problem.beta = static_cast<float>(site.node.number("beta", 0.75));
  return problem;
}

}  // namespace

void check_lrn(const Site& site) {
  lrn_of(site);
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned plan_lrn(const Site& site) {
  Planned planned;
  planned.inputs = {{site.input(0), {}}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = std::make_unique<LrnKernel>(lrn_of(site));
  return planned;
}

}  // namespace adze::exec
