#include "host/calibrate/unfold.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "host/base/error.hpp"

namespace adze::host {

Unfold::Unfold(const Graph& graph, std::uint32_t index) {
  const Node& node = graph.nodes.at(index);
  name_ = node.name;
  const std::uint32_t weight_index = weight_of(graph, node);
  if (weight_index == kNone || node.op == "ConvTranspose" || node.inputs[0] == kNone)
    throw Error(
        ADZE_INVALID_ARGUMENT,
        fmt::format("node '{}' ({}) has no unfolded input: only Conv, Gemm and MatMul with a "
                    "constant weight have one",
                    name_, node.op));
  input_ = node.inputs[0];
  const Shape& weight = graph.value(weight_index).constant->shape();
  if (node.op == "Conv") {
    read_convolution(node, weight);
    return;
  }
  if (weight.size() > 2)
    throw Error(ADZE_UNIMPLEMENTED, fmt::format("node '{}': its weight {} is a stack of matrices",
                                                name_, to_string(weight)));
  transposed_ = node.op == "Gemm" && attribute_or<std::int64_t>(node, "transA", 0) != 0;
  const bool rows_are_outputs =
      node.op == "Gemm" && attribute_or<std::int64_t>(node, "transB", 0) != 0;
  weights_ = weight.at(rows_are_outputs ? 1 : 0);
  outputs_ = weight.size() == 1 ? 1 : weight[rows_are_outputs ? 0 : 1];
}

void Unfold::read_convolution(const Node& node, const Shape& weight) {
  convolution_ = true;
  if (weight.size() < 3 || weight.size() > 4)
    throw Error(
        ADZE_UNIMPLEMENTED,
        fmt::format("node '{}': convolutions over {} axes are not unfolded, only over 1 or 2",
                    name_, static_cast<std::int64_t>(weight.size()) - 2));
  spatial_axes_ = weight.size() - 2;
  groups_ = attribute_or<std::int64_t>(node, "group", 1);
  outputs_ = weight[0];
  channels_ = weight[1] * groups_;
  weights_ = element_count(weight) / std::max<std::int64_t>(1, weight[0]);
  auto_pad_ = attribute_or<std::string>(node, "auto_pad", "NOTSET");
  const auto list = [&](const char* name, std::int64_t fallback, std::size_t count) {
    auto sizes = attribute_or<std::vector<std::int64_t>>(node, name, {});
    if (sizes.empty()) sizes.assign(count, fallback);
    if (sizes.size() != count)
      throw Error(ADZE_INVALID_ARGUMENT, fmt::format("node '{}': {} has {} entries, not {}", name_,
                                                     name, sizes.size(), count));
    return sizes;
  };
  const auto strides = list("strides", 1, spatial_axes_);
  const auto dilations = list("dilations", 1, spatial_axes_);
  const auto pads = list("pads", 0, 2 * spatial_axes_);
  for (std::size_t i = 0; i < spatial_axes_; ++i)
    (i + 1 == spatial_axes_ ? width_ : height_) = {.kernel = weight[2 + i],
                                                   .stride = strides[i],
                                                   .dilation = dilations[i],
                                                   .pad_begin = pads[i],
                                                   .pad_end = pads[spatial_axes_ + i]};
  if (groups_ < 1 || outputs_ % groups_ != 0 || std::ranges::min(strides) < 1 ||
      std::ranges::min(dilations) < 1)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("node '{}': groups, strides or dilations make no sense", name_));
}

Unfold::Window Unfold::window(const Axis& axis, std::int64_t size) const {
  const std::int64_t reach = (axis.kernel - 1) * axis.dilation + 1;
  std::int64_t begin = axis.pad_begin, end = axis.pad_end;
  if (auto_pad_ == "VALID") begin = end = 0;
  if (auto_pad_ == "SAME_UPPER" || auto_pad_ == "SAME_LOWER") {
    const std::int64_t outputs = (size + axis.stride - 1) / axis.stride;
    const std::int64_t total =
        std::max<std::int64_t>(0, (outputs - 1) * axis.stride + reach - size);
    begin = auto_pad_ == "SAME_UPPER" ? total / 2 : total - total / 2;
    end = total - begin;
  }
  const std::int64_t room = size + begin + end - reach;
  return {room < 0 ? 0 : room / axis.stride + 1, begin};
}

