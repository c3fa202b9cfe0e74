// Clip of integers, and with limits that are computed. Floats with constant limits are in
// unary.cpp.
#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/any_type.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

class TypedClipKernel final : public Kernel {
 public:
  TypedClipKernel(DType type, std::int64_t count, bool has_low, bool has_high)
      : type_(type), count_(count), has_low_(has_low), has_high_(has_high) {}
  void run(const Run& run) const override {
    with_number(type_, [&]<class T>(TypeTag<T>) {
      const auto* src = reinterpret_cast<const T*>(run.inputs[0]);
      auto* dst = reinterpret_cast<T*>(run.outputs[0]);
      T low = std::numeric_limits<T>::lowest(), high = std::numeric_limits<T>::max();
      if constexpr (std::is_floating_point_v<T>) {
        low = -std::numeric_limits<T>::infinity();
        high = std::numeric_limits<T>::infinity();
      }
      if (has_low_) low = *reinterpret_cast<const T*>(run.inputs[1]);
      if (has_high_) high = *reinterpret_cast<const T*>(run.inputs[has_low_ ? 2 : 1]);
      for (std::int64_t i = 0; i < count_; ++i) {
        const T raised = src[i] < low ? low : src[i];
        dst[i] = raised > high ? high : raised;
      }
    });
  }

 private:
  DType type_;
  std::int64_t count_;
  bool has_low_, has_high_;
};

bool is_float_clip(const Site& site) {
  return site.type(site.input(0)) == DType::f32 && clamp_of(site.program, site.node);
}

}  // namespace

void check_clip(const Site& site) {
  const std::uint32_t input = site.input(0);
  if (is_float_clip(site)) return check_unary(site);
  if (site.type(input) == DType::boolean) site.malformed("it does not compute with bool");
  for (std::size_t i = 1; i < 3; ++i) {
    if (!site.has_input(i)) continue;
    site.expect_same_type(input, site.input(i));
    if (element_count(site.shape(site.input(i))) != 1) site.malformed("a limit is not one number");
  }
  site.expect_same_type(input, site.output);
  site.expect_output_shape(site.shape(input));
}

Planned plan_clip(const Site& site) {
  if (is_float_clip(site)) return plan_unary(site);
  Planned planned;
  for (std::size_t i = 0; i < 3; ++i)
    if (site.has_input(i)) planned.inputs.push_back({site.input(i), site.own_form(site.input(i))});
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.kernel =
      std::make_unique<TypedClipKernel>(site.type(site.output), element_count(site.output_shape()),
                                        site.has_input(1), site.has_input(2));
  return planned;
}

}  // namespace adze::exec
