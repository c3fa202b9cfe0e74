// The input of a Conv, Gemm or MatMul as columns: what each output element multiplies its weights
// with.
#pragma once

#include <cstdint>
#include <span>

#include "host/graph/graph.hpp"

namespace adze::host {

/// X of a node, a column an output position. A block holds some columns: for each group `rows()`
/// rows of `stride` floats, ordered as one output's weights lie in memory, the last row all ones
/// for the bias.
class Unfold {
 public:
  /// Errors: INVALID_ARGUMENT when the node is no Conv, Gemm or MatMul with a constant weight,
  /// UNIMPLEMENTED for convolutions over three or more axes and MatMul with stacked weights.
  Unfold(const Graph& graph, std::uint32_t node);

  const std::string& name() const { return name_; }
  std::uint32_t input() const { return input_; }  ///< the value that is unfolded
  std::int64_t groups() const { return groups_; }
  std::int64_t rows() const { return weights_ + 1; }
  std::int64_t outputs() const { return outputs_; }
  /// Where the node's output, and whatever has its positions, keeps its channels: the last axis, or
  /// axis 1.
  bool channels_last() const { return !convolution_; }

  /// Columns that an input of this shape has. Errors: INVALID_ARGUMENT when it does not fit.
  std::int64_t positions(const Shape& shape) const;
  /// Images that an input of this shape holds; `positions` are spread evenly over them. 1 unless
  /// Conv.
  std::int64_t images(const Shape& shape) const { return convolution_ ? shape[0] : 1; }
  /// Columns [first, first + count) to block[row * stride + i].
  void fill(std::span<const float> elements, const Shape& shape, std::int64_t first,
            std::int64_t count, float* block, std::int64_t stride) const;

 private:
  // One spatial axis; a 1-D convolution has a height of 1.
  struct Axis {
    std::int64_t kernel = 1, stride = 1, dilation = 1, pad_begin = 0, pad_end = 0;
  };
  struct Window {
    std::int64_t outputs, pad_begin;
  };
  Window window(const Axis& axis, std::int64_t size) const;
  void read_convolution(const Node& node, const Shape& weight);
  void fill_convolution(const float* elements, const Shape& shape, std::int64_t first,
                        std::int64_t count, float* block, std::int64_t stride) const;

  std::string name_, auto_pad_ = "NOTSET";
  std::uint32_t input_ = kNone;
  bool convolution_ = false, transposed_ = false;
  std::int64_t groups_ = 1, weights_ = 0, outputs_ = 0, channels_ = 0;
  std::size_t spatial_axes_ = 0;
  Axis height_, width_;
};

}  // namespace adze::host
