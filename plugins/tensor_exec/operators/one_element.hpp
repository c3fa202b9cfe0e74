// Functions of one element, in floats. On quantized values they are tables of 256 entries. A
// function object has operator()(float), and apply(src, dst, count) for all elements of a row.
#pragma once

#include <utility>

#include "plugins/tensor_exec/operator.hpp"
#include "plugins/tensor_exec/operators/lookup.hpp"

namespace adze::exec {

template <class Function>
class OneElementKernel final : public Kernel {
 public:
  OneElementKernel(Function function, std::int64_t count)
      : function_(std::move(function)), count_(count) {}
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      function_.apply(src + begin, dst + begin, end - begin);
    });
  }

 private:
  Function function_;
  std::int64_t count_;
};

/// `function`: float to float, of the site's first input.
template <class Function>
Planned plan_one_element(const Site& site, const Function& function) {
  const std::uint32_t input = site.input(0);
  const Layout layout = site.existing_layout(input);
  const std::int64_t count = element_count(site.output_shape());
  const auto from = site.quant8(input), to = site.quant8(site.output);
  const Storage storage = from && to ? Storage::u8 : Storage::f32;
  Planned planned;
  planned.inputs = {{input, {storage, layout}}};
  planned.outputs = {{site.output, {storage, layout}}};
  if (from && to)
    planned.kernel = make_lookup(make_table(*from, *to, site.program.rounding, function), count);
  else
    planned.kernel = std::make_unique<OneElementKernel<Function>>(function, count);
  return planned;
}

template <class Function>
RowFunction row_of(const Function& function) {
  return [function](const float* src, const float*, float* dst, std::int64_t count) {
    function.apply(src, dst, count);
  };
}

}  // namespace adze::exec
