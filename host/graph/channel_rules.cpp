#include "host/graph/channel_rules.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <string>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

std::int64_t integer(const ChannelTies& ties, const char* name, std::int64_t fallback) {
  return attribute_or<std::int64_t>(ties.node(), name, fallback);
}

/// An axis as ONNX writes it: negative ones count from the end.
/// Each axis of the result is that of the first input, as far as `also` says.
bool same_axes(ChannelTies& ties, const std::function<bool(std::size_t axis)>& also) {
  const Shape *in = ties.shape(0), *out = ties.shape(ties.output());
  if (!in || !out || in->size() != out->size() || ties.outputs() > 1) return false;
  for (std::size_t axis = 0; axis < in->size(); ++axis)
    if (also(axis)) ties.tie(0, axis, ties.output(), axis);
  return true;
}

bool unary(ChannelTies& ties) {
  return same_axes(ties, [](std::size_t) { return true; });
}

/// An input's axes against those of the result, aligned at the end; one of size 1 is spread.
bool spread(ChannelTies& ties, std::size_t input) {
  const Shape *in = ties.shape(input), *out = ties.shape(ties.output());
  if (!in || !out || in->size() > out->size()) return false;
  const std::size_t offset = out->size() - in->size();
  for (std::size_t axis = 0; axis < in->size(); ++axis) {
    if ((*in)[axis] == (*out)[axis + offset])
      ties.tie(input, axis, ties.output(), axis + offset);
    else if ((*in)[axis] != 1)
      return false;
  }
  return true;
}

bool elementwise(ChannelTies& ties) {
  for (std::size_t i = 0; i < ties.inputs(); ++i)
    if (!spread(ties, i)) return false;
  return ties.outputs() == 1;
}

bool convolution(ChannelTies& ties) {
  const bool transposed = ties.node().op == "ConvTranspose";
  const Shape *in = ties.shape(0), *weight = ties.shape(1), *out = ties.shape(ties.output());
  const std::int64_t groups = integer(ties, "group", 1);
  if (!in || !weight || !out || !ties.constant(1) || in->size() < 3 || groups < 1 ||
      weight->size() != in->size() || out->size() != in->size())
    return false;
  const std::size_t y = ties.output(), into = transposed ? 0 : 1, from = 1 - into;
  const std::int64_t in_each = (*in)[1] / groups, out_each = (*out)[1] / groups;
  if (in_each < 1 || out_each < 1 || (*in)[1] > ChannelAtoms::kLargestAxis ||
      (*out)[1] > ChannelAtoms::kLargestAxis)
    return false;
  const bool depthwise = groups > 1 && in_each == 1 && (!transposed || out_each == 1);
  const ChannelRole grouped = depthwise ? ChannelRole::passes : ChannelRole::produces;
  ties.tie(0, 0, y, 0);
  if (groups == 1) {
    ties.tie(0, 1, 1, into);
    ties.tie(1, from, y, 1);
    ties.role(1, into, ChannelRole::consumes);
    ties.role(1, from, ChannelRole::produces);
  } else {
    // Only a whole group can leave: the layer stays one with as many channels in each.
    const std::int64_t rows = transposed ? in_each : out_each;
    if ((*weight)[0] != groups * rows) return false;
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::int64_t in_first = group * in_each, out_first = group * out_each;
      for (std::int64_t i = 1; i < in_each; ++i) ties.tie(0, 1, in_first, 0, 1, in_first + i, 1);
      for (std::int64_t i = 1; i < out_each; ++i) ties.tie(y, 1, out_first, y, 1, out_first + i, 1);
      ties.tie(0, 1, in_first, y, 1, out_first, 1);
      for (std::int64_t i = 0; i < rows; ++i) ties.tie(1, 0, group * rows + i, y, 1, out_first, 1);
    }
    ties.role(1, 0, grouped);
  }
  if (ties.has(2)) {
    const Shape* bias = ties.shape(2);
    if (!bias || bias->size() != 1 || (*bias)[0] != (*out)[1]) return false;
    ties.tie(2, 0, y, 1);
    ties.role(2, 0, grouped);
  }
  return true;
}