std::int64_t Unfold::positions(const Shape& shape) const {
  const auto check = [&](bool fits) {
    if (!fits)
      throw Error(
          ADZE_INVALID_ARGUMENT,
          fmt::format("node '{}': its input {} does not fit its weight", name_, to_string(shape)));
  };
  if (convolution_) {
    check(shape.size() == 2 + spatial_axes_ && shape[1] == channels_);
    const std::int64_t rows = spatial_axes_ == 2 ? window(height_, shape[2]).outputs : 1;
    return shape[0] * rows * window(width_, shape.back()).outputs;
  }
  check(!shape.empty() && (transposed_ ? shape.front() : shape.back()) == weights_);
  check(!transposed_ || shape.size() == 2);
  return weights_ ? element_count(shape) / weights_ : 0;
}

void Unfold::fill(std::span<const float> elements, const Shape& shape, std::int64_t first,
                  std::int64_t count, float* block, std::int64_t stride) const {
  for (std::int64_t group = 0; group < groups_; ++group)
    std::fill_n(block + (group * rows() + weights_) * stride, count, 1.0f);
  if (convolution_) return fill_convolution(elements.data(), shape, first, count, block, stride);
  if (transposed_) {
    for (std::int64_t row = 0; row < weights_; ++row)
      std::copy_n(elements.data() + row * shape[1] + first, count, block + row * stride);
    return;
  }
  const float* from = elements.data() + first * weights_;
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t row = 0; row < weights_; ++row) block[row * stride + i] = *from++;
}

namespace {

// Part of one row of output positions.
struct Segment {
  std::int64_t image, y, x, length;
};

// to[i] = from[x + i * stride], 0 outside of [0, size).
void copy_padded(const float* from, std::int64_t size, std::int64_t x, std::int64_t stride,
                 std::int64_t count, float* to) {
  if (stride == 1) {
    const std::int64_t begin = std::clamp<std::int64_t>(-x, 0, count);
    const std::int64_t end = std::clamp<std::int64_t>(size - x, begin, count);
    std::fill_n(to, begin, 0.0f);
    std::copy(from + x + begin, from + x + end, to + begin);
    std::fill_n(to + end, count - end, 0.0f);
    return;
  }
  for (std::int64_t i = 0; i < count; ++i, x += stride) to[i] = x >= 0 && x < size ? from[x] : 0.0f;
}

}  // namespace

void Unfold::fill_convolution(const float* elements, const Shape& shape, std::int64_t first,
                              std::int64_t count, float* block, std::int64_t stride) const {
  const std::int64_t height = spatial_axes_ == 2 ? shape[2] : 1, width = shape.back();
  const Window down = window(height_, height), across = window(width_, width);
  std::vector<Segment> segments;
  for (std::int64_t at = first; at < first + count;) {
    const std::int64_t x = at % across.outputs, row = at / across.outputs;
    const std::int64_t length = std::min(across.outputs - x, first + count - at);
    segments.push_back({row / down.outputs, row % down.outputs, x, length});
    at += length;
  }
  const std::int64_t channels_per_group = channels_ / groups_;
  for (std::int64_t channel = 0; channel < channels_; ++channel) {
    const std::int64_t group = channel / channels_per_group;
    std::int64_t row =
        group * rows() + channel % channels_per_group * height_.kernel * width_.kernel;
    for (std::int64_t ky = 0; ky < height_.kernel; ++ky)
      for (std::int64_t kx = 0; kx < width_.kernel; ++kx, ++row) {
        float* to = block + row * stride;
        for (const Segment& segment : segments) {
          const std::int64_t y =
              segment.y * height_.stride - down.pad_begin + ky * height_.dilation;
          const std::int64_t x =
              segment.x * width_.stride - across.pad_begin + kx * width_.dilation;
          if (y < 0 || y >= height)
            std::fill_n(to, segment.length, 0.0f);
          else
            copy_padded(elements + ((segment.image * channels_ + channel) * height + y) * width,
                        width, x, width_.stride, segment.length, to);
          to += segment.length;
        }
      }
  }
}

}  // namespace adze::host
