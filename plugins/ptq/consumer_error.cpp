#include "plugins/ptq/consumer_error.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <random>

#include "plugins/pruning/parallel.hpp"
#include "plugins/ptq/channels.hpp"

namespace ptq {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr Eigen::Index kPositions = 512;
constexpr std::size_t kElements = 1 << 16;

/// The result does not depend on the standard library's distributions.
std::int64_t draw(std::mt19937_64& random, std::int64_t below) {
  return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(below));
}

Matrix rounded(const Matrix& values, const Grid& grid, int bits) {
  const auto zero = static_cast<float>(grid.zero_point);
  const auto highest = static_cast<float>((1 << bits) - 1);
  return ((values.array() / grid.scale).rint() + zero)
      .max(0.0f)
      .min(highest)
      .matrix()
      .unaryExpr([&](float level) { return (level - zero) * grid.scale; });
}

struct Samples {
  const float* elements;
  std::int64_t count;               ///< of samples
  std::vector<std::int64_t> shape;  ///< of one, without the batch
  std::int64_t size = 1;            ///< elements of one
};

Samples samples_of(const adze_stat& stat) {
  Samples made{static_cast<const float*>(stat.data.data) + stat.data.byte_offset / sizeof(float),
               stat.data.shape[0],
               {stat.data.shape + 1, stat.data.shape + stat.data.ndim}};
  for (const std::int64_t size : made.shape) made.size *= size;
  return made;
}

std::vector<std::int64_t> integers(const adze_node& node, std::string_view name,
                                   std::vector<std::int64_t> otherwise) {
  for (std::uint64_t i = 0; i < node.attribute_count; ++i)
    if (node.attributes[i]->name == name && node.attributes[i]->i64)
      return {node.attributes[i]->i64, node.attributes[i]->i64 + node.attributes[i]->count};
  return otherwise;
}

/// What a layer multiplies its weights with, at some of its output positions: a row each.
class Windows {
 public:
  Windows(const EditedModel& model, const pruning::Layer& layer, const Samples& samples)
      : layer_(layer), samples_(samples) {
    const adze_node& node = model.node(layer.node);
    is_conv_ = std::string_view(node.op) == "Conv";
    const adze_value& output = model.value(node.outputs[0]);
    if (!is_conv_) {
      const auto transposed = integers(node, "transA", {0});
      usable_ =
          transposed[0] == 0 && !samples.shape.empty() && samples.shape.back() == layer.columns;
      return;
    }
    usable_ =
        samples.shape.size() == 3 && output.rank == 4 && output.shape[2] > 0 && output.shape[3] > 0;
    if (!usable_) return;
    const adze_tensor& weight = *model.value(layer.weight).constant;
    for (int axis = 0; axis < 2; ++axis) {
      kernel_[axis] = weight.shape[2 + axis];
      output_[axis] = output.shape[2 + axis];
      stride_[axis] = integers(node, "strides", {1, 1})[static_cast<std::size_t>(axis)];
      dilation_[axis] = integers(node, "dilations", {1, 1})[static_cast<std::size_t>(axis)];
      const std::int64_t reach =
          (output_[axis] - 1) * stride_[axis] + (kernel_[axis] - 1) * dilation_[axis] + 1;
      const std::int64_t missing = std::max<std::int64_t>(0, reach - samples.shape[1 + axis]);
      // Where the file leaves the padding to be computed, it is about half on each side.
      pad_[axis] = integers(node, "pads", {}).empty()
                       ? missing / 2
                       : integers(node, "pads", {})[static_cast<std::size_t>(axis)];
    }
  }

  bool usable() const { return usable_; }

  /// All groups of the layer side by side.
  Matrix draw_rows(std::mt19937_64& random) const {
    Matrix rows(kPositions, layer_.columns * layer_.groups);
    for (Eigen::Index row = 0; row < rows.rows(); ++row) {
      const float* sample = samples_.elements + draw(random, samples_.count) * samples_.size;
      if (is_conv_) {
        const std::int64_t y = draw(random, output_[0]), x = draw(random, output_[1]);
        take_window(sample, y * stride_[0] - pad_[0], x * stride_[1] - pad_[1],
                    rows.row(row).data());
      } else {
        const float* from = sample + draw(random, samples_.size / layer_.columns) * layer_.columns;
        std::copy(from, from + layer_.columns, rows.row(row).data());
      }
    }
    return rows;
  }

