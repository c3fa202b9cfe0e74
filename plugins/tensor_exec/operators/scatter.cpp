// ScatterElements (and its old name Scatter), ScatterND: a copy of any type, some elements of which
// are replaced by, or combined with, updates at computed indices.
#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/indices.hpp"
#include "plugins/tensor_exec/operators/wrapping.hpp"

namespace adze::exec {
namespace {

enum class Combination : std::uint8_t { replace, add, multiply, largest, smallest };

Combination combination_of(const Site& site) {
  const std::string text = site.node.text("reduction", "none");
  if (text == "none") return Combination::replace;
  if (site.type(site.input(0)) == DType::boolean)
    site.malformed("its reduction '" + text + "' does not compute with bool");
  if (text == "add") return Combination::add;
  if (text == "mul") return Combination::multiply;
  if (text == "max") return Combination::largest;
  if (text == "min") return Combination::smallest;
  site.malformed("its reduction is '" + text + "'");
}

template <class T>
T combined(Combination combination, T old, T update) {
  switch (combination) {
    case Combination::add:
      return plus(old, update);
    case Combination::multiply:
      return times(old, update);
    case Combination::largest:
      return std::max(old, update);
    case Combination::smallest:
      return std::min(old, update);
    case Combination::replace:
      break;
  }
  return update;
}

class ScatterElementsKernel final : public Kernel {
 public:
  struct Problem {
    Indices indices;
    Shape data, updates;
    std::size_t axis;
    DType type;
    Combination combination;
  };
  explicit ScatterElementsKernel(Problem problem) : problem_(std::move(problem)) {}
  void run(const Run& run) const override {
    with_number(problem_.type, [&]<class T>(TypeTag<T>) {
      const auto* data = reinterpret_cast<const T*>(run.inputs[0]);
      const auto* updates = reinterpret_cast<const T*>(run.inputs[2]);
      auto* dst = reinterpret_cast<T*>(run.outputs[0]);
      std::copy(data, data + element_count(problem_.data), dst);
      const Shape strides = strides_of(problem_.data);
      for (std::int64_t i = 0; i < problem_.indices.count(); ++i) {
        std::int64_t rest = i, at = 0;
        for (std::size_t axis = problem_.updates.size(); axis-- > 0; rest /= problem_.updates[axis])
          at += strides[axis] * (axis == problem_.axis
                                     ? problem_.indices.get(run.inputs[1], i, problem_.data[axis])
                                     : rest % problem_.updates[axis]);
        dst[at] = combined(problem_.combination, dst[at], updates[i]);
      }
    });
  }

 private:
  Problem problem_;
};

class ScatterNdKernel final : public Kernel {
 public:
  struct Problem {
    Indices indices;
    Shape indexed;  ///< sizes of the axes that an index goes through
    std::int64_t count, block;
    DType type;
    Combination combination;
  };
  explicit ScatterNdKernel(Problem problem) : problem_(std::move(problem)) {}
  void run(const Run& run) const override {
    with_number(problem_.type, [&]<class T>(TypeTag<T>) {
      const auto* data = reinterpret_cast<const T*>(run.inputs[0]);
      const auto* updates = reinterpret_cast<const T*>(run.inputs[2]);
      auto* dst = reinterpret_cast<T*>(run.outputs[0]);
      std::copy(data, data + problem_.count, dst);
      const auto depth = static_cast<std::int64_t>(problem_.indexed.size());
      for (std::int64_t row = 0; row < problem_.indices.count() / depth; ++row) {
        std::int64_t at = 0;
        for (std::int64_t i = 0; i < depth; ++i) {
          const std::int64_t size = problem_.indexed[static_cast<std::size_t>(i)];
          at = at * size + problem_.indices.get(run.inputs[1], row * depth + i, size);
        }
        for (std::int64_t i = 0; i < problem_.block; ++i) {
          T& element = dst[at * problem_.block + i];
          element = combined(problem_.combination, element, updates[row * problem_.block + i]);
        }
      }
    });
  }

 private:
  Problem problem_;
};

void check_scattered_types(const Site& site) {
  const DType type = site.type(site.input(0));
  if (site.type(site.input(2)) != type || site.type(site.output) != type)
    site.malformed("its data, updates and output have different element types");
  combination_of(site);
  const Indices checked(site, 1);
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned planned_scatter(const Site& site, std::unique_ptr<Kernel> kernel) {
  Planned planned;
  for (std::size_t i = 0; i < 3; ++i)
    planned.inputs.push_back({site.input(i), site.own_form(site.input(i))});
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.kernel = std::move(kernel);
  return planned;
}

}  // namespace

void check_scatter_elements(const Site& site) {
  const Shape data = site.shape(site.input(0)), indices = site.shape(site.input(1));
  const std::size_t axis = site.axis(site.node.integer("axis", 0), data.size());
  if (indices != site.shape(site.input(2)) || indices.size() != data.size())
    site.malformed("its indices and updates do not fit");
  for (std::size_t i = 0; i < data.size(); ++i)
    if (i != axis && indices[i] > data[i]) site.malformed("it has more indices than elements");
  site.keep_samples_apart(site.input(0), axis);
  check_scattered_types(site);
}

Planned plan_scatter_elements(const Site& site) {
  const Shape data = site.shape(site.input(0));
  return planned_scatter(
      site, std::make_unique<ScatterElementsKernel>(
                ScatterElementsKernel::Problem{Indices(site, 1), data, site.shape(site.input(1)),
                                               site.axis(site.node.integer("axis", 0), data.size()),
                                               site.type(site.output), combination_of(site)}));
}

void check_scatter_nd(const Site& site) {
  const Shape data = site.shape(site.input(0)), indices = site.shape(site.input(1));
  if (indices.empty() || indices.back() < 1 ||
      indices.back() > static_cast<std::int64_t>(data.size()))
    site.malformed("its indices name no axes of its data");
  Shape expected(indices.begin(), indices.end() - 1);
  expected.insert(expected.end(), data.begin() + indices.back(), data.end());
  if (site.shape(site.input(2)) != expected)
    site.malformed("its updates are " + to_string(site.shape(site.input(2))) + ", not " +
                   to_string(expected));
  site.keep_samples_apart(site.input(0), 0);
  check_scattered_types(site);
}

Planned plan_scatter_nd(const Site& site) {
  const Shape data = site.shape(site.input(0)), indices = site.shape(site.input(1));
  const Shape indexed(data.begin(), data.begin() + indices.back());
  const std::int64_t blocks = element_count(indexed), count = element_count(data);
  return planned_scatter(site,
                         std::make_unique<ScatterNdKernel>(ScatterNdKernel::Problem{
                             Indices(site, 1), indexed, count, blocks == 0 ? 0 : count / blocks,
                             site.type(site.output), combination_of(site)}));
}

}  // namespace adze::exec
