// Shape, Size and Range where the host left them: as outputs of the model, or of values it does not
// fold.
#include <algorithm>

#include "plugins/tensor_exec/operators/any_type.hpp"
#include "plugins/tensor_exec/operators/wrapping.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

class NumbersKernel final : public Kernel {
 public:
  explicit NumbersKernel(Shape numbers) : numbers_(std::move(numbers)) {}
  void run(const Run& run) const override {
    std::copy(numbers_.begin(), numbers_.end(), reinterpret_cast<std::int64_t*>(run.outputs[0]));
  }

 private:
  Shape numbers_;
};

class RangeKernel final : public Kernel {
 public:
  RangeKernel(DType type, std::int64_t count, std::string node)
      : type_(type), count_(count), node_(std::move(node)) {}
  void run(const Run& run) const override {
    with_number(type_, [&]<class T>(TypeTag<T>) {
      const T start = *reinterpret_cast<const T*>(run.inputs[0]);
      const T limit = *reinterpret_cast<const T*>(run.inputs[1]);
      const T delta = *reinterpret_cast<const T*>(run.inputs[2]);
      const double numbers = std::ceil((static_cast<double>(limit) - static_cast<double>(start)) /
                                       static_cast<double>(delta));
      if ((numbers > 0 ? numbers : 0) != static_cast<double>(count_))
        throw Error(ADZE_UNIMPLEMENTED, node_ + ": has another length than the " +
                                            std::to_string(count_) + " that the model declares");
      auto* dst = reinterpret_cast<T*>(run.outputs[0]);
      for (std::int64_t i = 0; i < count_; ++i)
        dst[i] = plus(start, times(static_cast<T>(i), delta));
    });
  }

 private:
  DType type_;
  std::int64_t count_;
  std::string node_;
};

Shape sizes_of(const Site& site) {
  const Shape in = site.shape(site.input(0));
  if (site.node.op == "Size") return {element_count(in)};
  const auto rank = static_cast<std::int64_t>(in.size());
  const auto bound = [&](const char* name, std::int64_t fallback) {
    const std::int64_t at = site.node.integer(name, fallback);
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const std::int64_t start = bound("start", 0), end = std::max(start, bound("end", rank));
  return {in.begin() + start, in.begin() + end};
}

}  // namespace

void check_shape_of(const Site& site) {
  const Value& in = site.value(site.input(0));
  if (site.program.batch > 1 && in.batch_axis >= 0 && !in.is_constant())
    site.refuse("it counts the samples of a batch; compile the model for a batch of 1");
  if (site.type(site.output) != DType::i64) site.malformed("its output is not int64");
  site.expect_output_shape(
      site.node.op == "Size" ? Shape{} : Shape{static_cast<std::int64_t>(sizes_of(site).size())});
}

Planned plan_shape_of(const Site& site) {
  Planned planned;
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.kernel = std::make_unique<NumbersKernel>(sizes_of(site));
  return planned;
}

void check_range(const Site& site) {
  for (std::size_t i = 0; i < 3; ++i) {
    site.expect_same_type(site.input(i), site.output);
    if (element_count(site.shape(site.input(i))) != 1) site.malformed("an input is not one number");
  }
  if (site.type(site.output) == DType::boolean) site.malformed("it does not compute with bool");
  if (site.output_shape().size() != 1) site.malformed("its output does not have one axis");
}

Planned plan_range(const Site& site) {
  Planned planned;
  for (std::size_t i = 0; i < 3; ++i)
    planned.inputs.push_back({site.input(i), site.own_form(site.input(i))});
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.kernel = std::make_unique<RangeKernel>(
      site.type(site.output), site.output_shape().front(), "node '" + site.node.name + "' (Range)");
  return planned;
}

}  // namespace adze::exec
