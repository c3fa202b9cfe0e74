// The operators of a Network.
#pragma once

#include <algorithm>
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

/// body(output row, first position of the kernel, positions, first input row or -1 for some
/// outside) for `samples` samples: positions side by side in the kernel that see input rows side by
/// side, at most `most` of them.
template <class Body>
void for_each_run(const Window& window, const Extent& in, const Extent& out, std::int64_t samples,
                  std::int64_t most, const Body& body) {
  const std::int64_t length = window.dilation_x == 1 ? std::min(window.width, most) : 1;
  std::int64_t row = 0;
  for (std::int64_t sample = 0; sample < samples; ++sample)
    for (std::int64_t y = 0; y < out.height; ++y)
      for (std::int64_t x = 0; x < out.width; ++x, ++row)
        for (std::int64_t tap = 0; tap < window.positions();) {
          const std::int64_t column = tap % window.width;
          const std::int64_t run = std::min(length, window.width - column);
          const std::int64_t from_y =
              y * window.stride_y - window.top + tap / window.width * window.dilation_y;
          const std::int64_t from_x =
              x * window.stride_x - window.left + column * window.dilation_x;
          const bool inside = from_y >= 0 && from_y < in.height;
          const std::int64_t first = inside ? std::clamp<std::int64_t>(-from_x, 0, run) : run;
          const std::int64_t end =
              inside ? std::clamp<std::int64_t>(in.width - from_x, 0, run) : run;
          if (first > 0) body(row, tap, first, -1);
          if (end > first)
            body(row, tap + first, end - first,
                 (sample * in.height + from_y) * in.width + from_x + first);
          if (end < run) body(row, tap + end, run - end, -1);
          tap += run;
        }
}

/// The same, position by position: body(output row, position of the kernel, input row or -1).
template <class Body>
void for_each_tap(const Window& window, const Extent& in, const Extent& out, std::int64_t samples,
                  const Body& body) {
  for_each_run(window, in, out, samples, 1,
               [&](std::int64_t row, std::int64_t tap, std::int64_t, std::int64_t from) {
                 body(row, tap, from);
               });
}

/// From the node's attributes; the kernel's size is given. height 0: not known here.
Window window_of(const adze_node& node, std::int64_t height, std::int64_t width,
                 const Extent& input);

const adze_property* attribute_of(const adze_node& node, std::string_view name);
std::int64_t integer_of(const adze_node& node, std::string_view name, std::int64_t fallback);
double number_of(const adze_node& node, std::string_view name, double fallback);

}  // namespace reconstruct