bool gemm(ChannelTies& ties) {
  const Shape *a = ties.shape(0), *b = ties.shape(1), *out = ties.shape(ties.output());
  if (!a || !b || !out || !ties.constant(1) || a->size() != 2 || b->size() != 2) return false;
  const std::size_t inner_a = integer(ties, "transA", 0) ? 0 : 1;
  const std::size_t inner_b = integer(ties, "transB", 0) ? 1 : 0;
  ties.tie(0, 1 - inner_a, ties.output(), 0);
  ties.tie(0, inner_a, 1, inner_b);
  ties.tie(1, 1 - inner_b, ties.output(), 1);
  ties.role(1, inner_b, ChannelRole::consumes);
  ties.role(1, 1 - inner_b, ChannelRole::produces);
  if (!ties.has(2)) return true;
  if (!spread(ties, 2)) return false;
  if (!ties.shape(2)->empty()) ties.role(2, ties.shape(2)->size() - 1, ChannelRole::produces);
  return true;
}

/// Stacks of matrices: heads of attention. Rows and columns stay those of the operands.
bool matmul_of_stacks(ChannelTies& ties) {
  const Shape *a = ties.shape(0), *b = ties.shape(1), *out = ties.shape(ties.output());
  const std::size_t rank = out->size();
  if (rank < 3 || a->size() != rank || b->size() != rank) return false;
  for (std::size_t axis = 0; axis + 2 < rank; ++axis) {
    if ((*a)[axis] != (*out)[axis] || (*b)[axis] != (*out)[axis]) return false;
    ties.tie(0, axis, ties.output(), axis);
    ties.tie(1, axis, ties.output(), axis);
  }
  ties.tie(0, rank - 1, 1, rank - 2);
  ties.tie(0, rank - 2, ties.output(), rank - 2);
  ties.tie(1, rank - 1, ties.output(), rank - 1);
  return true;
}

bool matmul(ChannelTies& ties) {
  const Shape *a = ties.shape(0), *b = ties.shape(1), *out = ties.shape(ties.output());
  if (a && b && out && !ties.constant(0) && !ties.constant(1)) return matmul_of_stacks(ties);
  if (!a || !b || !out || !ties.constant(1) || a->empty() || b->size() != 2 ||
      out->size() != a->size())
    return false;
  const std::size_t last = a->size() - 1;
  for (std::size_t axis = 0; axis < last; ++axis) ties.tie(0, axis, ties.output(), axis);
  ties.tie(0, last, 1, 0);
  ties.tie(1, 1, ties.output(), last);
  ties.role(1, 0, ChannelRole::consumes);
  ties.role(1, 1, ChannelRole::produces);
  return true;
}

/// BatchNormalization, InstanceNormalization: parameters of one entry a channel.
bool normalization(ChannelTies& ties) {
  const Shape* in = ties.shape(0);
  if (!in || in->size() < 2 || integer(ties, "training_mode", 0)) return false;
  const bool by_sample = ties.node().op == "InstanceNormalization";
  if (!same_axes(ties, [&](std::size_t axis) { return !by_sample || axis < 2; })) return false;
  for (std::size_t i = 1; i < ties.inputs(); ++i) {
    const Shape* part = ties.shape(i);
    if (!part || part->size() != 1 || (*part)[0] != (*in)[1]) return false;
    ties.tie(i, 0, 0, 1);
  }
  return true;
}

bool pool(ChannelTies& ties) {
  return same_axes(ties, [](std::size_t axis) { return axis < 2; });
}

bool softmax(ChannelTies& ties) {
  const Shape* in = ties.shape(0);
  const auto along = in ? axis_of(integer(ties, "axis", -1), in->size()) : std::nullopt;
  return along && same_axes(ties, [&](std::size_t axis) { return axis != *along; });
}

bool pad(ChannelTies& ties) {
  const Shape* in = ties.shape(0);
  const auto pads = ties.integers(1);
  if (!in || !pads || pads->size() != 2 * in->size() || ties.has(3)) return false;
  return same_axes(ties, [&](std::size_t axis) {
    return (*pads)[axis] == 0 && (*pads)[axis + in->size()] == 0;
  });
}

