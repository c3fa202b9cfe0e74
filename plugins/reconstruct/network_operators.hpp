// The operators of a Network.
#pragma once

#include <memory>
#include <string_view>

#include "plugins/reconstruct/network.hpp"

namespace reconstruct {

/// An operator of the graph with what it makes, and how its weight is ordered here.
struct MadeOperator {
  std::unique_ptr<Operator> made;  ///< null: not known here
  Extent extent;                   ///< of its output
  std::vector<std::uint32_t> weight_order;
};

/// Conv, Gemm and MatMul.
MadeOperator linear_operator(const adze_graph& graph, const adze_node& node, const Extent& input);

/// Relu, Clip, LeakyRelu, Sigmoid, Tanh, HardSigmoid, HardSwish; Identity, Dropout.
MadeOperator function_operator(const adze_graph& graph, const adze_node& node, const Extent& input);

/// Add and Mul of two computed values (the second perhaps a number a channel), Concat of channels.
MadeOperator joining_operator(const adze_node& node, std::span<const Extent> inputs);

/// MaxPool, AveragePool, GlobalAveragePool.
MadeOperator pooling_operator(const adze_node& node, const Extent& input);

/// Flatten, Reshape and Squeeze to one row a sample.
MadeOperator shape_operator(const adze_graph& graph, const adze_node& node, const Extent& input);

/// A window that moves over the input.
struct Window {
  std::int64_t height = 1, width = 1;
  std::int64_t stride_y = 1, stride_x = 1, dilation_y = 1, dilation_x = 1, top = 0, left = 0;
  std::int64_t bottom = 0, right = 0;
  std::int64_t positions() const { return height * width; }
  std::int64_t outputs_y(const Extent& input) const;
  std::int64_t outputs_x(const Extent& input) const;
};

/// body(output row, position of the kernel, input row or -1 for one outside) for `samples` samples.
template <class Body>
void for_each_tap(const Window& window, const Extent& in, const Extent& out, std::int64_t samples,
                  const Body& body) {
  std::int64_t row = 0;
  for (std::int64_t sample = 0; sample < samples; ++sample)
    for (std::int64_t y = 0; y < out.height; ++y)
      for (std::int64_t x = 0; x < out.width; ++x, ++row)
        for (std::int64_t tap = 0; tap < window.positions(); ++tap) {
          const std::int64_t from_y =
              y * window.stride_y - window.top + tap / window.width * window.dilation_y;
          const std::int64_t from_x =
              x * window.stride_x - window.left + tap % window.width * window.dilation_x;
          const bool inside = from_y >= 0 && from_y < in.height && from_x >= 0 && from_x < in.width;
          body(row, tap, inside ? (sample * in.height + from_y) * in.width + from_x : -1);
        }
}

/// From the node's attributes; the kernel's size is given. height 0: not known here.
Window window_of(const adze_node& node, std::int64_t height, std::int64_t width,
                 const Extent& input);

const adze_property* attribute_of(const adze_node& node, std::string_view name);
std::int64_t integer_of(const adze_node& node, std::string_view name, std::int64_t fallback);
double number_of(const adze_node& node, std::string_view name, double fallback);

}  // namespace reconstruct
