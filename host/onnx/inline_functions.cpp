#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

#include "host/base/error.hpp"
#include "host/onnx/operators.hpp"
#include "host/onnx/prepare.hpp"

namespace adze::host {
namespace {

constexpr int kMaxDepth = 32, kMaxNodes = 200'000;

using Functions = std::unordered_map<std::string, const onnx::FunctionProto*>;

std::string plain_domain(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

std::string key_of(const std::string& domain, const std::string& name) {
  return plain_domain(domain) + ":" + name;
}

class Inliner {
 public:
  explicit Inliner(const onnx::ModelProto& model) {
    for (const auto& function : model.functions())
      functions_[key_of(function.domain(), function.name())] = &function;
    for (const auto& import : model.opset_import())
      imports_[plain_domain(import.domain())] = import.version();
  }

  void add(const onnx::NodeProto& node, int depth, onnx::GraphProto& to) {
    const auto at = functions_.find(key_of(node.domain(), node.op_type()));
    if (at == functions_.end()) {
      if (to.node_size() >= kMaxNodes)
        throw Error(
            ADZE_UNIMPLEMENTED,
            fmt::format("the model has more than {} nodes with its functions inlined", kMaxNodes));
      *to.add_node() = node;
      return;
    }
    if (depth >= kMaxDepth)
      throw Error(
          ADZE_INVALID_ARGUMENT,
          fmt::format("function '{}' calls itself, or functions are nested more than {} deep",
                      node.op_type(), kMaxDepth));
    add_body(node, *at->second, depth, to);
  }

 private:
  void add_body(const onnx::NodeProto& call, const onnx::FunctionProto& function, int depth,
                onnx::GraphProto& to) {
    check_imports(function);
    if (call.input_size() > function.input_size() || call.output_size() > function.output_size())
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("node '{}' gives function '{}' more inputs or outputs than it has",
                              call.name(), function.name()));
    std::unordered_map<std::string, std::string> renamed = {{"", ""}};
    for (int i = 0; i < function.input_size(); ++i)
      renamed[function.input(i)] = i < call.input_size() ? call.input(i) : "";
    for (int i = 0; i < call.output_size(); ++i)
      if (!call.output(i).empty()) renamed[function.output(i)] = call.output(i);
    const std::string prefix =
        (call.name().empty() ? call.op_type() : call.name()) + "/" + std::to_string(calls_++) + "/";
    const auto outer_name = [&](const std::string& inner) {
      const auto known = renamed.find(inner);
      return known == renamed.end() ? prefix + inner : known->second;
    };
    for (const onnx::NodeProto& body_node : function.node()) {
      onnx::NodeProto node = body_node;
      node.set_name(prefix + body_node.name());
      for (auto& input : *node.mutable_input()) input = outer_name(input);
      for (auto& output : *node.mutable_output()) output = outer_name(output);
      resolve_attributes(call, node);
      add(node, depth + 1, to);
    }
  }

  // An attribute of the body may stand for one of the call; without it, it is left out.
  static void resolve_attributes(const onnx::NodeProto& call, onnx::NodeProto& node) {
    auto& attributes = *node.mutable_attribute();
    for (int i = attributes.size(); i-- > 0;) {
      if (attributes[i].type() == onnx::AttributeProto::GRAPH)
        throw Error(ADZE_UNIMPLEMENTED,
                    fmt::format("function body node '{}' has a subgraph", node.name()));
      const std::string wanted = attributes[i].ref_attr_name(), name = attributes[i].name();
      if (wanted.empty()) continue;
      const onnx::AttributeProto* given = nullptr;
      for (const auto& attribute : call.attribute())
        if (attribute.name() == wanted) given = &attribute;
      if (given) {
        attributes[i] = *given;
        attributes[i].set_name(name);
      } else {
        attributes.DeleteSubrange(i, 1);
      }
    }
  }

  // The body's operators must mean the same in the model's opset.
  void check_imports(const onnx::FunctionProto& function) {
    for (const auto& import : function.opset_import()) {
      const std::string domain = plain_domain(import.domain());
      const auto [at, added] = imports_.try_emplace(domain, import.version());
      if (added) added_imports_.push_back(import);
      if (at->second == import.version()) continue;
      for (const auto& node : function.node())
        if (plain_domain(node.domain()) == domain &&
            !functions_.contains(key_of(domain, node.op_type())) &&
            operator_version(node.op_type(), domain, import.version()) !=
                operator_version(node.op_type(), domain, at->second))
          throw Error(
              ADZE_UNIMPLEMENTED,
              fmt::format("function '{}' uses operator '{}' of opset {}, which differs from "
                          "that of the model's opset {}",
                          function.name(), node.op_type(), import.version(), at->second));
    }
  }

 public:
  const std::vector<onnx::OperatorSetIdProto>& added_imports() const { return added_imports_; }

 private:
  Functions functions_;
  std::unordered_map<std::string, std::int64_t> imports_;
  std::vector<onnx::OperatorSetIdProto> added_imports_;
  int calls_ = 0;
};

}  // namespace

void inline_functions(onnx::ModelProto& model) {
  if (model.functions().empty()) return;
  Inliner inliner(model);
  onnx::GraphProto inlined;
  for (const auto& node : model.graph().node()) inliner.add(node, 0, inlined);
  model.mutable_graph()->mutable_node()->Swap(inlined.mutable_node());
  for (const auto& import : inliner.added_imports()) *model.add_opset_import() = import;
  model.clear_functions();
}

}  // namespace adze::host