bool resize(ChannelTies& ties) {
  const Shape *in = ties.shape(0), *out = ties.shape(ties.output());
  const auto mode = attribute_or<std::string>(ties.node(), "coordinate_transformation_mode", "");
  if (!in || !out || in->size() != out->size() || mode == "tf_crop_and_resize" ||
      ties.node().attributes.contains("axes"))
    return false;
  std::vector<bool> unscaled(in->size());
  if (ties.has(3)) {
    const auto sizes = ties.integers(3);
    if (!sizes || sizes->size() != in->size()) return false;
    for (std::size_t axis = 0; axis < in->size(); ++axis) {
      unscaled[axis] = (*sizes)[axis] == (*in)[axis];
      if (unscaled[axis]) ties.spells(3, axis, ties.output(), axis);
    }
  } else {
    const Tensor* scales = ties.has(2) ? ties.constant(2) : nullptr;
    if (!scales || scales->count() != static_cast<std::int64_t>(in->size())) return false;
    const std::vector<float> factors = to_f32(*scales);
    for (std::size_t axis = 0; axis < in->size(); ++axis) unscaled[axis] = factors[axis] == 1;
  }
  return same_axes(ties, [&](std::size_t axis) { return unscaled[axis]; });
}

bool transpose(ChannelTies& ties) {
  const Shape *in = ties.shape(0), *out = ties.shape(ties.output());
  if (!in || !out || in->size() != out->size()) return false;
  std::vector<std::int64_t> order(in->size());
  std::iota(order.rbegin(), order.rend(), 0);
  order = attribute_or<std::vector<std::int64_t>>(ties.node(), "perm", order);
  if (order.size() != in->size()) return false;
  for (std::size_t axis = 0; axis < order.size(); ++axis) {
    const auto from = axis_of(order[axis], in->size());
    if (!from) return false;
    ties.tie(0, *from, ties.output(), axis);
  }
  return true;
}

bool concat(ChannelTies& ties) {
  const Shape* out = ties.shape(ties.output());
  const auto along = out ? axis_of(integer(ties, "axis", 0), out->size()) : std::nullopt;
  if (!along) return false;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < ties.inputs(); ++i) {
    const Shape* in = ties.shape(i);
    if (!in || in->size() != out->size() || (*in)[*along] < 0) return false;
    for (std::size_t axis = 0; axis < in->size(); ++axis)
      if (axis != *along) ties.tie(i, axis, ties.output(), axis);
    ties.tie(i, *along, 0, ties.output(), *along, first, (*in)[*along]);
    if (ties.constant(i)) ties.keep(i, *along);
    first += (*in)[*along];
  }
  return first == (*out)[*along];
}

bool split(ChannelTies& ties) {
  const Shape* in = ties.shape(0);
  const auto along = in ? axis_of(integer(ties, "axis", 0), in->size()) : std::nullopt;
  if (!along) return false;
  const bool spelled = ties.has(1);
  if (spelled && !ties.integers(1)) return false;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < ties.outputs(); ++i) {
    const std::size_t part = ties.output(i);
    const Shape* out = ties.shape(part);
    if (!out || out->size() != in->size() || (*out)[*along] < 1) return false;
    for (std::size_t axis = 0; axis < in->size(); ++axis)
      if (axis != *along) ties.tie(0, axis, part, axis);
    ties.tie(0, *along, first, part, *along, 0, (*out)[*along]);
    if (spelled) {
      ties.spells(1, i, part, *along);
    } else if (i > 0) {  // equal parts, which must stay equal
      if ((*out)[*along] != first / static_cast<std::int64_t>(i)) return false;
      ties.tie(0, *along, 0, 0, *along, first, (*out)[*along]);
    }
    first += (*out)[*along];
  }
  return first == (*in)[*along];
}

/// A run of indices; backwards, or with gaps, the axis stays whole.
bool slice(ChannelTies& ties) {
  const Shape *in = ties.shape(0), *out = ties.shape(ties.output());
  const auto starts = ties.integers(1), ends = ties.integers(2);
  if (!in || !out || in->size() != out->size() || !starts || !ends ||
      starts->size() != ends->size())
    return false;
  std::vector<std::int64_t> axes(starts->size()), steps(starts->size(), 1);
  std::iota(axes.begin(), axes.end(), 0);
  if (ties.has(3)) axes = ties.integers(3).value_or(std::vector<std::int64_t>{});
  if (ties.has(4)) steps = ties.integers(4).value_or(std::vector<std::int64_t>{});
  if (axes.size() != starts->size() || steps.size() != starts->size()) return false;
  std::vector<bool> sliced(in->size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = axis_of(axes[i], in->size());
    if (!axis || (*in)[*axis] < 0) return false;
    sliced[*axis] = true;
    const std::int64_t size = (*in)[*axis];
    const auto place = [&](std::int64_t at) {
      return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size);
    };
    const std::int64_t first = place((*starts)[i]), last = place((*ends)[i]);
    if (steps[i] != 1 || last <= first || last - first != (*out)[*axis]) continue;
    ties.tie(0, *axis, first, ties.output(), *axis, 0, last - first);
    ties.spells(1, i, 0, *axis, first);
    ties.spells(2, i, 0, *axis, last);
  }
  for (std::size_t axis = 0; axis < in->size(); ++axis)
    if (!sliced[axis]) ties.tie(0, axis, ties.output(), axis);
  return true;
}

