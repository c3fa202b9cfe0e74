#include "plugins/qat/operators.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/erf.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/hardsigmoid.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/pixel_shuffle.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <string>
#include <string_view>

#include "plugins/qat/node_facts.hpp"

namespace qat {
namespace {

using Sizes = std::vector<std::int64_t>;

/// One result of one input.
template <class Compute>
Operator unary(Compute compute) {
  return [compute](const Tensors& in) { return Tensors{compute(in[0])}; };
}

template <class Compute>
Operator binary(Compute compute) {
  return [compute](const Tensors& in) { return Tensors{compute(in[0], in[1])}; };
}

/// Where a window starts and ends beyond the image. ONNX allows both to differ, LibTorch does not.
struct Padding {
  Sizes begin, end;
  bool is_even() const { return begin == end; }
};

std::size_t spatial_rank(const NodeFacts& node) {
  const std::int32_t rank = node.input(0).rank;
  if (rank < 3) node.refuse("its input has no spatial axes");
  return static_cast<std::size_t>(rank) - 2;
}

Sizes sizes_or(Sizes given, std::size_t count, std::int64_t absent) {
  return given.empty() ? Sizes(count, absent) : given;
}

Padding padding_of(const NodeFacts& node, const Sizes& kernel, const Sizes& stride,
                   const Sizes& dilation) {
  const std::size_t rank = kernel.size();
  Padding padding{Sizes(rank, 0), Sizes(rank, 0)};
  const std::string_view how = node.text("auto_pad", "NOTSET");
  if (how == "SAME_UPPER" || how == "SAME_LOWER") {
    for (std::size_t i = 0; i < rank; ++i) {
      const std::int64_t size = node.input(0).shape[i + 2];
      if (size <= 0) node.refuse("auto_pad needs a known size of its input");
      const std::int64_t out = (size + stride[i] - 1) / stride[i];
      const std::int64_t reach = (out - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1;
      const std::int64_t total = std::max<std::int64_t>(reach - size, 0);
      padding.begin[i] = how == "SAME_UPPER" ? total / 2 : total - total / 2;
      padding.end[i] = total - padding.begin[i];
    }
  } else if (const Sizes pads = node.integers("pads"); how == "NOTSET" && !pads.empty()) {
    if (pads.size() != 2 * rank) node.refuse("'pads' has another number of axes");
    padding.begin.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(rank));
    padding.end.assign(pads.begin() + static_cast<std::ptrdiff_t>(rank), pads.end());
  }
  return padding;
}

/// `x` with a border of `filler` around its spatial axes.
at::Tensor bordered(const at::Tensor& x, const Padding& padding, double filler) {
  Sizes last_axis_first;
  for (std::size_t i = padding.begin.size(); i-- > 0;) {
    last_axis_first.push_back(padding.begin[i]);
    last_axis_first.push_back(padding.end[i]);
  }
  return at::constant_pad_nd(x, last_axis_first, filler);
}

Operator convolution(const NodeFacts& node, bool transposed) {
  const std::size_t rank = spatial_rank(node);
  const adze_value& weight = node.input(1);
  if (weight.rank != static_cast<std::int32_t>(rank + 2))
    node.refuse("its weight has another rank");
  const Sizes kernel(weight.shape + 2, weight.shape + weight.rank);
  const Sizes stride = sizes_or(node.integers("strides"), rank, 1);
  const Sizes dilation = sizes_or(node.integers("dilations"), rank, 1);
  const Sizes extra = sizes_or(node.integers("output_padding"), rank, 0);
  if (transposed &&
      (node.text("auto_pad", "NOTSET") != "NOTSET" || !node.integers("output_shape").empty()))
    node.refuse("auto_pad and output_shape are not supported");
  Padding padding = padding_of(node, kernel, stride, dilation);
  if (transposed && !padding.is_even()) node.refuse("uneven pads are not supported");
  const std::int64_t groups = node.integer("group", 1);
  return [=](const Tensors& in) {
    const at::Tensor bias = in.size() > 2 ? in[2] : at::Tensor();
    const at::Tensor x = padding.is_even() ? in[0] : bordered(in[0], padding, 0);
    return Tensors{at::convolution(x, in[1], bias, stride,
                                   padding.is_even() ? padding.begin : Sizes(rank, 0), dilation,
                                   transposed, extra, groups)};
  };
}

Operator gemm(const NodeFacts& node) {
  const double alpha = node.number("alpha", 1), beta = node.number("beta", 1);
  const bool turn_a = node.integer("transA", 0) != 0, turn_b = node.integer("transB", 0) != 0;
  return [=](const Tensors& in) {
    at::Tensor y = at::matmul(turn_a ? in[0].t() : in[0], turn_b ? in[1].t() : in[1]);
    if (alpha != 1) y = y * alpha;
    if (in.size() > 2 && in[2].defined()) y = y + (beta == 1 ? in[2] : in[2] * beta);
    return Tensors{y};
  };
}

Operator pool(const NodeFacts& node, bool largest) {
  if (spatial_rank(node) != 2) node.refuse("only images are pooled, not other ranks");
  if (node.output_count() > 1) node.refuse("its indices are not supported");
  const Sizes kernel = node.integers("kernel_shape");
  const Sizes stride = sizes_or(node.integers("strides"), 2, 1);
  const Sizes dilation = sizes_or(node.integers("dilations"), 2, 1);
  const Padding padding = padding_of(node, kernel, stride, dilation);
  const bool rounds_up = node.integer("ceil_mode", 0) != 0;
  const bool counts_border = node.integer("count_include_pad", 0) != 0;
  if (!largest && (dilation[0] != 1 || dilation[1] != 1)) node.refuse("dilations");
  const bool fits =
      padding.is_even() && 2 * padding.begin[0] <= kernel[0] && 2 * padding.begin[1] <= kernel[1];
  if (!fits && rounds_up) node.refuse("uneven pads with ceil_mode are not supported");
  if (!fits && !largest && !counts_border)
    node.refuse("uneven pads that are not counted are not supported");
  const Sizes inside = fits ? padding.begin : Sizes(2, 0);
  return [=](const Tensors& in) {
    const double filler = largest ? -std::numeric_limits<double>::infinity() : 0;
    const at::Tensor x = fits ? in[0] : bordered(in[0], padding, filler);
    return Tensors{largest ? at::max_pool2d(x, kernel, stride, inside, dilation, rounds_up)
                           : at::avg_pool2d(x, kernel, stride, inside, rounds_up, counts_border)};
  };
}

Operator global_pool(const NodeFacts& node, bool largest) {
  Sizes axes;
  for (std::size_t i = 0; i < spatial_rank(node); ++i)
    axes.push_back(static_cast<std::int64_t>(i) + 2);
  if (largest) return unary([axes](const at::Tensor& x) { return at::amax(x, axes, true); });
  return unary([axes](const at::Tensor& x) { return at::mean(x, axes, true); });
}

Operator reduce(const NodeFacts& node, bool mean) {
  const auto axes = node.axes(1);
  if (!axes && node.has_input(1)) node.refuse("its axes are computed");
  const bool keeps = node.integer("keepdims", 1) != 0;
  Sizes chosen = axes.value_or(Sizes());
  if (chosen.empty()) {
    if (node.integer("noop_with_empty_axes", 0))
      return unary([](const at::Tensor& x) { return x; });
    for (std::int32_t i = 0; i < node.input(0).rank; ++i) chosen.push_back(i);
  }
  if (mean) return unary([=](const at::Tensor& x) { return at::mean(x, chosen, keeps); });
  return unary([=](const at::Tensor& x) { return at::sum(x, chosen, keeps); });
}

Operator clip(const NodeFacts& node) {
  const auto bound = [&](std::uint32_t index, const char* name, double absent) {
    if (!node.has_input(index)) return node.number(name, absent);
    const auto found = node.constant_numbers(index);
    if (!found || found->size() != 1) node.refuse("its bounds are computed");
    return found->front();
  };
  constexpr double kMost = std::numeric_limits<float>::max();
  const double low = bound(1, "min", -kMost), high = bound(2, "max", kMost);
  return unary([=](const at::Tensor& x) { return at::clamp(x, low, high); });
}

/// Rearrangements whose result has a shape that is known, but for the batch.
Operator reshape(const NodeFacts& node) {
  const adze_value& to = node.output();
  Sizes shape(to.shape, to.shape + std::max(to.rank, 0));
  const bool known = to.rank >= 0 && std::all_of(shape.begin(), shape.end(),
                                                 [](std::int64_t size) { return size >= 0; });
  if (!known) node.refuse("the shape of its result depends on the data");
  const std::int32_t from = node.input(0).batch_axis;
  if (to.batch_axis >= 0) shape[static_cast<std::size_t>(to.batch_axis)] = -1;
  if (from >= 0 && to.batch_axis < 0) node.refuse("it mixes the samples of a batch");
  return unary([shape](const at::Tensor& x) { return x.reshape(shape); });
}

Operator transpose(const NodeFacts& node) {
  Sizes order = node.integers("perm");
  if (order.empty())
    for (std::int64_t i = node.input(0).rank; i-- > 0;) order.push_back(i);
  return unary([order](const at::Tensor& x) { return x.permute(order); });
}

Operator slice(const NodeFacts& node) {
  const auto starts = node.constant_integers(1), ends = node.constant_integers(2);
  auto axes = node.constant_integers(3), steps = node.constant_integers(4);
  if (!starts || !ends || (node.has_input(3) && !axes) || (node.has_input(4) && !steps))
    node.refuse("where it cuts is computed");
  if (!axes) {
    axes.emplace();
    for (std::size_t i = 0; i < starts->size(); ++i) axes->push_back(static_cast<std::int64_t>(i));
  }
  if (!steps) steps.emplace(starts->size(), 1);
  for (const std::int64_t step : *steps)
    if (step < 1) node.refuse("negative steps are not supported");
  return unary([=](at::Tensor x) {
    for (std::size_t i = 0; i < starts->size(); ++i)
      x = x.slice((*axes)[i], (*starts)[i], (*ends)[i], (*steps)[i]);
    return x;
  });
}

Operator split(const NodeFacts& node) {
  const std::int64_t axis = node.integer("axis", 0);
  Sizes parts;
  for (std::uint32_t i = 0; i < node.output_count(); ++i) {
    const adze_value& part = node.output(i);
    const std::int64_t at = axis < 0 ? axis + part.rank : axis;
    if (part.rank < 0 || part.shape[at] < 0) node.refuse("the sizes of its parts are not known");
    parts.push_back(part.shape[at]);
  }
  return [=](const Tensors& in) {
    Tensors found;
    std::int64_t first = 0;
    for (const std::int64_t part : parts) {
      found.push_back(in[0].slice(axis, first, first + part));
      first += part;
    }
    return found;
  };
}

Operator pad(const NodeFacts& node) {
  const auto pads = node.constant_integers(1);
  if (node.text("mode", "constant") != "constant" || !pads || node.has_input(3))
    node.refuse("only constants are padded with, by sizes that are not computed");
  const auto filler = node.constant_numbers(2);
  if (node.has_input(2) && (!filler || filler->size() != 1)) node.refuse("what it pads with");
  Sizes last_axis_first;
  for (std::size_t i = pads->size() / 2; i-- > 0;) {
    last_axis_first.push_back((*pads)[i]);
    last_axis_first.push_back((*pads)[i + pads->size() / 2]);
  }
  const double with = filler ? filler->front() : 0;
  return unary([=](const at::Tensor& x) { return at::constant_pad_nd(x, last_axis_first, with); });
}

Operator resize(const NodeFacts& node) {
  const adze_value &from = node.input(0), &to = node.output();
  if (from.rank != 4 || to.rank != 4 || from.shape[1] != to.shape[1])
    node.refuse("only images are resized, along height and width");
  const Sizes size = {to.shape[2], to.shape[3]};
  for (std::size_t i = 0; i < 2; ++i)
    if (size[i] < 1 || from.shape[i + 2] < 1) node.refuse("sizes are not known");
  const bool whole = size[0] % from.shape[2] == 0 && size[1] % from.shape[3] == 0;
  const std::string_view where = node.text("coordinate_transformation_mode", "half_pixel");
  const std::string_view mode = node.text("mode", "nearest");
  // Enlarged by whole numbers, all ways of finding the nearest pixel agree but that of corners.
  if (mode == "nearest" && whole && where != "align_corners" && where != "tf_crop_and_resize")
    return unary([size](const at::Tensor& x) { return at::upsample_nearest2d(x, size); });
  const bool corners = where == "align_corners";
  if (mode == "linear" && (corners || where == "half_pixel" || where == "pytorch_half_pixel"))
    return unary([=](const at::Tensor& x) { return at::upsample_bilinear2d(x, size, corners); });
  node.refuse("mode " + std::string(mode) + " with " + std::string(where) + " and these sizes");
}

Operator batch_normalization(const NodeFacts& node) {
  if (node.integer("training_mode", 0)) node.refuse("training_mode is on");
  const double epsilon = node.number("epsilon", 1e-5);
  return [=](const Tensors& in) {
    return Tensors{at::batch_norm(in[0], in[1], in[2], in[3], in[4], false, 0.1, epsilon, false)};
  };
}

Operator layer_normalization(const NodeFacts& node) {
  const std::int32_t rank = node.input(0).rank;
  std::int64_t axis = node.integer("axis", -1);
  if (axis < 0) axis += rank;
  const double epsilon = node.number("epsilon", 1e-5);
  if (node.output_count() > 1) node.refuse("its mean and deviation are not supported");
  return [=](const Tensors& in) {
    const at::Tensor bias = in.size() > 2 ? in[2] : at::Tensor();
    return Tensors{at::layer_norm(in[0], in[0].sizes().slice(static_cast<std::size_t>(axis)), in[1],
                                  bias, epsilon, false)};
  };
}

Operator slope(const NodeFacts& node) {
  const std::int32_t rank = node.input(0).rank;
  const bool by_channel = node.input(1).rank == 1 && rank > 2;
  return binary([=](const at::Tensor& x, const at::Tensor& by) {
    Sizes shape(static_cast<std::size_t>(rank), 1);
    if (by_channel) shape[1] = by.numel();
    return at::relu(x) - at::relu(-x) * (by_channel ? by.reshape(shape) : by);
  });
}

Operator softmax(const NodeFacts& node, bool logarithm) {
  const std::int64_t axis = node.integer("axis", -1);
  if (logarithm) return unary([=](const at::Tensor& x) { return at::log_softmax(x, axis); });
  return unary([=](const at::Tensor& x) { return at::softmax(x, axis); });
}

Operator depth_to_space(const NodeFacts& node) {
  const std::int64_t block = node.integer("blocksize", 1);
  if (node.text("mode", "DCR") != "CRD") node.refuse("mode DCR is not supported");
  return unary([=](const at::Tensor& x) { return at::pixel_shuffle(x, block); });
}

Operator concat(const NodeFacts& node) {
  const std::int64_t axis = node.integer("axis", 0);
  return [=](const Tensors& in) { return Tensors{at::cat(in, axis)}; };
}

Operator gelu_parts(const NodeFacts& node) {
  if (node.is("Erf")) return unary([](const at::Tensor& x) { return at::erf(x); });
  if (node.is("Exp")) return unary([](const at::Tensor& x) { return at::exp(x); });
  if (node.is("Log")) return unary([](const at::Tensor& x) { return at::log(x); });
  if (node.is("Sqrt")) return unary([](const at::Tensor& x) { return at::sqrt(x); });
  if (node.is("Neg")) return unary([](const at::Tensor& x) { return at::neg(x); });
  return unary([](const at::Tensor& x) { return at::abs(x); });
}

Operator hard_sigmoid(const NodeFacts& node) {
  const double alpha = node.number("alpha", 0.2), beta = node.number("beta", 0.5);
  return unary([=](const at::Tensor& x) { return at::clamp(x * alpha + beta, 0, 1); });
}

Operator leaky_relu(const NodeFacts& node) {
  const double alpha = node.number("alpha", 0.01);
  return unary([=](const at::Tensor& x) { return at::leaky_relu(x, alpha); });
}

Operator elu(const NodeFacts& node) {
  const double alpha = node.number("alpha", 1);
  return unary([=](const at::Tensor& x) { return at::elu(x, alpha); });
}

template <at::Tensor (*compute)(const at::Tensor&)>
Operator plain(const NodeFacts&) {
  return unary(compute);
}

Operator identity(const NodeFacts&) {
  return unary([](const at::Tensor& x) { return x; });
}

using Make = Operator (*)(const NodeFacts&);

const std::map<std::string_view, Make>& makers() {
  static const std::map<std::string_view, Make> all = {
      {"Conv", [](const NodeFacts& node) { return convolution(node, false); }},
      {"ConvTranspose", [](const NodeFacts& node) { return convolution(node, true); }},
      {"Gemm", gemm},
      {"MatMul",
       [](const NodeFacts&) { return binary([](auto& a, auto& b) { return at::matmul(a, b); }); }},
      {"Add", [](const NodeFacts&) { return binary([](auto& a, auto& b) { return a + b; }); }},
      {"Sub", [](const NodeFacts&) { return binary([](auto& a, auto& b) { return a - b; }); }},
      {"Mul", [](const NodeFacts&) { return binary([](auto& a, auto& b) { return a * b; }); }},
      {"Div", [](const NodeFacts&) { return binary([](auto& a, auto& b) { return a / b; }); }},
      {"Pow",
       [](const NodeFacts&) { return binary([](auto& a, auto& b) { return at::pow(a, b); }); }},
      {"Relu", plain<at::relu>},
      {"Sigmoid", plain<at::sigmoid>},
      {"Tanh", plain<at::tanh>},
      {"HardSwish", plain<at::hardswish>},
      {"HardSigmoid", hard_sigmoid},
      {"LeakyRelu", leaky_relu},
      {"Elu", elu},
      {"PRelu", slope},
      {"Clip", clip},
      {"Erf", gelu_parts},
      {"Exp", gelu_parts},
      {"Log", gelu_parts},
      {"Sqrt", gelu_parts},
      {"Neg", gelu_parts},
      {"Abs", gelu_parts},
      {"Softplus",
       [](const NodeFacts&) { return unary([](const at::Tensor& x) { return at::softplus(x); }); }},
      {"Softmax", [](const NodeFacts& node) { return softmax(node, false); }},
      {"LogSoftmax", [](const NodeFacts& node) { return softmax(node, true); }},
      {"MaxPool", [](const NodeFacts& node) { return pool(node, true); }},
      {"AveragePool", [](const NodeFacts& node) { return pool(node, false); }},
      {"GlobalMaxPool", [](const NodeFacts& node) { return global_pool(node, true); }},
      {"GlobalAveragePool", [](const NodeFacts& node) { return global_pool(node, false); }},
      {"ReduceMean", [](const NodeFacts& node) { return reduce(node, true); }},
      {"ReduceSum", [](const NodeFacts& node) { return reduce(node, false); }},
      {"BatchNormalization", batch_normalization},
      {"LayerNormalization", layer_normalization},
      {"Flatten", reshape},
      {"Reshape", reshape},
      {"Squeeze", reshape},
      {"Unsqueeze", reshape},
      {"Transpose", transpose},
      {"Slice", slice},
      {"Split", split},
      {"Pad", pad},
      {"Resize", resize},
      {"Concat", concat},
      {"DepthToSpace", depth_to_space},
      {"Identity", identity},
      {"Dropout", identity}};
  return all;
}

}  // namespace

Operator make_operator(const adze_graph& graph, const adze_node& node) {
  const NodeFacts facts(graph, node);
  const auto found = *node.domain ? makers().end() : makers().find(node.op);
  if (found == makers().end())
    facts.refuse("this operator is not supported; quantize with adze.quantize.ptq instead");
  for (std::uint32_t i = 1; i < node.output_count; ++i)
    if (facts.is("Dropout") && node.outputs[i] != ADZE_NONE &&
        graph.values[node.outputs[i]]->consumer_count)
      facts.refuse("its mask is used");
  return found->second(facts);
}

bool only_moves(const adze_node& node) {
  constexpr std::array<std::string_view, 12> kMoving = {
      "MaxPool",   "GlobalMaxPool", "Flatten",      "Reshape", "Transpose", "Squeeze",
      "Unsqueeze", "Identity",      "DepthToSpace", "Slice",   "Split",     "SpaceToDepth"};
  return !*node.domain &&
         std::find(kMoving.begin(), kMoving.end(), std::string_view(node.op)) != kMoving.end();
}

}  // namespace qat
