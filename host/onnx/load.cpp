#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/graph/evaluate_node.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/infer.hpp"
#include "host/onnx/load_to_place.hpp"
#include "host/onnx/metadata.hpp"
#include "host/onnx/model.hpp"
#include "host/onnx/operators.hpp"
#include "host/onnx/prepare.hpp"
#include "host/onnx/quantization.hpp"
#include "host/onnx/tensors.hpp"

namespace adze::host {
namespace {

class GraphBuilder {
 public:
  GraphBuilder(const onnx::ModelProto& model, Constants constants,
               const std::filesystem::path& folder)
      : model_(model), constants_(std::move(constants)), folder_(folder) {}

  Graph build() {
    const onnx::GraphProto& proto = model_.graph();
    graph_.name = proto.name();
    graph_.opset = opset_of(model_);
    constexpr std::int64_t kIrOfOpset13 = 7;
    graph_.ir_version = std::max(model_.ir_version(), kIrOfOpset13);
    for (const auto& import : model_.opset_import())
      if (!import.domain().empty()) graph_.domains[import.domain()] = import.version();
    for (const auto& entry : model_.metadata_props()) graph_.metadata[entry.key()] = entry.value();
    for (const auto& input : proto.input())
      if (!constants_.contains(input.name())) graph_.inputs.push_back(value_of(input.name()));
    for (const auto& node : proto.node()) graph_.nodes.push_back(node_of(node));
    for (const auto& output : proto.output()) graph_.outputs.push_back(value_of(output.name()));
    return std::move(graph_);
  }

 private:
  std::uint32_t value_of(const std::string& name) {
    if (name.empty()) return kNone;
    const auto [at, added] =
        indices_.try_emplace(name, static_cast<std::uint32_t>(graph_.values.size()));
    if (added) {
      Value value;
      value.name = name;
      if (const auto constant = constants_.find(name); constant != constants_.end()) {
        value.dtype = constant->second.dtype();
        value.shape = constant->second.shape();
        value.constant = constant->second;
      }
      graph_.values.push_back(std::move(value));
    }
    return at->second;
  }

  Node node_of(const onnx::NodeProto& proto) {
    Node node;
    node.op = proto.op_type();
    node.domain = proto.domain();
    node.name = proto.name();
    const std::int64_t opset = node.domain.empty() ? graph_.opset : graph_.domains.at(node.domain);
    node.op_version = operator_version(node.op, node.domain, opset);
    for (const auto& input : proto.input()) node.inputs.push_back(value_of(input));
    for (const auto& output : proto.output()) node.outputs.push_back(value_of(output));
    for (auto* values : {&node.inputs, &node.outputs})
      while (!values->empty() && values->back() == kNone) values->pop_back();
    for (const auto& attribute : proto.attribute())
      node.attributes.emplace(attribute.name(),
                              attribute_from_proto(attribute, folder_, node.name));
    if (const onnx::OpSchema* schema = schema_of(node.op, node.domain, opset))
      for (const auto& [name, attribute] : schema->attributes())
        if (attribute.default_value.type() != onnx::AttributeProto::UNDEFINED)
          node.attributes.try_emplace(
              name, attribute_from_proto(attribute.default_value, folder_, node.name));
    return node;
  }