/// Axes of `in` that make up axes of `out`: equal products, as short as possible.
struct Segment {
  std::vector<std::size_t> in, out;  // without those of size 1
};
std::optional<std::vector<Segment>> segments_of(const Shape& in, const Shape& out) {
  const auto counted = [](const Shape& shape) {
    return std::ranges::all_of(shape, [](std::int64_t size) { return size > 0; });
  };
  if (!counted(in) || !counted(out)) return std::nullopt;
  std::vector<Segment> segments;
  std::size_t i = 0, j = 0;
  while (i < in.size() || j < out.size()) {
    Segment segment;
    std::int64_t in_product = 1, out_product = 1;
    do {
      const bool take_in = j == out.size() || (i < in.size() && in_product <= out_product);
      if (take_in && i == in.size()) return std::nullopt;
      const std::int64_t size = take_in ? in[i] : out[j];
      std::int64_t& product = take_in ? in_product : out_product;
      if (__builtin_mul_overflow(product, size, &product)) return std::nullopt;
      std::size_t& axis = take_in ? i : j;
      if (size != 1) (take_in ? segment.in : segment.out).push_back(axis);
      ++axis;
    } while (in_product != out_product);
    segments.push_back(std::move(segment));
  }
  return segments;
}

/// One axis of many elements against several, one of which counts the channels: the elements of
/// channel c are those whose place in that part is c.
void tie_flattened(ChannelTies& ties, std::size_t whole, std::size_t whole_axis, std::size_t parts,
                   const std::vector<std::size_t>& part_axes) {
  const Shape& sizes = *ties.shape(parts);
  const std::size_t part = std::min(ties.part(), part_axes.size() - 1);
  std::int64_t before = 1, after = 1;
  for (std::size_t i = 0; i < part; ++i) before *= sizes[part_axes[i]];
  for (std::size_t i = part + 1; i < part_axes.size(); ++i) after *= sizes[part_axes[i]];
  const std::int64_t channels = sizes[part_axes[part]];
  if (before * channels * after > ChannelAtoms::kLargestAxis) return;
  ties.has_parts(whole, whole_axis, part_axes.size());
  for (std::int64_t i = 0; i < before * channels * after; ++i)
    ties.tie(whole, whole_axis, i, parts, part_axes[part], i / after % channels, 1);
}

void tie_segment(ChannelTies& ties, const Segment& segment) {
  if (segment.in.size() == 1 && segment.out.size() == 1)
    ties.tie(0, segment.in[0], ties.output(), segment.out[0]);
  else if (segment.out.size() == 1 && !segment.in.empty())
    tie_flattened(ties, ties.output(), segment.out[0], 0, segment.in);
  else if (segment.in.size() == 1 && !segment.out.empty())
    tie_flattened(ties, 0, segment.in[0], ties.output(), segment.out);
}

/// Reshape, Flatten, Squeeze, Unsqueeze: the elements stay in their order.
bool reshape(ChannelTies& ties) {
  const Shape *in = ties.shape(0), *out = ties.shape(ties.output());
  if (!in || !out) return false;
  const auto segments = segments_of(*in, *out);
  if (!segments) return false;
  if (ties.node().op == "Reshape") {
    const auto target = ties.integers(1);
    if (!target || target->size() != out->size() || integer(ties, "allowzero", 0)) return false;
    for (std::size_t axis = 0; axis < target->size(); ++axis) {
      if ((*target)[axis] > 0) ties.spells(1, axis, ties.output(), axis);
      // A 0 takes the size of the same axis, which must be the one it is made of.
      const auto is_kept = [&](const Segment& segment) {
        return segment.in == std::vector{axis} && segment.out == std::vector{axis};
      };
      if ((*target)[axis] == 0 && (*out)[axis] != 1 && std::ranges::none_of(*segments, is_kept))
        return false;
    }
  }
  for (const Segment& segment : *segments) tie_segment(ties, segment);
  return true;
}

