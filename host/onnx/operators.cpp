#include "host/onnx/operators.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "host/base/error.hpp"
#include "host/base/log.hpp"

namespace adze::host {
namespace {

// How an operator form newer than opset 17 reads in an older one.
enum class Lowering : std::uint8_t {
  same,              // more element types only
  new_attributes,    // the same while the attributes named are left at their defaults
  axes_input,        // axes moved from an attribute to input 1
  three_inputs,      // an input 3 came in; the same without it
  like_first_input,  // new operator whose result has the type and shape of its first input
};
struct NewerForm {
  std::uint32_t since;
  Lowering lowering = Lowering::same;
  std::vector<std::string> attributes = {};  // not understood before
};

const std::map<std::string, std::vector<NewerForm>>& newer_forms() {
  using enum Lowering;
  static const auto kForms = [] {
    std::map<std::string, std::vector<NewerForm>> forms = {
        {"AveragePool", {{19, new_attributes, {"dilations"}}, {22, new_attributes, {"dilations"}}}},
        {"Cast",
         {{19, new_attributes, {"saturate"}},
          {21, new_attributes, {"saturate"}},
          {23, new_attributes, {"saturate"}}}},
        {"Constant", {{19}, {21}, {23}}},
        {"ConstantOfShape", {{20}, {21}, {23}}},
        {"Conv", {{22}}},
        {"ConvTranspose", {{22}}},
        {"DequantizeLinear",
         {{19},
          {21, new_attributes, {"block_size", "output_dtype"}},
          {23, new_attributes, {"block_size", "output_dtype"}}}},
        {"Dropout", {{22}}},
        {"Elu", {{22}}},
        {"Equal", {{19}}},
        {"Flatten", {{21}, {23}}},
        {"Gelu", {{20, like_first_input}}},
        {"GlobalAveragePool", {{22}}},
        {"GlobalMaxPool", {{22}}},
        {"GroupNormalization", {{18, like_first_input}, {21, like_first_input}}},
        {"HardSigmoid", {{22}}},
        {"HardSwish", {{22}}},
        {"Identity", {{19}, {21}, {23}}},
        {"If", {{19}, {21}, {23}}},
        {"InstanceNormalization", {{22}}},
        {"Loop", {{19}, {21}, {23}}},
        {"MaxPool", {{22}}},
        {"Mish", {{18, like_first_input}, {22, like_first_input}}},
        {"Pad", {{18, three_inputs}, {19, three_inputs}, {21, three_inputs}, {23, three_inputs}}},
        {"QuantizeLinear",
         {{19, new_attributes, {"saturate"}},
          {21, new_attributes, {"saturate", "block_size", "output_dtype"}},
          {23, new_attributes, {"saturate", "block_size", "output_dtype", "precision"}}}},
        {"Reshape", {{19}, {21}, {23}}},
        {"Resize",
         {{18, new_attributes, {"antialias", "axes", "keep_aspect_ratio_policy"}},
          {19, new_attributes, {"antialias", "axes", "keep_aspect_ratio_policy"}}}},
        {"RMSNormalization", {{23, like_first_input}}},
        {"Round", {{22}}},
        {"Selu", {{22}}},
        {"Shape", {{19}, {21}, {23}}},
        {"Size", {{19}, {21}, {23}}},
        {"Softplus", {{22}}},
        {"Softsign", {{22}}},
        {"Split", {{18, new_attributes, {"num_outputs"}}}},
        {"Squeeze", {{21}, {23}}},
        {"ThresholdedRelu", {{22}}},
        {"Transpose", {{21}, {23}}},
        {"Unsqueeze", {{21}, {23}}},
    };
    for (const char* op : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
                           "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSumSquare"})
      forms[op] = {{18, axes_input}};
    for (const char* op : {"ReduceMax", "ReduceMin"}) forms[op].push_back({20, axes_input});
    return forms;
  }();
  return kForms;
}

const NewerForm* newer_form(const std::string& op, std::int64_t opset) {
  const auto at = newer_forms().find(op);
  if (at == newer_forms().end()) return nullptr;
  const NewerForm* found = nullptr;
  for (const NewerForm& form : at->second)
    if (form.since <= opset) found = &form;
  return found;
}

[[noreturn]] void refuse(const onnx::NodeProto& node, const std::string& why) {
  throw Error(ADZE_UNIMPLEMENTED, fmt::format("node '{}' ({}) {}; export the model with opset 17",
                                              node.name(), node.op_type(), why));
}

bool is_default(const onnx::AttributeProto& attribute, const onnx::NodeProto& node) {
  const std::string& name = attribute.name();
  if (name == "num_outputs") return attribute.i() == node.output_size();
  if (name == "saturate") return attribute.i() == 1;  // matters for 8-bit floats only
  if (name == "keep_aspect_ratio_policy") return attribute.s() == "stretch";
  if (name == "dilations")
    return std::all_of(attribute.ints().begin(), attribute.ints().end(),
                       [](auto dilation) { return dilation == 1; });
  return attribute.type() == onnx::AttributeProto::INT && attribute.i() == 0;
}

void lower(onnx::NodeProto& node, const NewerForm& form, const onnx::GraphProto& graph) {
  switch (form.lowering) {
    case Lowering::same:
      return;
    case Lowering::new_attributes: {
      auto& attributes = *node.mutable_attribute();
      for (int i = attributes.size(); i-- > 0;) {
        const std::string& name = attributes[i].name();
        if (std::find(form.attributes.begin(), form.attributes.end(), name) ==
            form.attributes.end())
          continue;
        if (!is_default(attributes[i], node))
          refuse(node, fmt::format("uses '{}', which is not supported", name));
        attributes.DeleteSubrange(i, 1);
      }
      return;
    }
    case Lowering::three_inputs:
      if (node.input_size() > 3 && !node.input(3).empty())
        refuse(node, "has axes as an input, which is not supported");
      while (node.input_size() > 3) node.mutable_input()->RemoveLast();
      return;
    case Lowering::like_first_input:
      if (node.input_size() == 0 || node.output_size() != 1) refuse(node, "is not complete");
      node.set_op_type("Identity");
      node.mutable_input()->DeleteSubrange(1, node.input_size() - 1);
      node.clear_attribute();
      return;
    case Lowering::axes_input:
      break;
  }
  if (node.input_size() < 2 || node.input(1).empty()) return;
  const auto axes = std::find_if(graph.initializer().begin(), graph.initializer().end(),
                                 [&](const auto& t) { return t.name() == node.input(1); });
  const bool readable =
      axes != graph.initializer().end() && axes->data_type() == onnx::TensorProto::INT64;
  if (!readable) refuse(node, "has axes that are not constant");
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name("axes");
  attribute.set_type(onnx::AttributeProto::INTS);
  const std::string& raw = axes->raw_data();
  for (std::size_t at = 0; at + 8 <= raw.size(); at += 8) {
    std::int64_t axis = 0;
    std::memcpy(&axis, raw.data() + at, 8);
    attribute.add_ints(axis);
  }
  for (const std::int64_t axis : axes->int64_data()) attribute.add_ints(axis);
  node.mutable_input()->RemoveLast();
  auto& attributes = *node.mutable_attribute();
  for (int i = attributes.size(); i-- > 0;)
    if (attributes[i].name() == "noop_with_empty_axes" ||
        (attributes[i].name() == "axes" && attributes[i].ints().empty()))
      attributes.DeleteSubrange(i, 1);
}

std::int64_t domain_version(const onnx::ModelProto& model, const std::string& domain) {
  for (const auto& import : model.opset_import())
    if (import.domain() == domain) return import.version();
  return 0;
}

}  // namespace