  const onnx::ModelProto& model_;
  Constants constants_;
  const std::filesystem::path& folder_;
  Graph graph_;
  std::unordered_map<std::string, std::uint32_t> indices_;
};

// The shapes found, where conversions of operators look for them.
void describe_values(const Graph& graph, onnx::ModelProto& model) {
  onnx::GraphProto& proto = *model.mutable_graph();
  proto.clear_value_info();
  for (const Value& value : graph.values) {
    if (value.constant || !value.shape ||
        std::any_of(value.shape->begin(), value.shape->end(), [](auto size) { return size < 0; }))
      continue;
    onnx::ValueInfoProto& info = *proto.add_value_info();
    info.set_name(value.name);
    auto& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(dtype_to_onnx(value.dtype));
    for (const std::int64_t size : *value.shape)
      type.mutable_shape()->add_dim()->set_dim_value(size);
  }
}

void set_constants(onnx::GraphProto& graph, const std::map<std::string, Tensor>& constants) {
  for (const auto& [name, tensor] : constants) {
    const auto is_it = [&](const auto& named) { return named.name() == name; };
    if (std::none_of(graph.input().begin(), graph.input().end(), is_it) ||
        std::any_of(graph.initializer().begin(), graph.initializer().end(), is_it))
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("the model has no input '{}' to make a constant of", name));
    tensor_to_proto(tensor, name, *graph.add_initializer());
  }
}

// Constants that the file spells as one element and a shape.
void fold_constant_shapes(Graph& graph) {
  std::vector<Node> kept;
  for (Node& node : graph.nodes) {
    const bool known = node.op == "ConstantOfShape" && node.domain.empty() &&
                       node.inputs.size() == 1 && graph.value(node.inputs[0]).constant &&
                       node.outputs.size() == 1 &&
                       std::find(graph.outputs.begin(), graph.outputs.end(), node.outputs[0]) ==
                           graph.outputs.end();
    if (known) {
      const Tensor* shape = &*graph.value(node.inputs[0]).constant;
      if (auto made = evaluate_node(node, {&shape, 1})) {
        Value& value = graph.values[node.outputs[0]];
        value.constant = std::move(made->front());
        value.dtype = value.constant->dtype();
        value.shape = value.constant->shape();
        value.batch_axis = -1;
        continue;
      }
    }
    kept.push_back(std::move(node));
  }
  graph.nodes = std::move(kept);
}

Graph graph_from(onnx::ModelProto model, const std::filesystem::path& external_data_dir,
                 const LoadOptions& options, bool only_placed = false) {
  normalize(model);
  set_constants(*model.mutable_graph(), options.constants);
  inline_functions(model);
  normalize(model);
  check_operators(model, only_placed);
  check_structure(model);
  Constants constants = take_constants(model, external_data_dir);
  if (opset_of(model) < kTargetOpset) {
    Graph before = GraphBuilder(model, constants, external_data_dir).build();
    infer_shapes(before, model, options);
    describe_values(before, model);
    upgrade_opset(model, constants);
  }
  Graph graph = GraphBuilder(model, std::move(constants), external_data_dir).build();
  infer_shapes(graph, model, options);
  fold_constant_shapes(graph);
  graph.relink();
  const RenamedConstants renamed = fold_qdq(graph);
  read_metadata(graph, renamed);
  own_constants(graph);
  return graph;
}

onnx::ModelProto read_protobuf(const std::filesystem::path& path) {
  return parse_protobuf(read_file(path, kMaxModelBytes));
}

}  // namespace

Graph parse_model(std::span<const std::byte> bytes, const std::filesystem::path& external_data_dir,
                  const LoadOptions& options) {
  return graph_from(parse_protobuf(bytes), external_data_dir, options);
}

Tensor load_tensor(const std::filesystem::path& path) {
  const auto bytes = read_file(path, kMaxModelBytes);
  onnx::TensorProto proto;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    throw Error(ADZE_DATA_LOSS, fmt::format("'{}' is no ONNX tensor", path.string()));
  return tensor_from_proto(proto, {}, fmt::format("'{}'", path.string()));
}

namespace {

Graph load(const std::filesystem::path& path, const LoadOptions& options, bool only_placed) {
  try {
    const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    return graph_from(read_protobuf(path), folder, options, only_placed);
  } catch (const Error& error) {
    const std::string text = error.what();
    if (text.find(path.string()) != std::string::npos) throw;
    throw Error(error.code, fmt::format("cannot load '{}': {}", path.string(), text));
  }
}

}  // namespace

Graph load_model(const std::filesystem::path& path, const LoadOptions& options) {
  return load(path, options, /*only_placed=*/false);
}

Graph load_to_place(const std::filesystem::path& path, const LoadOptions& options) {
  return load(path, options, /*only_placed=*/true);
}

}  // namespace adze::host
