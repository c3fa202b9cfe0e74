// A BatchNormalization that could not be folded into the layer before it.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/rows.hpp"

namespace adze::exec {
namespace {

/// x * factor + offset, by channel, over outer x channels x inner.
class ChannelScaleKernel final : public Kernel {
 public:
  ChannelScaleKernel(std::int64_t outer, std::int64_t inner, std::vector<float> factors,
                     std::vector<float> offsets, const Clamp& clamp)
      : outer_(outer),
        inner_(inner),
        factors_(std::move(factors)),
        offsets_(std::move(offsets)),
        clamp_(clamp) {}

  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    const std::size_t channels = factors_.size();
    parallel_for(run.threads, outer_, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t at = begin * static_cast<std::int64_t>(channels) * inner_;
      const std::int64_t first = at;
      for (std::int64_t o = begin; o < end; ++o)
        for (std::size_t c = 0; c < channels; ++c)
          for (std::int64_t i = 0; i < inner_; ++i, ++at)
            dst[at] = src[at] * factors_[c] + offsets_[c];
      if (clamp_.any())
        clamp_row(dst + first, static_cast<std::size_t>(at - first), clamp_.low, clamp_.high);
    });
  }

 private:
  std::int64_t outer_, inner_;
  std::vector<float> factors_, offsets_;
  Clamp clamp_;
};

}  // namespace

void check_batch_normalization(const Site& site) {
  const Shape in = site.shape(site.input(0));
  if (in.size() < 2) site.malformed("its input has no channels");
  for (std::size_t i = 1; i < 5; ++i) {
    if (!site.value(site.input(i)).is_constant()) site.refuse("its parameters are computed");
    if (site.shape(site.input(i)) != Shape{in[1]})
      site.malformed("its parameters are not one value a channel");
  }
  if (site.node.integer("training_mode", 0) != 0) site.refuse("training mode is not supported");
  for (std::size_t i = 1; i < site.node.outputs.size(); ++i)
    if (site.node.outputs[i] != ADZE_NONE) site.refuse("its further outputs are not supported");
  site.expect_output_shape(in);
}

Planned plan_batch_normalization(const Site& site) {
  const std::uint32_t input = site.input(0);
  const Shape in = site.shape(input);
  const double epsilon = site.node.number("epsilon", 1e-5);
  const auto scale = site.program.floats(site.input(1)), bias = site.program.floats(site.input(2));
  const auto mean = site.program.floats(site.input(3)),
             variance = site.program.floats(site.input(4));
  std::vector<float> factors, offsets;
  for (std::size_t c = 0; c < scale.size(); ++c) {
    const double factor = scale[c] / std::sqrt(static_cast<double>(variance[c]) + epsilon);
    factors.push_back(static_cast<float>(factor));
    offsets.push_back(static_cast<float>(bias[c] - mean[c] * factor));
  }
  const Layout layout = site.existing_layout(input);
  const std::int64_t pixels = in[1] == 0 || in[0] == 0 ? 0 : element_count(in) / in[0] / in[1];
  const bool last = layout == Layout::channels_last;
  Planned planned;
  planned.inputs = {{input, {Storage::f32, layout}}};
  planned.outputs = {{site.output, {Storage::f32, layout}}};
  planned.kernel =
      std::make_unique<ChannelScaleKernel>(last ? in[0] * pixels : in[0], last ? 1 : pixels,
                                           std::move(factors), std::move(offsets), site.clamp);
  return planned;
}

}  // namespace adze::exec
