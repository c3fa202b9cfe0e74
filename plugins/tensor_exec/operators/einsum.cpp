// Einsum: sums of products over labelled axes. Two float32 operands with at most one axis each
// of rows, columns and depth are a product of matrices.
#include <algorithm>
#include <array>
#include <cctype>
#include <tuple>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/matmul.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

/// One term of the equation: its labels by axis. The axes of "..." have labels of their own, from
/// the last one on, as they are aligned.
using Labels = std::vector<int>;

constexpr int kFirstEllipsisLabel = 256;

struct Einsum {
  std::vector<Labels> operands;
  Labels result, summed;
  std::vector<Shape> operand_strides;  ///< by label: those of the result, then those summed over
  Shape sizes;                         ///< by label in the same order
};

Labels labels_of(const Site& site, const std::string& term, std::size_t rank) {
  const auto letters =
      static_cast<std::size_t>(std::ranges::count_if(term, [](char each) { return each != '.'; }));
  const std::size_t dots = term.find("...");
  const bool has_dots = dots != std::string::npos;
  if (term.size() != letters + (has_dots ? 3 : 0) || letters > rank ||
      (!has_dots && letters < rank))
    site.malformed("its term '" + term + "' does not name " + std::to_string(rank) + " axes");
  Labels labels;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (i == dots) {
      for (std::size_t more = rank - letters; more > 0; --more)
        labels.push_back(kFirstEllipsisLabel + static_cast<int>(more));
      i += 2;
      continue;
    }
    const auto letter = static_cast<unsigned char>(term[i]);
    if (!std::isalpha(letter)) site.malformed("its equation has a '" + term.substr(i, 1) + "'");
    labels.push_back(letter);
  }
  return labels;
}

bool contains(const Labels& labels, int label) {
  return std::ranges::find(labels, label) != labels.end();
}

/// Without "->": the axes of "...", then labels that stand once, in alphabetical order.
Labels implicit_result(const std::vector<Labels>& operands) {
  Labels all;
  for (const Labels& labels : operands) all.insert(all.end(), labels.begin(), labels.end());
  Labels result;
  for (const int label : all)
    if (!contains(result, label) &&
        (label >= kFirstEllipsisLabel || std::ranges::count(all, label) == 1))
      result.push_back(label);
  std::ranges::sort(result, [](int a, int b) {
    const bool a_dots = a >= kFirstEllipsisLabel, b_dots = b >= kFirstEllipsisLabel;
    return a_dots != b_dots ? a_dots : a_dots ? a > b : a < b;
  });
  return result;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> terms{""};
  for (const char each : text)
    if (each == ',')
      terms.emplace_back();
    else
      terms.back() += each;
  return terms;
}

Einsum einsum_of(const Site& site) {
  std::string equation = site.node.text("equation", "");
  std::erase(equation, ' ');
  const std::size_t arrow = equation.find("->");
  const std::vector<std::string> terms = split(equation.substr(0, arrow));
  if (terms.size() != site.node.inputs.size())
    site.malformed("its equation has " + std::to_string(terms.size()) + " terms for " +
                   std::to_string(site.node.inputs.size()) + " inputs");
  Einsum problem;
  for (std::size_t i = 0; i < terms.size(); ++i)
    problem.operands.push_back(labels_of(site, terms[i], site.shape(site.input(i)).size()));
  problem.result = arrow == std::string::npos
                       ? implicit_result(problem.operands)
                       : labels_of(site, equation.substr(arrow + 2), site.output_shape().size());

  Labels order = problem.result;
  for (const Labels& labels : problem.operands)
    for (const int label : labels)
      if (!contains(order, label)) order.push_back(label);
  problem.summed.assign(order.begin() + static_cast<std::ptrdiff_t>(problem.result.size()),
                        order.end());
  problem.sizes.assign(order.size(), -1);
  for (std::size_t i = 0; i < problem.operands.size(); ++i) {
    const std::uint32_t input = site.input(i);
    const Shape shape = site.shape(input), strides = strides_of(shape);
    Shape& steps = problem.operand_strides.emplace_back(order.size(), 0);
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      const int label = problem.operands[i][axis];
      const auto at = static_cast<std::size_t>(std::ranges::find(order, label) - order.begin());
      if (shape[axis] != 1) steps[at] += strides[axis];
      std::int64_t& size = problem.sizes[at];
      if (size > 1 && shape[axis] > 1 && size != shape[axis])
        site.malformed("axes of " + std::to_string(size) + " and " + std::to_string(shape[axis]) +
                       " have one label");
      if (size == -1 || size == 1) size = shape[axis];
      if (contains(problem.summed, label) || std::ranges::count(problem.operands[i], label) > 1)
        site.keep_samples_apart(input, axis);
    }
  }
  Shape expected;
  for (std::size_t i = 0; i < problem.result.size(); ++i) {
    if (problem.sizes[i] < 0) site.malformed("a label of its result is in no term");
    if (std::ranges::count(problem.result, problem.result[i]) > 1)
      site.malformed("a label stands twice in its result");
    expected.push_back(problem.sizes[i]);
  }
  site.expect_output_shape(expected);
  return problem;
}