bool reduce(ChannelTies& ties) {
  const Shape *in = ties.shape(0), *out = ties.shape(ties.output());
  if (!in || !out) return false;
  auto axes = attribute_or<std::vector<std::int64_t>>(ties.node(), "axes", {});
  if (ties.has(1)) {
    const auto given = ties.integers(1);
    if (!given) return false;
    axes = *given;
  }
  if (axes.empty()) return false;
  std::vector<bool> reduced(in->size());
  for (const std::int64_t axis : axes) {
    const auto at = axis_of(axis, in->size());
    if (!at) return false;
    reduced[*at] = true;
  }
  const bool keeps = integer(ties, "keepdims", 1) != 0;
  std::size_t to = 0;
  for (std::size_t axis = 0; axis < in->size(); ++axis) {
    if (!reduced[axis]) ties.tie(0, axis, ties.output(), to);
    if (!reduced[axis] || keeps) ++to;
  }
  return to == out->size();
}

/// Takes some indices of one axis; the others pass.
bool gather(ChannelTies& ties) {
  const Shape *in = ties.shape(0), *indices = ties.shape(1), *out = ties.shape(ties.output());
  const auto along = in ? axis_of(integer(ties, "axis", 0), in->size()) : std::nullopt;
  if (!along || !indices || !out || !ties.constant(1) ||
      out->size() + 1 != in->size() + indices->size())
    return false;
  for (std::size_t axis = 0; axis < in->size(); ++axis)
    if (axis != *along)
      ties.tie(0, axis, ties.output(), axis < *along ? axis : axis + indices->size() - 1);
  return true;
}

/// Mixes the axes from `axis` on.
bool layer_normalization(ChannelTies& ties) {
  const Shape *in = ties.shape(0), *out = ties.shape(ties.output());
  const auto first = in ? axis_of(integer(ties, "axis", -1), in->size()) : std::nullopt;
  if (!first || !out || in->size() != out->size()) return false;
  for (std::size_t axis = 0; axis < *first; ++axis) ties.tie(0, axis, ties.output(), axis);
  return true;
}

using Rule = bool (*)(ChannelTies&);

std::map<std::string, Rule> all_rules() {
  std::map<std::string, Rule> rules = {{"Conv", convolution},
                                       {"ConvTranspose", convolution},
                                       {"Gemm", gemm},
                                       {"MatMul", matmul},
                                       {"BatchNormalization", normalization},
                                       {"InstanceNormalization", normalization},
                                       {"Softmax", softmax},
                                       {"LogSoftmax", softmax},
                                       {"Pad", pad},
                                       {"Resize", resize},
                                       {"Transpose", transpose},
                                       {"Concat", concat},
                                       {"Split", split},
                                       {"Slice", slice},
                                       {"Gather", gather},
                                       {"LayerNormalization", layer_normalization}};
  for (const char* op : {"Relu",        "LeakyRelu", "Sigmoid",
                         "Tanh",        "Clip",      "HardSwish",
                         "HardSigmoid", "Elu",       "Selu",
                         "Celu",        "Softplus",  "Softsign",
                         "Exp",         "Log",       "Sqrt",
                         "Abs",         "Neg",       "Erf",
                         "Identity",    "Cast",      "Dropout",
                         "Ceil",        "Floor",     "Round",
                         "Reciprocal",  "Sign",      "ThresholdedRelu",
                         "Mish",        "Gelu",      "Not",
                         "Sin",         "Cos"})
    rules[op] = unary;
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean", "PRelu",
                         "Where", "Greater", "Less", "Equal", "And", "Or"})
    rules[op] = elementwise;
  for (const char* op :
       {"MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"})
    rules[op] = pool;
  for (const char* op : {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}) rules[op] = reshape;
  for (const char* op : {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1",
                         "ReduceL2", "ReduceSumSquare"})
    rules[op] = reduce;
  return rules;
}

}  // namespace

bool tie_channels(ChannelTies& ties) {
  static const std::map<std::string, Rule> rules = all_rules();
  const auto rule = rules.find(ties.node().op);
  if (!ties.node().domain.empty() || rule == rules.end() || ties.outputs() == 0) return false;
  // The attributes of a file may have any type.
  try {
    return rule->second(ties);
  } catch (const Error&) {
    return false;
  }
}

}  // namespace adze::host
