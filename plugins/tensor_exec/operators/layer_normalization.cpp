// LayerNormalization and RMSNormalization over the last axes, in floats.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/axes.hpp"
#include "plugins/tensor_exec/operators/moments.hpp"

namespace adze::exec {
namespace {

struct LayerNormalization {
  std::int64_t rows = 1, width = 1;
  double epsilon = 0;
  bool centred = true;  ///< false: RMSNormalization, which leaves the mean in
  /// Element of scale and bias for each element of a row; empty: the same index.
  std::vector<std::int64_t> scale_map, bias_map;
  bool has_bias = false;
  /// Places of the optional results among the step's outputs; -1: not asked for.
  int mean_output = -1, deviation_output = -1;
};

class LayerNormalizationKernel final : public Kernel {
 public:
  explicit LayerNormalizationKernel(LayerNormalization problem) : problem_(std::move(problem)) {}

  void run(const Run& run) const override {
    const LayerNormalization& p = problem_;
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    const auto* scale = reinterpret_cast<const float*>(run.inputs[1]);
    const auto* bias = p.has_bias ? reinterpret_cast<const float*>(run.inputs[2]) : nullptr;
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    const auto result = [&](int output, std::int64_t row, double value) {
      if (output >= 0)
        reinterpret_cast<float*>(run.outputs[output])[row] = static_cast<float>(value);
    };
    parallel_for(run.threads, p.rows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const float* from = src + row * p.width;
        const Moments moments =
            p.centred ? moments_of(from, p.width) : Moments{0, mean_square_of(from, p.width)};
        const double inverse = 1 / std::sqrt(moments.variance + p.epsilon);
        result(p.mean_output, row, moments.mean);
        result(p.deviation_output, row, inverse);
        float* to = dst + row * p.width;
        normalize(from, p.width, static_cast<float>(moments.mean), static_cast<float>(inverse), to);
        multiply(scale, p.scale_map, to);
        if (bias) add(bias, p.bias_map, to);
      }
    });
  }

 private:
  static void normalize(const float* from, std::int64_t count, float mean, float factor,
                        float* to) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = (from[i] - mean) * factor;
  }
  void multiply(const float* scale, const std::vector<std::int64_t>& map, float* to) const {
    if (map.empty()) {
      for (std::int64_t i = 0; i < problem_.width; ++i) to[i] *= scale[i];
      return;
    }
    for (std::size_t i = 0; i < map.size(); ++i) to[i] *= scale[map[i]];
  }
  void add(const float* bias, const std::vector<std::int64_t>& map, float* to) const {
    if (map.empty()) {
      for (std::int64_t i = 0; i < problem_.width; ++i) to[i] += bias[i];
      return;
    }
    for (std::size_t i = 0; i < map.size(); ++i) to[i] += bias[map[i]];
  }

  LayerNormalization problem_;
};

std::size_t first_axis(const Site& site) {
  const Shape in = site.shape(site.input(0));
  return site.axis(site.node.integer("axis", -1), in.size());
}

/// Leading axes of 1 add nothing: a parameter belongs to the normalized axes.
std::vector<std::int64_t> parameter_map(const Site& site, std::size_t input, const Shape& row) {
  Shape shape = site.shape(site.input(input));
  while (shape.size() > row.size() && shape.front() == 1) shape.erase(shape.begin());
  if (shape.size() > row.size())
    site.refuse("scale and bias that differ along other axes are not supported");
  if (shape == row) return {};
  return broadcast_map(site, shape, row);
}

LayerNormalization layer_normalization_of(const Site& site) {
  const Shape in = site.shape(site.input(0));
  const std::size_t axis = first_axis(site);
  for (std::size_t i = axis; i < in.size(); ++i) site.keep_samples_apart(site.input(0), i);
  const Shape row(in.begin() + static_cast<std::ptrdiff_t>(axis), in.end());
  const Extents extents = extents_around(in, axis, in.size());
  LayerNormalization problem;
  problem.rows = extents.outer;
  problem.width = extents.middle;
  problem.epsilon = site.node.number("epsilon", 1e-5);
  problem.centred = site.node.op == "LayerNormalization";
  problem.scale_map = parameter_map(site, 1, row);
  problem.has_bias = problem.centred && site.has_input(2);
  if (problem.has_bias) problem.bias_map = parameter_map(site, 2, row);
  return problem;
}

bool has_output(const Site& site, std::size_t index) {
  return index < site.node.outputs.size() && site.node.outputs[index] != ADZE_NONE;
}

}  // namespace

void check_layer_normalization(const Site& site) {
  layer_normalization_of(site);
  if (site.node.integer("stash_type", 1) != 1)
    site.refuse("only float32 is supported for its mean and deviation");
  const Shape in = site.shape(site.input(0));
  site.expect_output_shape(in);
  Shape reduced = in;
  for (std::size_t axis = first_axis(site); axis < in.size(); ++axis) reduced[axis] = 1;
  for (std::size_t i = 1; i < site.node.outputs.size(); ++i)
    if (has_output(site, i) && (i > 2 || site.shape(site.node.outputs[i]) != reduced))
      site.malformed("its mean or deviation has the wrong shape");
}

Planned plan_layer_normalization(const Site& site) {
  LayerNormalization problem = layer_normalization_of(site);
  Planned planned;
  planned.inputs = {{site.input(0), {}}, {site.input(1), {}}};
  if (problem.has_bias) planned.inputs.push_back({site.input(2), {}});
  planned.outputs = {{site.output, {}}};
  for (const auto& [index, place] :
       {std::pair{1, &problem.mean_output}, std::pair{2, &problem.deviation_output}}) {
    if (!has_output(site, static_cast<std::size_t>(index))) continue;
    *place = static_cast<int>(planned.outputs.size());
    planned.outputs.push_back({site.node.outputs[static_cast<std::size_t>(index)], {}});
  }
  planned.kernel = std::make_unique<LayerNormalizationKernel>(std::move(problem));
  return planned;
}

}  // namespace adze::exec