/// Any number of operands, any labels: one product after the other. T: float or double.
template <class T>
class EinsumKernel final : public Kernel {
 public:
  explicit EinsumKernel(Einsum problem) : problem_(std::move(problem)) {
    const std::size_t results = problem_.result.size();
    rows_ = element_count(Shape(problem_.sizes.begin(),
                                problem_.sizes.begin() + static_cast<std::ptrdiff_t>(results)));
    products_ = element_count(
        Shape(problem_.sizes.begin() + static_cast<std::ptrdiff_t>(results), problem_.sizes.end()));
  }

  void run(const Run& run) const override {
    auto* dst = reinterpret_cast<T*>(run.outputs[0]);
    parallel_for(run.threads, rows_, [&](std::int64_t begin, std::int64_t end) {
      const std::size_t count = problem_.operand_strides.size();
      std::vector<const T*> operands(count);
      for (std::int64_t row = begin; row < end; ++row) {
        for (std::size_t i = 0; i < count; ++i)
          operands[i] =
              reinterpret_cast<const T*>(run.inputs[i]) + offset(i, 0, problem_.result.size(), row);
        double sum = 0;
        for (std::int64_t at = 0; at < products_; ++at) {
          T product = 1;
          for (std::size_t i = 0; i < count; ++i)
            product *= operands[i][offset(i, problem_.result.size(), problem_.sizes.size(), at)];
          sum += static_cast<double>(product);
        }
        dst[row] = static_cast<T>(sum);
      }
    });
  }

 private:
  /// Of operand `index`, at place `at` of the labels first .. last - 1.
  std::int64_t offset(std::size_t index, std::size_t first, std::size_t last,
                      std::int64_t at) const {
    std::int64_t found = 0;
    for (std::size_t label = last; label-- > first; at /= problem_.sizes[label])
      found += at % problem_.sizes[label] * problem_.operand_strides[index][label];
    return found;
  }

  Einsum problem_;
  std::int64_t rows_ = 0, products_ = 0;
};

/// Stacks of matrices: labels in both operands and the result come first there, then one of the
/// left operand, then one of the right; one label is summed over. nullopt: it is no such product.
std::optional<MatMulProblem> matrix_product(const Einsum& problem) {
  if (problem.operands.size() != 2 || problem.summed.size() != 1 || problem.result.size() < 2)
    return std::nullopt;
  const std::size_t stacks = problem.result.size() - 2, depth = problem.result.size();
  const auto steps = [&](std::size_t operand, std::size_t label) {
    return problem.operand_strides[operand][label];
  };
  const auto in = [&](std::size_t operand, std::size_t label) {
    return contains(problem.operands[operand],
                    label < depth ? problem.result[label] : problem.summed[0]);
  };
  for (std::size_t label = 0; label < stacks; ++label)
    if (!in(0, label) || !in(1, label)) return std::nullopt;
  if (!in(0, stacks) || in(1, stacks) || in(0, stacks + 1) || !in(1, stacks + 1) || !in(0, depth) ||
      !in(1, depth))
    return std::nullopt;
  const auto size_in = [&](std::size_t operand, std::size_t label) {
    return steps(operand, label) == 0 ? std::int64_t{1} : problem.sizes[label];
  };
  MatMulProblem product;
  for (std::size_t label = 0; label < stacks; ++label) {
    product.a.shape.push_back(size_in(0, label));
    product.a.strides.push_back(std::max<std::int64_t>(steps(0, label), 1));
    product.b.shape.push_back(size_in(1, label));
    product.b.strides.push_back(std::max<std::int64_t>(steps(1, label), 1));
    product.result.push_back(problem.sizes[label]);
  }
  if (size_in(0, depth) != size_in(1, depth)) return std::nullopt;
  for (const auto& [operand, to, labels] :
       {std::tuple{std::size_t{0}, &product.a, std::array{stacks, depth}},
        std::tuple{std::size_t{1}, &product.b, std::array{depth, stacks + 1}}})
    for (const std::size_t label : labels) {
      to->shape.push_back(problem.sizes[label]);
      to->strides.push_back(std::max<std::int64_t>(steps(operand, label), 1));
    }
  product.result.push_back(problem.sizes[stacks]);
  product.result.push_back(problem.sizes[stacks + 1]);
  return product;
}

}  // namespace

void check_einsum(const Site& site) {
  einsum_of(site);
  for (const std::uint32_t input : site.node.inputs) site.expect_same_type(input, site.output);
  if (!is_float(site.type(site.output)))
    site.refuse(std::string(name_of(site.type(site.output))) + " is not supported");
}

Planned plan_einsum(const Site& site) {
  Einsum problem = einsum_of(site);
  Planned planned;
  for (std::size_t i = 0; i < problem.operands.size(); ++i)
    planned.inputs.push_back({site.input(i), site.own_form(site.input(i))});
  planned.outputs = {{site.output, site.own_form(site.output)}};
  if (site.type(site.output) == DType::f64)
    planned.kernel = std::make_unique<EinsumKernel<double>>(std::move(problem));
  else if (auto product = matrix_product(problem))
    planned.kernel = make_matmul(std::move(*product));
  else
    planned.kernel = std::make_unique<EinsumKernel<float>>(std::move(problem));
  return planned;
}

}  // namespace adze::exec
