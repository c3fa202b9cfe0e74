// Where, Trilu, CumSum, OneHot, ReverseSequence, EyeLike: elements of any type, chosen by position
// or by other elements.
#include <algorithm>

#include "plugins/tensor_exec/operators/any_type.hpp"
#include "plugins/tensor_exec/operators/broadcast.hpp"
#include "plugins/tensor_exec/operators/wrapping.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

/// A kernel from a function of the element's C++ type: body(TypeTag<T>, run).
template <class Body>
class TypedKernel final : public Kernel {
 public:
  TypedKernel(DType type, Body body) : type_(type), body_(std::move(body)) {}
  void run(const Run& run) const override {
    with_number(type_, [&](auto tag) { body_(tag, run); });
  }

 private:
  DType type_;
  Body body_;
};

/// All inputs of the node and its output in their own types.
template <class Body>
Planned planned_typed(const Site& site, DType type, Body body) {
  Planned planned;
  for (const std::uint32_t input : site.node.inputs)
    if (input != ADZE_NONE) planned.inputs.push_back({input, site.own_form(input)});
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.kernel = std::make_unique<TypedKernel<Body>>(type, std::move(body));
  return planned;
}

/// A constant number of input `index`, or `fallback` without one.
std::int64_t constant_number(const Site& site, std::size_t index, std::int64_t fallback) {
  if (!site.has_input(index)) return fallback;
  if (!site.value(site.input(index)).constant) site.refuse("a parameter is computed");
  const Shape numbers = site.program.integers(site.input(index));
  if (numbers.size() != 1) site.malformed("a parameter is not one number");
  return numbers.front();
}

/// The sizes before, of, and behind an axis.
struct Axis {
  std::int64_t outer = 1, size = 1, inner = 1;
};
Axis around(const Shape& shape, std::size_t axis) {
  Axis result;
  for (std::size_t i = 0; i < shape.size(); ++i)
    (i < axis ? result.outer : i == axis ? result.size : result.inner) *= shape[i];
  return result;
}

std::size_t cumulated_axis(const Site& site) {
  return site.axis(constant_number(site, 1, 0), site.shape(site.input(0)).size());
}

std::size_t one_hot_axis(const Site& site) {
  return site.axis(site.node.integer("axis", -1), site.output_shape().size());
}

}  // namespace

void check_where(const Site& site) {
  if (site.type(site.input(0)) != DType::boolean) site.malformed("its condition is not bool");
  site.expect_same_type(site.input(1), site.output);
  site.expect_same_type(site.input(2), site.output);
  site.expect_output_shape(broadcast_shape(
      site, {site.shape(site.input(0)), site.shape(site.input(1)), site.shape(site.input(2))}));
}

Planned plan_where(const Site& site) {
  const Broadcast walk(site.output_shape(), {site.shape(site.input(0)), site.shape(site.input(1)),
                                             site.shape(site.input(2))});
  return planned_typed(
      site, site.type(site.output), [walk]<class T>(TypeTag<T>, const Kernel::Run& run) {
        auto* dst = reinterpret_cast<T*>(run.outputs[0]);
        for (std::int64_t row = 0; row < walk.rows(); ++row) {
          const auto* chosen =
              reinterpret_cast<const std::uint8_t*>(run.inputs[0]) + walk.start(0, row);
          const auto* a = reinterpret_cast<const T*>(run.inputs[1]) + walk.start(1, row);
          const auto* b = reinterpret_cast<const T*>(run.inputs[2]) + walk.start(2, row);
          for (std::int64_t i = 0; i < walk.width(); ++i)
            *dst++ = chosen[i * walk.step(0)] ? a[i * walk.step(1)] : b[i * walk.step(2)];
        }
      });
}

void check_trilu(const Site& site) {
  const Shape in = site.shape(site.input(0));
  if (in.size() < 2) site.malformed("its input has fewer than 2 axes");
  constant_number(site, 1, 0);
  site.expect_same_type(site.input(0), site.output);
  site.expect_output_shape(in);
}

Planned plan_trilu(const Site& site) {
  const Shape in = site.shape(site.input(0));
  const bool upper = site.node.integer("upper", 1) != 0;
  const std::int64_t rows = in[in.size() - 2], columns = in.back();
  const std::int64_t diagonal =
      std::clamp(constant_number(site, 1, 0), -rows - columns, rows + columns);
  const std::int64_t count = element_count(in);
  return planned_typed(site, site.type(site.output),
                       [=]<class T>(TypeTag<T>, const Kernel::Run& run) {
                         const auto* src = reinterpret_cast<const T*>(run.inputs[0]);
                         auto* dst = reinterpret_cast<T*>(run.outputs[0]);
                         for (std::int64_t i = 0; i < count; ++i) {
                           const std::int64_t above = i % columns - i / columns % rows - diagonal;
                           dst[i] = (upper ? above >= 0 : above <= 0) ? src[i] : T{0};
                         }
                       });
}

