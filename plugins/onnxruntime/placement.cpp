#include "plugins/onnxruntime/placement.hpp"

#include <algorithm>
#include <map>

#include "plugins/onnxruntime/model_bytes.hpp"
#include "plugins/onnxruntime/session.hpp"

namespace adze::ort {
namespace {

constexpr const char* kEngine = "onnxruntime";

bool has_subgraph(const adze_node& node) {
  for (std::uint64_t i = 0; i < node.attribute_count; ++i)
    if (node.attributes[i]->type == ADZE_GRAPH) return true;
  return false;
}

std::vector<std::int32_t> input_types(const adze_graph& graph, const adze_node& node) {
  std::vector<std::int32_t> types;
  for (std::uint32_t i = 0; i < node.input_count; ++i) {
    if (node.inputs[i] == ADZE_NONE) {
      types.push_back(0);
      continue;
    }
    const adze_value& value = *graph.values[node.inputs[i]];
    const ElementType* type = element_type_of(value.code, value.bits);
    types.push_back(type ? type->onnx : 0);
  }
  return types;
}

/// Nodes with the same one are refused or taken alike.
std::string kind_of(const NodeBytes& node, const std::vector<std::int32_t>& types) {
  std::string kind = std::string(node.domain) + "\n" + std::string(node.op) + "\n" +
                     std::to_string(node.outputs.size());
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    kind += " " + (node.inputs[i].empty() ? "-" : std::to_string(i < types.size() ? types[i] : 0));
  for (const BytesView attribute : node.attributes) {
    kind += "\n";
    kind.append(reinterpret_cast<const char*>(attribute.data()), attribute.size());
  }
  return kind;
}

/// Empty: it is taken.
std::string refusal_of(const Api& api, const ModelBytes& model, const NodeBytes& node,
                       const std::vector<std::int32_t>& types) {
  for (std::size_t i = 0; i < node.inputs.size() && i < types.size(); ++i)
    if (!node.inputs[i].empty() && types[i] == 0)
      return "its input '" + std::string(node.inputs[i]) +
             "' is of a type that cannot be passed on";
  try {
    const Bytes alone = model.alone(node, types);
    Session(api, alone, {.threads = 1, .optimization = Optimization::none});
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

std::string division_by_zero(const adze_graph& graph, const adze_node& node) {
  const std::string_view op = node.op;
  if (op.find("Conv") == std::string_view::npos) return {};
  for (std::uint32_t i = 0; i < node.input_count; ++i) {
    if (node.inputs[i] == ADZE_NONE) continue;
    const adze_value& value = *graph.values[node.inputs[i]];
    for (std::int32_t axis = 0; axis < value.rank; ++axis)
      if (value.shape[axis] == 0)
        return std::string("its input '") + value.name +
               "' has a dimension of 0, by which ONNX Runtime divides";
  }
  return {};
}

std::span<const std::uint8_t> bytes_of_graph(adze_call* call) {
  const auto& service = need<adze_onnx_bytes>(call, ADZE_ONNX_BYTES);
  const std::uint8_t* data = nullptr;
  std::uint64_t size = 0;
  check(service.bytes(call, &data, &size));
  return {data, static_cast<std::size_t>(size)};
}

void place(adze_call* call, const Api& api) {
  const adze_graph& graph = *call->graph;
  const ModelBytes model(bytes_of_graph(call));
  std::map<std::string_view, const NodeBytes*> by_name;
  for (const NodeBytes& node : model.nodes()) by_name.emplace(node.name, &node);

  std::map<std::string, std::string> refusals;  // by kind
  for (std::uint32_t i = 0; i < graph.node_count; ++i) {
    const adze_node& node = *graph.nodes[i];
    progress(call, static_cast<double>(i) / graph.node_count, "asking ONNX Runtime");
    const auto found = by_name.find(node.name);
    if (has_subgraph(node) || found == by_name.end()) {
      check(call->report->placement(call, i, ADZE_PLACED_WITH_LIMITS, kEngine,
                                    "its subgraph is first looked at when the model is compiled"));
      continue;
    }
    if (const std::string danger = division_by_zero(graph, node); !danger.empty()) {
      check(call->report->placement(call, i, ADZE_REFUSED, kEngine, danger.c_str()));
      continue;
    }
    const std::vector<std::int32_t> types = input_types(graph, node);
    const std::string kind = kind_of(*found->second, types);
    auto known = refusals.find(kind);
    if (known == refusals.end())
      known = refusals.emplace(kind, refusal_of(api, model, *found->second, types)).first;
    const std::string& refusal = known->second;
    check(call->report->placement(call, i, refusal.empty() ? ADZE_PLACED : ADZE_REFUSED, kEngine,
                                  refusal.empty() ? nullptr : refusal.c_str()));
  }
}

}  // namespace adze::ort
