// Reductions over any axes and of any type, ArgMax and ArgMin. ReduceMean over neighbouring axes of
// floats has a faster kernel in reduce_mean.cpp.
#include <algorithm>
#include <cmath>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/wrapping.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

/// For each axis of the input, whether it is reduced.
std::vector<char> reduced_axes(const Site& site) {
  const std::size_t rank = site.shape(site.input(0)).size();
  Shape given;
  if (site.node.op.starts_with("Arg")) {
    given = {site.node.integer("axis", 0)};
  } else if (site.has_input(1)) {
    if (!site.value(site.input(1)).constant) site.refuse("its axes are computed");
    given = site.program.integers(site.input(1));
  } else {
    given = site.node.integers("axes");
  }
  const bool all = given.empty() && site.node.integer("noop_with_empty_axes", 0) == 0;
  std::vector<char> reduced(rank, all);
  for (const std::int64_t axis : given) reduced[site.axis(axis, rank)] = 1;
  return reduced;
}

Shape reduced_shape(const Site& site) {
  const Shape in = site.shape(site.input(0));
  const std::vector<char> reduced = reduced_axes(site);
  Shape result;
  for (std::size_t axis = 0; axis < in.size(); ++axis) {
    if (!reduced[axis])
      result.push_back(in[axis]);
    else if (site.node.integer("keepdims", 1) != 0)
      result.push_back(1);
  }
  return result;
}

/// What a reduction adds up in; the result is rounded once.
template <class T>
using Sum =
    std::conditional_t<std::is_floating_point_v<T>, double,
                       std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>;

enum class Reduction : std::uint8_t {
  sum,
  mean,
  product,
  largest,
  smallest,
  l1,
  l2,
  log_sum,
  log_sum_exp,
  sum_square
};

std::optional<Reduction> reduction_of(std::string_view op) {
  static constexpr std::pair<std::string_view, Reduction> kReductions[] = {
      {"ReduceL1", Reduction::l1},          {"ReduceL2", Reduction::l2},
      {"ReduceLogSum", Reduction::log_sum}, {"ReduceLogSumExp", Reduction::log_sum_exp},
      {"ReduceMax", Reduction::largest},    {"ReduceMean", Reduction::mean},
      {"ReduceMin", Reduction::smallest},   {"ReduceProd", Reduction::product},
      {"ReduceSum", Reduction::sum},        {"ReduceSumSquare", Reduction::sum_square},
  };
  for (const auto& [name, reduction] : kReductions)
    if (name == op) return reduction;
  return std::nullopt;
}

template <class T>
Sum<T> magnitude_of(T x) {
  if constexpr (std::is_unsigned_v<T>)
    return x;
  else
    return x < 0 ? minus(Sum<T>{0}, static_cast<Sum<T>>(x)) : static_cast<Sum<T>>(x);
}

/// `elements(take)` calls take(x) for each of `count` elements, in one order.
template <class T, class Elements>
T reduce(Reduction reduction, const Elements& elements, std::int64_t count) {
  using S = Sum<T>;
  const auto each = [&](S start, const auto& combine) {
    S sum = start;
    elements([&](T x) { sum = combine(sum, x); });
    return sum;
  };
  const auto add = [](S sum, T x) { return plus(sum, static_cast<S>(x)); };
  switch (reduction) {
    case Reduction::sum:
      return static_cast<T>(each(0, add));
    case Reduction::mean:
      return static_cast<T>(divided(each(0, add), static_cast<S>(count)));
    case Reduction::product:
      return static_cast<T>(each(1, [](S sum, T x) { return times(sum, static_cast<S>(x)); }));
    case Reduction::l1:
      return static_cast<T>(each(0, [](S sum, T x) { return plus(sum, magnitude_of(x)); }));
    case Reduction::sum_square:
    case Reduction::l2: {
      const S squares = each(
          0, [](S sum, T x) { return plus(sum, times(static_cast<S>(x), static_cast<S>(x))); });
      if (reduction == Reduction::sum_square) return static_cast<T>(squares);
      return converted<T>(std::sqrt(static_cast<double>(squares)));
    }
    case Reduction::log_sum:
      return converted<T>(std::log(static_cast<double>(each(0, add))));
    case Reduction::largest:
    case Reduction::smallest: {
      const bool up = reduction == Reduction::largest;
      T best{};
      bool any = false;
      elements([&](T x) {
        bool better = !any || (up ? x > best : x < best);
        if constexpr (std::is_floating_point_v<T>) better = better || std::isnan(x);
        if (better) best = x;
        any = true;
      });
      return best;
    }
    case Reduction::log_sum_exp:
      break;
  }
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  elements([&](T x) { largest = std::max(largest, static_cast<double>(x)); });
  if (!std::isfinite(largest)) return converted<T>(largest);
  elements([&](T x) { sum += std::exp(static_cast<double>(x) - largest); });
  return converted<T>(largest + std::log(sum));
}

/// Offsets of the elements that become one, and of the first of them for each result.
struct Offsets {
  Shape within, first;
};