void check_cum_sum(const Site& site) {
  site.keep_samples_apart(site.input(0), cumulated_axis(site));
  if (site.type(site.input(0)) == DType::boolean) site.malformed("it does not compute with bool");
  site.expect_same_type(site.input(0), site.output);
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned plan_cum_sum(const Site& site) {
  const Axis axis = around(site.shape(site.input(0)), cumulated_axis(site));
  const bool exclusive = site.node.integer("exclusive", 0) != 0,
             reverse = site.node.integer("reverse", 0) != 0;
  return planned_typed(
      site, site.type(site.output), [=]<class T>(TypeTag<T>, const Kernel::Run& run) {
        const auto* src = reinterpret_cast<const T*>(run.inputs[0]);
        auto* dst = reinterpret_cast<T*>(run.outputs[0]);
        for (std::int64_t o = 0; o < axis.outer; ++o)
          for (std::int64_t i = 0; i < axis.inner; ++i) {
            T sum{};
            for (std::int64_t k = 0; k < axis.size; ++k) {
              const std::int64_t at =
                  (o * axis.size + (reverse ? axis.size - 1 - k : k)) * axis.inner + i;
              const T before = sum;
              sum = plus(sum, src[at]);
              dst[at] = exclusive ? before : sum;
            }
          }
      });
}

void check_one_hot(const Site& site) {
  const std::size_t axis = one_hot_axis(site);
  Shape expected = site.shape(site.input(0));
  if (expected.size() + 1 != site.output_shape().size()) site.malformed("its output does not fit");
  expected.insert(expected.begin() + static_cast<std::ptrdiff_t>(axis), site.output_shape()[axis]);
  if (site.shape(site.input(2)) != Shape{2}) site.malformed("it needs an off and an on value");
  if (site.type(site.input(0)) == DType::boolean) site.malformed("its indices are bool");
  site.expect_same_type(site.input(2), site.output);
  site.expect_output_shape(expected);
}

Planned plan_one_hot(const Site& site) {
  const Axis axis = around(site.output_shape(), one_hot_axis(site));
  const DType index_type = site.type(site.input(0));
  return planned_typed(site, site.type(site.output),
                       [=]<class T>(TypeTag<T>, const Kernel::Run& run) {
                         const auto* values = reinterpret_cast<const T*>(run.inputs[2]);
                         auto* dst = reinterpret_cast<T*>(run.outputs[0]);
                         with_number(index_type, [&]<class I>(TypeTag<I>) {
                           const auto* indices = reinterpret_cast<const I*>(run.inputs[0]);
                           for (std::int64_t o = 0; o < axis.outer; ++o)
                             for (std::int64_t k = 0; k < axis.size; ++k)
                               for (std::int64_t i = 0; i < axis.inner; ++i) {
                                 auto index = converted<std::int64_t>(indices[o * axis.inner + i]);
                                 if (index < 0) index += axis.size;
                                 *dst++ = values[index == k];
                               }
                         });
                       });
}

void check_reverse_sequence(const Site& site) {
  const Shape in = site.shape(site.input(0));
  const std::int64_t batch = site.node.integer("batch_axis", 1),
                     time = site.node.integer("time_axis", 0);
  if (in.size() < 2 || batch + time != 1 || batch < 0 || time < 0)
    site.malformed("its axes are not 0 and 1");
  if (site.type(site.input(1)) != DType::i64 ||
      site.shape(site.input(1)) != Shape{in[static_cast<std::size_t>(batch)]})
    site.malformed("its lengths are not one int64 a sequence");
  site.keep_samples_apart(site.input(0), static_cast<std::size_t>(time));
  site.expect_same_type(site.input(0), site.output);
  site.expect_output_shape(in);
}

Planned plan_reverse_sequence(const Site& site) {
  const Shape in = site.shape(site.input(0));
  const bool batch_first = site.node.integer("batch_axis", 1) == 0;
  const std::int64_t inner = around(in, 1).inner;
  const std::string node = "node '" + site.node.name + "' (ReverseSequence)";
  return planned_typed(
      site, site.type(site.output), [=]<class T>(TypeTag<T>, const Kernel::Run& run) {
        const auto* src = reinterpret_cast<const T*>(run.inputs[0]);
        const auto* lengths = reinterpret_cast<const std::int64_t*>(run.inputs[1]);
        auto* dst = reinterpret_cast<T*>(run.outputs[0]);
        for (std::int64_t a = 0; a < in[0]; ++a)
          for (std::int64_t b = 0; b < in[1]; ++b) {
            const std::int64_t length = lengths[batch_first ? a : b], time = batch_first ? b : a;
            if (length < 0 || length > (batch_first ? in[1] : in[0]))
              throw Error(ADZE_INVALID_ARGUMENT,
                          node + ": a sequence is " + std::to_string(length) + " long");
            const std::int64_t from = time < length ? length - 1 - time : time;
            const T* row = src + (batch_first ? a * in[1] + from : from * in[1] + b) * inner;
            dst = std::copy(row, row + inner, dst);
          }
      });
}

void check_eye_like(const Site& site) {
  const Shape in = site.shape(site.input(0));
  if (in.size() != 2) site.malformed("its input does not have 2 axes");
  site.keep_samples_apart(site.input(0), 0);
  if (site.type(site.output) == DType::boolean) site.refuse("bool is not supported");
  site.expect_output_shape(in);
}

Planned plan_eye_like(const Site& site) {
  const Shape in = site.shape(site.input(0));
  const std::int64_t limit = in[0] + in[1];
  const std::int64_t diagonal = std::clamp(site.node.integer("k", 0), -limit, limit);
  return planned_typed(site, site.type(site.output),
                       [=]<class T>(TypeTag<T>, const Kernel::Run& run) {
                         auto* dst = reinterpret_cast<T*>(run.outputs[0]);
                         for (std::int64_t row = 0; row < in[0]; ++row)
                           for (std::int64_t column = 0; column < in[1]; ++column)
                             *dst++ = static_cast<T>(column - row == diagonal);
                       });
}

}  // namespace adze::exec
