#include "plugins/channel/model.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string_view>

namespace channel {
namespace {

using Eigen::Index;

/// Elements of a value for one sample; 0 when not known.
double elements_of(const adze_value& value) {
  double count = value.rank < 0 ? 0 : 1;
  for (std::int32_t axis = 0; axis < value.rank; ++axis)
    count *= static_cast<double>(std::max<std::int64_t>(value.shape[axis], 0));
  return count;
}

/// Multiply-accumulates of one sample: of Conv, ConvTranspose, Gemm and MatMul.
double macs_of(const adze_graph& graph, const adze_node& node) {
  const std::string_view op = node.op;
  if (*node.domain || node.input_count < 2 || node.output_count == 0 ||
      node.inputs[1] == ADZE_NONE || node.outputs[0] == ADZE_NONE)
    return 0;
  const adze_value& weight = *graph.values[node.inputs[1]];
  const double out = elements_of(*graph.values[node.outputs[0]]), size = elements_of(weight);
  if (weight.rank < 1 || size == 0) return 0;
  if (op == "Conv") return out * size / static_cast<double>(weight.shape[0]);
  if (op == "ConvTranspose")
    return elements_of(*graph.values[node.inputs[0]]) * size / static_cast<double>(weight.shape[0]);
  if (op == "Gemm" && weight.rank == 2) {
    std::int64_t transposed = 0;
    for (std::uint64_t i = 0; i < node.attribute_count; ++i)
      if (std::string_view(node.attributes[i]->name) == "transB" && node.attributes[i]->i64)
        transposed = node.attributes[i]->i64[0];
    return out * static_cast<double>(weight.shape[transposed ? 1 : 0]);
  }
  if (op == "MatMul")
    return out * static_cast<double>(weight.shape[weight.rank == 1 ? 0 : weight.rank - 2]);
  return 0;
}

void check_finite(const adze_graph& graph, const adze_node& node, std::uint32_t value) {
  const auto elements = adze::f32(graph.values[value]->constant);
  if (!std::ranges::all_of(elements, [](float x) { return std::isfinite(x); }))
    throw adze::Error(ADZE_FAILED_PRECONDITION, "node '" + std::string(node.name) + "': '" +
                                                    graph.values[value]->name +
                                                    "' holds NaN or infinity: the model is broken");
}

ModelLayer read_layer(const adze_graph& graph, const pruning::Layer& layer) {
  ModelLayer made{.layer = layer};
  const adze_value& value = *graph.values[layer.weight];
  const auto elements = adze::f32(value.constant);
  check_finite(graph, *graph.nodes[layer.node], layer.weight);
  made.is_target = std::ranges::binary_search(adze::targets(graph), layer.node);
  made.is_shared = value.consumer_count > 1;
  made.weight = RowMatrix::Zero(layer.rows, layer.columns + 1);
  if (value.keep) made.keep = MaskMatrix::Ones(layer.rows, layer.columns);
  for (Index row = 0; row < layer.rows; ++row)
    for (Index column = 0; column < layer.columns; ++column) {
      made.weight(row, column) = elements[layer.index(row, column)];
      if (value.keep) made.keep(row, column) = value.keep[layer.index(row, column)];
    }
  if (layer.bias != ADZE_NONE) {
    check_finite(graph, *graph.nodes[layer.node], layer.bias);
    const auto bias = adze::f32(graph.values[layer.bias]->constant);
    for (Index row = 0; row < layer.rows; ++row)
      made.weight(row, layer.columns) = bias[static_cast<std::size_t>(row)] * layer.bias_factor;
  }
  return made;
}

/// The indices of each channel along the member's axis, each of which is `positions` places.
std::vector<std::vector<Index>> places_of(const adze_member& member, std::uint32_t channels,
                                          std::int64_t positions) {
  std::vector<std::vector<Index>> places(channels);
  for (std::uint32_t channel = 0; channel < channels; ++channel)
    for (std::uint32_t i = 0; i < member.span; ++i)
      for (std::int64_t position = 0; position < positions; ++position)
        places[channel].push_back(member.indices[channel * member.span + i] * positions + position);
  return places;
}

/// Channels that leave at a time so that each axis they are computed on keeps a multiple.
std::uint32_t multiple_of(const adze_group& group, std::uint32_t multiple) {
  std::uint32_t result = 1;
  for (std::uint32_t m = 0; m < group.member_count; ++m)
    if (group.members[m]->role != ADZE_ROLE_CONSUMES)
      result = std::lcm(result, multiple / std::gcd(multiple, group.members[m]->span));
  return result;
}

}  // namespace

Model read_model(adze_call* call, std::int64_t multiple) {
  const adze_graph& graph = *call->graph;
  Model model;
  std::map<std::uint32_t, std::size_t> layer_of_node;
  for (std::uint32_t n = 0; n < graph.node_count; ++n) {
    const std::uint32_t weight = adze::weight_of(graph, *graph.nodes[n]);
    if (weight == ADZE_NONE || graph.values[weight]->constant->ndim < 2) continue;
    if (graph.values[weight]->constant->ndim > 2 && std::string_view("Conv") != graph.nodes[n]->op)
      continue;  // a stack of matrices, whose channels are in no group
    const auto layer = pruning::layer_of(graph, n);
    if (!layer || layer->count() == 0) continue;
    layer_of_node[n] = model.layers.size();
    model.layers.push_back(read_layer(graph, *layer));
  }

  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<LayerCost::Axis>> axes;
  const auto& structure = adze::need<adze_structure>(call, ADZE_STRUCTURE);
  std::uint64_t group_count = 0;
  const adze_group* const* groups = nullptr;
  adze::check(structure.groups(call, &group_count, &groups));
  for (std::uint64_t g = 0; g < group_count; ++g) {
    const adze_group& shown = *groups[g];
    Group group{.channels = shown.channel_count,
                .multiple = multiple ? multiple_of(shown, static_cast<std::uint32_t>(multiple))
                                     : shown.multiple};
    for (std::uint32_t m = 0; m < shown.member_count; ++m) {
      const adze_member& member = *shown.members[m];
      const adze_node& node = *graph.nodes[member.node];
      const adze_value& value = *graph.values[member.value];
      const auto layer = layer_of_node.find(member.node);
      const bool is_weight = node.input_count > 1 && node.inputs[1] == member.value;
      if (is_weight) {
        auto& of_node = axes[{member.node, member.value}];
        if (of_node.empty())
          for (std::int32_t axis = 0; axis < value.rank; ++axis)
            of_node.push_back({.size = value.shape[axis], .shares = {}});
        of_node[member.axis].shares.push_back({static_cast<std::uint32_t>(g), member.span});
      }
      if (member.role == ADZE_ROLE_CONSUMES) {
        check_finite(graph, node, member.value);
        Reading reading{.member = &member};
        std::int64_t positions = 1;
        if (layer != layer_of_node.end()) {
          const ModelLayer& found = model.layers[layer->second];
          if (found.layer.groups == 1 && found.layer.columns <= kMostColumns) {
            reading.layer = layer->second;
            positions = found.layer.positions;
          }
        }
        reading.columns = places_of(member, group.channels, positions);
        group.readings.push_back(std::move(reading));
      } else if (member.role == ADZE_ROLE_PRODUCES) {
        if (group.name.empty()) group.name = node.name;
        if (layer != layer_of_node.end() && is_weight)
          group.writings.push_back(
              {.layer = layer->second, .rows = places_of(member, group.channels, 1)});
      }
    }
    model.groups.push_back(std::move(group));
  }
  if (model.groups.empty())
    throw adze::Error(
        ADZE_FAILED_PRECONDITION,
        "no channel of the model may leave: those of inputs, outputs and of layers outside the "
        "stage's targets stay, and so do those that meet an operator whose channels are not "
        "understood; see `include` and `exclude`, or prune weights instead of channels");

  for (std::uint32_t n = 0; n < graph.node_count; ++n) {
    const double macs = macs_of(graph, *graph.nodes[n]);
    const auto tied =
        axes.find({n, graph.nodes[n]->input_count > 1 ? graph.nodes[n]->inputs[1] : ADZE_NONE});
    if (tied == axes.end() || macs == 0) {
      model.cost.fixed += macs;
      continue;
    }
    model.cost.layers.push_back(
        {.macs_of_weight = macs / elements_of(*graph.values[graph.nodes[n]->inputs[1]]),
         .axes = tied->second});
  }
  return model;
}

}  // namespace channel