 private:
  void take_window(const float* sample, std::int64_t top, std::int64_t left, float* to) const {
    const std::int64_t height = samples_.shape[1], width = samples_.shape[2];
    for (std::int64_t channel = 0; channel < samples_.shape[0]; ++channel)
      for (std::int64_t i = 0; i < kernel_[0]; ++i)
        for (std::int64_t j = 0; j < kernel_[1]; ++j) {
          const std::int64_t y = top + i * dilation_[0], x = left + j * dilation_[1];
          const bool inside = y >= 0 && y < height && x >= 0 && x < width;
          *to++ = inside ? sample[(channel * height + y) * width + x] : 0;
        }
  }

  const pruning::Layer& layer_;
  const Samples& samples_;
  bool usable_ = false, is_conv_ = false;
  std::int64_t kernel_[2] = {}, output_[2] = {}, stride_[2] = {}, dilation_[2] = {}, pad_[2] = {};
};

/// A row an output.
Matrix weight_matrix(const EditedModel& model, const pruning::Layer& layer) {
  const auto contents = model.constant(layer.weight);
  Matrix weights(layer.rows, layer.columns);
  for (std::int64_t row = 0; row < layer.rows; ++row)
    for (std::int64_t column = 0; column < layer.columns; ++column)
      weights(row, column) = contents[layer.index(row, column)];
  return weights;
}

double power_of_answers(const Matrix& inputs, const Matrix& weights, const pruning::Layer& layer) {
  double power = 0;
  for (std::int64_t group = 0; group < layer.groups; ++group) {
    const Matrix answers =
        inputs.middleCols(group * layer.columns, layer.columns) *
        weights.middleRows(group * layer.group_rows(), layer.group_rows()).transpose();
    power += answers.cast<double>().squaredNorm();
  }
  return power;
}

void add_layer_errors(const EditedModel& model, const pruning::Layer& layer, const Windows& windows,
                      std::span<const Grid> grids, int bits, std::mt19937_64& random,
                      std::vector<double>& errors) {
  const Matrix inputs = windows.draw_rows(random), weights = weight_matrix(model, layer);
  const double signal = power_of_answers(inputs, weights, layer);
  if (signal <= 0) return;
  for (std::size_t i = 0; i < grids.size(); ++i) {
    const Matrix noise = rounded(inputs, grids[i], bits) - inputs;
    errors[i] += power_of_answers(noise, weights, layer) / signal;
  }
}

void add_own_errors(const Samples& samples, std::span<const Grid> grids, int bits,
                    std::mt19937_64& random, std::vector<double>& errors) {
  const std::int64_t all = samples.count * samples.size;
  Matrix values(1, static_cast<Eigen::Index>(
                       std::min<std::size_t>(kElements, static_cast<std::size_t>(all))));
  for (Eigen::Index i = 0; i < values.cols(); ++i)
    values(0, i) = samples.elements[draw(random, all)];
  const double signal = values.cast<double>().squaredNorm();
  if (signal <= 0) return;
  for (std::size_t i = 0; i < grids.size(); ++i)
    errors[i] += (rounded(values, grids[i], bits) - values).cast<double>().squaredNorm() / signal;
}

}  // namespace

std::vector<double> consumer_errors(const EditedModel& model, std::uint32_t value,
                                    const adze_stat& stat, std::span<const Grid> grids, int bits,
                                    std::uint64_t seed) {
  const pruning::OneBlasThread one;
  const Samples samples = samples_of(stat);
  std::vector<double> errors(grids.size(), 0);
  if (samples.count * samples.size == 0) return errors;
  std::mt19937_64 random(seed + value);
  const adze_value& shown = model.value(value);
  bool other_readers = shown.consumer_count == 0;
  for (std::uint64_t i = 0; i < shown.consumer_count; ++i) {
    const std::uint32_t reader = shown.consumers[i];
    const auto layer = layer_at(model.graph(), reader);
    if (!layer || model.node(reader).inputs[0] != value) {
      other_readers = true;
      continue;
    }
    const Windows windows(model, *layer, samples);
    if (windows.usable())
      add_layer_errors(model, *layer, windows, grids, bits, random, errors);
    else
      other_readers = true;
  }
  if (other_readers) add_own_errors(samples, grids, bits, random, errors);
  return errors;
}

}  // namespace ptq
