#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

#include "host/base/error.hpp"
#include "host/graph/graph.hpp"
#include "host/onnx/prepare.hpp"

namespace adze::host {
namespace {

[[noreturn]] void refuse(const std::string& text) { throw Error(ADZE_INVALID_ARGUMENT, text); }

// Names of the model as a graph without contents, for the rules that every graph obeys.
class Outline {
 public:
  void declare_constant(const std::string& name) {
    if (name.empty()) refuse("an initializer has no name");
    Value& value = at(name);
    if (value.constant) refuse(fmt::format("two initializers are called '{}'", name));
    value.constant.emplace();
  }
  void declare_input(const std::string& name) {
    if (name.empty()) refuse("an input of the model has no name");
    if (!inputs_.insert(name).second)
      refuse(fmt::format("two inputs of the model are called '{}'", name));
    const std::uint32_t index = index_of(name);
    // Before IR version 4 every initializer was listed as an input too.
    if (!graph_.values[index].constant) graph_.inputs.push_back(index);
  }
  void add(const onnx::NodeProto& proto) {
    Node node;
    node.op = proto.op_type();
    node.name = proto.name();
    node.op_version = static_cast<std::uint32_t>(graph_.nodes.size());
    for (const auto& input : proto.input())
      node.inputs.push_back(input.empty() ? kNone : index_of(input));
    for (const auto& output : proto.output())
      node.outputs.push_back(output.empty() ? kNone : index_of(output));
    graph_.nodes.push_back(std::move(node));
  }
  void declare_output(const std::string& name) {
    if (name.empty()) refuse("an output of the model has no name");
    if (!outputs_.insert(name).second)
      refuse(fmt::format("two outputs of the model are called '{}'", name));
    graph_.outputs.push_back(index_of(name));
  }
  /// The nodes' indices in topological order.
  std::vector<std::uint32_t> order() {
    graph_.relink();
    std::vector<std::uint32_t> order;
    for (const Node& node : graph_.nodes) order.push_back(node.op_version);
    return order;
  }
  bool knows(const std::string& name) const { return indices_.contains(name); }

 private:
  std::uint32_t index_of(const std::string& name) {
    const auto [at, added] =
        indices_.try_emplace(name, static_cast<std::uint32_t>(graph_.values.size()));
    if (added) graph_.values.emplace_back().name = name;
    return at->second;
  }
  Value& at(const std::string& name) { return graph_.values[index_of(name)]; }

  Graph graph_;
  std::unordered_map<std::string, std::uint32_t> indices_;
  std::unordered_set<std::string> inputs_, outputs_;
};

// Values that a subgraph uses without making them.
void check_captures(const onnx::NodeProto& owner, const onnx::GraphProto& graph, int depth) {
  constexpr int kMaxDepth = 16;
  if (depth > kMaxDepth) refuse(fmt::format("node '{}' nests subgraphs too deep", owner.name()));
  std::unordered_set<std::string> made = {""};
  for (const auto& input : graph.input()) made.insert(input.name());
  for (const auto& initializer : graph.initializer()) made.insert(initializer.name());
  for (const auto& node : graph.node()) {
    for (const auto& input : node.input())
      if (!made.contains(input))
        throw Error(
            ADZE_UNIMPLEMENTED,
            fmt::format("the subgraph of node '{}' ({}) uses value '{}' of the graph around "
                        "it, which is not supported; export the model without control flow",
                        owner.name(), owner.op_type(), input));
    for (const auto& attribute : node.attribute())
      if (attribute.has_g()) check_captures(owner, attribute.g(), depth + 1);
    for (const auto& output : node.output()) made.insert(output);
  }
}

void check_node(const onnx::NodeProto& node) {
  if (node.output().empty())
    refuse(fmt::format("node '{}' ({}) has no output", node.name(), node.op_type()));
  std::unordered_set<std::string> attributes;
  for (const auto& attribute : node.attribute()) {
    if (!attributes.insert(attribute.name()).second)
      refuse(fmt::format("node '{}' ({}) has attribute '{}' twice", node.name(), node.op_type(),
                         attribute.name()));
    if (attribute.has_g()) check_captures(node, attribute.g(), 0);
    for (const auto& graph : attribute.graphs()) check_captures(node, graph, 0);
    if (!attribute.ref_attr_name().empty())
      refuse(
          fmt::format("attribute '{}' of node '{}' stands for an attribute of a function, but "
                      "the node is in none",
                      attribute.name(), node.name()));
  }
}

}  // namespace

void normalize(onnx::ModelProto& model) {
  for (auto& import : *model.mutable_opset_import())
    if (import.domain() == "ai.onnx") import.set_domain("");
  std::unordered_set<std::string> names;
  for (const auto& node : model.graph().node()) names.insert(node.name());
  std::unordered_set<std::string> taken;
  int index = 0;
  for (auto& node : *model.mutable_graph()->mutable_node()) {
    if (node.domain() == "ai.onnx") node.set_domain("");
    std::string name = node.name();
    for (int number = index; name.empty() || !taken.insert(name).second; ++number) {
      name = fmt::format("{}_{}", node.name().empty() ? node.op_type() : node.name(), number);
      if (names.contains(name)) name.clear();
    }
    node.set_name(name);
    ++index;
  }
}

void check_structure(onnx::ModelProto& model) {
  onnx::GraphProto& graph = *model.mutable_graph();
  if (!graph.sparse_initializer().empty())
    throw Error(ADZE_UNIMPLEMENTED, "the model has sparse initializers, which are not supported");
  Outline outline;
  for (const auto& initializer : graph.initializer()) outline.declare_constant(initializer.name());
  for (const auto& input : graph.input()) outline.declare_input(input.name());
  for (const auto& node : graph.node()) {
    check_node(node);
    outline.add(node);
  }
  for (const auto& output : graph.output()) outline.declare_output(output.name());
  if (graph.output().empty()) refuse("the model has no output");

  onnx::GraphProto sorted;
  for (const std::uint32_t n : outline.order())
    sorted.add_node()->Swap(graph.mutable_node(static_cast<int>(n)));
  graph.mutable_node()->Swap(sorted.mutable_node());
}

}  // namespace adze::host