std::int64_t opset_of(const onnx::ModelProto& model) { return domain_version(model, ""); }

const onnx::OpSchema* schema_of(const std::string& op, const std::string& domain,
                                std::int64_t opset) {
  const auto version = static_cast<int>(domain.empty() ? std::min(opset, kLibraryOpset)
                                                       : std::min<std::int64_t>(opset, 1 << 20));
  const onnx::OpSchema* schema = onnx::OpSchemaRegistry::Schema(op, version, domain);
  return schema && !schema->Deprecated() ? schema : nullptr;
}

std::uint32_t operator_version(const std::string& op, const std::string& domain,
                               std::int64_t opset) {
  if (domain.empty() && opset > kNewestOpset) return 0;
  if (domain.empty() && opset > kLibraryOpset)
    if (const NewerForm* form = newer_form(op, opset)) return form->since;
  const onnx::OpSchema* schema = schema_of(op, domain, opset);
  return schema ? static_cast<std::uint32_t>(schema->SinceVersion()) : 0;
}

void check_operators(const onnx::ModelProto& model, bool only_placed) {
  std::string unknown;
  int unknown_count = 0;
  for (const onnx::NodeProto& node : model.graph().node()) {
    const std::int64_t opset = domain_version(model, node.domain());
    const std::string domain = node.domain().empty() ? "ONNX" : "'" + node.domain() + "'";
    if (opset == 0)
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("node '{}' uses operator '{}' of domain {}, which the model does not "
                              "import",
                              node.name(), node.op_type(), domain));
    if (operator_version(node.op_type(), node.domain(), opset) != 0) continue;
    if (!only_placed || (node.domain().empty() && opset > kNewestOpset))
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("node '{}' uses operator '{}', which is not known in opset {} of "
                              "domain {}; opsets up to {} of ONNX are known",
                              node.name(), node.op_type(), opset, domain, kNewestOpset));
    if (unknown_count++ == 0)
      unknown =
          fmt::format("node '{}' uses operator '{}', which is not known in opset {} of domain {}",
                      node.name(), node.op_type(), opset, domain);
  }
  if (unknown_count > 0)
    log(LogLevel::warning,
        fmt::format(
            "{}{}: taken to run on the CPU, and to make what the file declares or, where it "
            "declares nothing, the like of what it takes; no backend here computes it",
            unknown,
            unknown_count > 1 ? fmt::format(" (and {} more such nodes)", unknown_count - 1) : ""));
}

onnx::ModelProto lowered_to_library_opset(const onnx::ModelProto& model) {
  onnx::ModelProto lowered = model;
  constexpr std::int64_t kLibraryIr = 8;
  lowered.set_ir_version(std::clamp<std::int64_t>(model.ir_version(), 4, kLibraryIr));
  const std::int64_t opset = opset_of(model);
  bool has_unknown = false;
  for (auto& node : *lowered.mutable_graph()->mutable_node()) {
    if (operator_version(node.op_type(), node.domain(), domain_version(model, node.domain())) != 0)
      continue;
    node.set_domain(kUnknownDomain);
    has_unknown = true;
  }
  if (has_unknown) {
    auto& import = *lowered.add_opset_import();
    import.set_domain(kUnknownDomain);
    import.set_version(1);
  }
  if (opset <= kLibraryOpset) return lowered;
  for (auto& import : *lowered.mutable_opset_import())
    if (import.domain().empty()) import.set_version(kLibraryOpset);
  for (auto& node : *lowered.mutable_graph()->mutable_node())
    if (const NewerForm* form = node.domain().empty() ? newer_form(node.op_type(), opset) : nullptr)
      lower(node, *form, model.graph());
  return lowered;
}

}  // namespace adze::host
