// MeanVarianceNormalization over any axes and LpNormalization along one, in floats.
#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/moments.hpp"

namespace adze::exec {
namespace {

enum class Norm : std::uint8_t { mean_variance, l1, l2 };

Norm norm_of(const Site& site) {
  if (site.node.op == "MeanVarianceNormalization") return Norm::mean_variance;
  const std::int64_t p = site.node.integer("p", 2);
  if (p != 1 && p != 2) site.malformed("p is neither 1 nor 2");
  return p == 1 ? Norm::l1 : Norm::l2;
}

/// Which axes are normalized together.
std::vector<char> together(const Site& site) {
  const std::uint32_t input = site.input(0);
  const std::size_t rank = site.shape(input).size();
  const Shape axes = norm_of(site) == Norm::mean_variance ? site.node.integers("axes", {0, 2, 3})
                                                          : Shape{site.node.integer("axis", -1)};
  std::vector<char> chosen(rank, 0);
  for (const std::int64_t axis : axes) {
    const std::size_t at = site.axis(axis, rank);
    site.keep_samples_apart(input, at);
    chosen[at] = 1;
  }
  return chosen;
}

/// Offsets of all places along the axes that are marked so, in row-major order.
std::vector<std::int64_t> offsets_of(const Shape& shape, const std::vector<char>& marks,
                                     char mark) {
  const Shape strides = strides_of(shape);
  std::vector<std::int64_t> offsets{0};
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (marks[axis] != mark) continue;
    std::vector<std::int64_t> next;
    for (const std::int64_t offset : offsets)
      for (std::int64_t i = 0; i < shape[axis]; ++i) next.push_back(offset + i * strides[axis]);
    offsets = std::move(next);
  }
  return offsets;
}

class AxesNormalizationKernel final : public Kernel {
 public:
  AxesNormalizationKernel(Norm function, std::vector<std::int64_t> groups,
                          std::vector<std::int64_t> members)
      : function_(function), groups_(std::move(groups)), members_(std::move(members)) {}

  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    parallel_for(run.threads, static_cast<std::int64_t>(groups_.size()),
                 [&](std::int64_t begin, std::int64_t end) {
                   std::vector<float> elements(members_.size());
                   for (std::int64_t i = begin; i < end; ++i) {
                     const std::int64_t at = groups_[static_cast<std::size_t>(i)];
                     for (std::size_t m = 0; m < members_.size(); ++m)
                       elements[m] = src[at + members_[m]];
                     normalize(elements);
                     for (std::size_t m = 0; m < members_.size(); ++m)
                       dst[at + members_[m]] = elements[m];
                   }
                 });
  }

 private:
  void normalize(std::vector<float>& elements) const {
    const auto count = static_cast<std::int64_t>(elements.size());
    if (function_ == Norm::mean_variance) {
      constexpr double kEpsilon = 1e-9;  // of the ONNX specification
      const Moments moments = moments_of(elements.data(), count);
      const double deviation = std::sqrt(moments.variance) + kEpsilon;
      for (float& x : elements) x = static_cast<float>((x - moments.mean) / deviation);
      return;
    }
    double norm = 0;
    for (const float x : elements)
      norm += function_ == Norm::l1 ? std::abs(static_cast<double>(x))
                                    : static_cast<double>(x) * static_cast<double>(x);
    if (function_ == Norm::l2) norm = std::sqrt(norm);
    for (float& x : elements) x = norm == 0 ? 0 : static_cast<float>(x / norm);
  }

  Norm function_;
  std::vector<std::int64_t> groups_, members_;
};

}  // namespace

void check_axes_normalization(const Site& site) {
  together(site);
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned plan_axes_normalization(const Site& site) {
  const Shape shape = site.shape(site.input(0));
  const std::vector<char> chosen = together(site);
  Planned planned;
  planned.inputs = {{site.input(0), {}}};
  planned.outputs = {{site.output, {}}};
  planned.kernel = std::make_unique<AxesNormalizationKernel>(
      norm_of(site), offsets_of(shape, chosen, 0), offsets_of(shape, chosen, 1));
  return planned;
}

}  // namespace adze::exec
