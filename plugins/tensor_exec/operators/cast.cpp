// Cast and CastLike between all element types; see converted() for what becomes of numbers that do
// not fit. The target is the type of the output.
#include "plugins/tensor_exec/convert.hpp"
#include "plugins/tensor_exec/half.hpp"
#include "plugins/tensor_exec/operators/all.hpp"

namespace adze::exec {
namespace {

/// Casts, then rounds to a 16-bit float.
class HalfCastKernel final : public Kernel {
 public:
  HalfCastKernel(std::unique_ptr<Kernel> cast, Half half, std::int64_t count)
      : cast_(std::move(cast)), half_(half), count_(count) {}
  void run(const Run& run) const override {
    cast_->run(run);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    for (std::int64_t i = 0; i < count_; ++i) dst[i] = from_half(to_half(dst[i], half_), half_);
  }

 private:
  std::unique_ptr<Kernel> cast_;
  Half half_;
  std::int64_t count_;
};

}  // namespace

void check_cast(const Site& site) { site.expect_output_shape(site.shape(site.input(0))); }

Planned plan_cast(const Site& site) {
  const std::uint32_t input = site.input(0);
  const std::int64_t count = element_count(site.output_shape());
  const Half half = site.value(site.output).half;
  if (half == Half::none && site.type(input) == site.type(site.output))
    return plan_same_elements(site);
  Planned planned;
  planned.inputs = {{input, site.own_form(input)}};
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.kernel = make_cast(site.type(input), site.type(site.output), count);
  if (half != Half::none)
    planned.kernel = std::make_unique<HalfCastKernel>(std::move(planned.kernel), half, count);
  return planned;
}

}  // namespace adze::exec