Offsets offsets_of(const Shape& shape, const std::vector<char>& reduced) {
  const Shape strides = strides_of(shape);
  Offsets offsets{{0}, {0}};
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    Shape& list = reduced[axis] ? offsets.within : offsets.first;
    Shape longer;
    for (const std::int64_t offset : list)
      for (std::int64_t i = 0; i < shape[axis]; ++i) longer.push_back(offset + i * strides[axis]);
    list = std::move(longer);
  }
  return offsets;
}

class ReduceKernel final : public Kernel {
 public:
  ReduceKernel(Reduction reduction, DType type, Offsets offsets)
      : reduction_(reduction), type_(type), offsets_(std::move(offsets)) {}
  void run(const Run& run) const override {
    with_number(type_, [&]<class T>(TypeTag<T>) {
      const auto* src = reinterpret_cast<const T*>(run.inputs[0]);
      auto* dst = reinterpret_cast<T*>(run.outputs[0]);
      const auto results = static_cast<std::int64_t>(offsets_.first.size());
      parallel_for(run.threads, results, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          const T* from = src + offsets_.first[static_cast<std::size_t>(i)];
          const auto elements = [&](const auto& take) {
            for (const std::int64_t offset : offsets_.within) take(from[offset]);
          };
          dst[i] =
              reduce<T>(reduction_, elements, static_cast<std::int64_t>(offsets_.within.size()));
        }
      });
    });
  }

 private:
  Reduction reduction_;
  DType type_;
  Offsets offsets_;
};

class ArgKernel final : public Kernel {
 public:
  ArgKernel(bool largest, bool last, DType type, Offsets offsets)
      : largest_(largest), last_(last), type_(type), offsets_(std::move(offsets)) {}
  void run(const Run& run) const override {
    with_number(type_, [&]<class T>(TypeTag<T>) {
      const auto* src = reinterpret_cast<const T*>(run.inputs[0]);
      auto* dst = reinterpret_cast<std::int64_t*>(run.outputs[0]);
      for (std::size_t i = 0; i < offsets_.first.size(); ++i)
        dst[i] = best(src + offsets_.first[i]);
    });
  }

 private:
  template <class T>
  std::int64_t best(const T* from) const {
    std::size_t found = 0;
    for (std::size_t i = 1; i < offsets_.within.size(); ++i) {
      const T x = from[offsets_.within[i]], before = from[offsets_.within[found]];
      if ((largest_ ? x > before : x < before) || (last_ && !(x < before) && !(x > before)))
        found = i;
    }
    return static_cast<std::int64_t>(found);
  }

  bool largest_, last_;
  DType type_;
  Offsets offsets_;
};

/// As check_reduce_mean() wants it.
bool has_fast_mean(const Site& site) {
  if (site.node.op != "ReduceMean" || site.type(site.input(0)) != DType::f32) return false;
  const std::vector<char> reduced = reduced_axes(site);
  std::size_t runs = 0;
  for (std::size_t axis = 0; axis < reduced.size(); ++axis)
    runs += reduced[axis] && (axis == 0 || !reduced[axis - 1]);
  return runs == 1;
}

}  // namespace

void check_reduce(const Site& site) {
  const std::uint32_t input = site.input(0);
  const std::vector<char> reduced = reduced_axes(site);
  const bool arg = site.node.op.starts_with("Arg");
  const Shape in = site.shape(input);
  for (std::size_t axis = 0; axis < reduced.size(); ++axis) {
    if (!reduced[axis]) continue;
    site.keep_samples_apart(input, axis);
    if (in[axis] == 0 && (arg || site.node.op == "ReduceMax" || site.node.op == "ReduceMin" ||
                          site.node.op == "ReduceMean"))
      site.refuse("it reduces an axis of size 0");
  }
  if (site.type(site.output) != (arg ? DType::i64 : site.type(input)))
    site.malformed(std::string("its output is ") + name_of(site.type(site.output)));
  if (site.type(input) == DType::boolean) site.refuse("bool is not supported");
  if (has_fast_mean(site)) return check_reduce_mean(site);
  site.expect_output_shape(reduced_shape(site));
}

Planned plan_reduce(const Site& site) {
  if (has_fast_mean(site)) return plan_reduce_mean(site);
  const std::uint32_t input = site.input(0);
  const DType type = site.type(input);
  Offsets offsets = offsets_of(site.shape(input), reduced_axes(site));
  Planned planned;
  planned.inputs = {{input, site.own_form(input)}};
  planned.outputs = {{site.output, site.own_form(site.output)}};
  if (const auto reduction = reduction_of(site.node.op))
    planned.kernel = std::make_unique<ReduceKernel>(*reduction, type, std::move(offsets));
  else
    planned.kernel = std::make_unique<ArgKernel>(site.node.op == "ArgMax",
                                                 site.node.integer("select_last_index", 0) != 0,
                                                 type, std::move(offsets));
  return planned;
}

}  // namespace adze::exec
