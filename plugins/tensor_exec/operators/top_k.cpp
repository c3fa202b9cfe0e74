// TopK along one axis, sorted; of equal elements the one with the lower index comes first.
#include <algorithm>
#include <numeric>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/axes.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

struct TopK {
  Extents extents;  ///< of the input
  std::int64_t k = 0;
  bool largest = true;
};

/// A strict order even with NaN, which counts as larger than all numbers.
template <class T>
bool is_less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
  }
  return a < b;
}

template <class T>
class TopKKernel final : public Kernel {
 public:
  explicit TopKKernel(const TopK& problem) : problem_(problem) {}

  void run(const Run& run) const override {
    const auto [outer, middle, inner] = problem_.extents;
    const auto* src = reinterpret_cast<const T*>(run.inputs[0]);
    auto* values = reinterpret_cast<T*>(run.outputs[0]);
    auto* indices = reinterpret_cast<std::int64_t*>(run.outputs[1]);
    parallel_for(run.threads, outer * inner, [&](std::int64_t begin, std::int64_t end) {
      std::vector<std::int64_t> order(static_cast<std::size_t>(problem_.extents.middle));
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t row = i / problem_.extents.inner, column = i % problem_.extents.inner;
        select(src + row * problem_.extents.middle * problem_.extents.inner + column, order,
               row * problem_.k * problem_.extents.inner + column, values, indices);
      }
    });
  }

 private:
  void select(const T* from, std::vector<std::int64_t>& order, std::int64_t to, T* values,
              std::int64_t* indices) const {
    const std::int64_t step = problem_.extents.inner;
    std::iota(order.begin(), order.end(), std::int64_t{0});
    const auto before = [&](std::int64_t a, std::int64_t b) {
      const T x = from[a * step], y = from[b * step];
      if (problem_.largest ? is_less(y, x) : is_less(x, y)) return true;
      if (problem_.largest ? is_less(x, y) : is_less(y, x)) return false;
      return a < b;
    };
    std::partial_sort(order.begin(), order.begin() + problem_.k, order.end(), before);
    for (std::int64_t i = 0; i < problem_.k; ++i) {
      const std::int64_t index = order[static_cast<std::size_t>(i)];
      values[to + i * step] = from[index * step];
      indices[to + i * step] = index;
    }
  }

  TopK problem_;
};

TopK top_k(const Site& site) {
  const std::uint32_t input = site.input(0);
  const Shape in = site.shape(input), out = site.output_shape();
  const std::size_t axis = site.axis(site.node.integer("axis", -1), in.size());
  site.keep_samples_apart(input, axis);
  TopK problem;
  problem.extents = extents_around(in, axis, axis + 1);
  Shape expected = in;
  // The graph's shapes know how many; the input that says so may be computed.
  if (out.size() == in.size()) problem.k = expected[axis] = out[axis];
  site.expect_output_shape(expected);
  if (problem.k < 0 || problem.k > in[axis])
    site.malformed("it asks for " + std::to_string(problem.k) + " of " + std::to_string(in[axis]) +
                   " elements");
  if (site.has_input(1) && site.value(site.input(1)).constant &&
      site.program.integers(site.input(1)) != std::vector<std::int64_t>{problem.k})
    site.malformed("its k is not the size of its output");
  problem.largest = site.node.integer("largest", 1) != 0;
  return problem;
}

}  // namespace

void check_top_k(const Site& site) {
  top_k(site);
  if (site.node.outputs.size() != 2 || site.node.outputs[1] == ADZE_NONE)
    site.malformed("it has not two outputs");
  const std::uint32_t indices = site.node.outputs[1];
  if (site.shape(indices) != site.output_shape() || site.type(indices) != DType::i64)
    site.malformed("its indices are no int64 of the shape of its values");
  if (site.type(site.output) != site.type(site.input(0)) ||
      site.type(site.output) == DType::boolean)
    site.malformed("its values are of another type than its input");
}

Planned plan_top_k(const Site& site) {
  const TopK problem = top_k(site);
  Planned planned;
  planned.inputs = {{site.input(0), site.own_form(site.input(0))}};
  planned.outputs = {{site.output, site.own_form(site.output)},
                     {site.node.outputs[1], site.own_form(site.node.outputs[1])}};
  planned.kernel =
      with_number(site.type(site.input(0)), [&]<class T>(TypeTag<T>) -> std::unique_ptr<Kernel> {
        return std::make_unique<TopKKernel<T>>(problem);
      });
  return planned;
}

}  // namespace adze::exec
