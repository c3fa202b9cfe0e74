#include <fmt/format.h>
#include <onnx/version_converter/convert.h>

#include <unordered_set>

#include "host/base/error.hpp"
#include "host/onnx/operators.hpp"
#include "host/onnx/prepare.hpp"
#include "host/onnx/tensors.hpp"

namespace adze::host {
namespace {

// Shapes, axes, scales: what inference and conversion may want to read.
constexpr std::size_t kSmallBytes = 1024;

std::optional<Tensor> constant_node_value(const onnx::NodeProto& node,
                                          const std::filesystem::path& folder) {
  if (node.op_type() != "Constant" || !node.domain().empty() || node.attribute_size() != 1 ||
      node.output_size() != 1)
    return std::nullopt;
  const onnx::AttributeProto& attribute = node.attribute(0);
  const std::string what = fmt::format("the value of node '{}' (Constant)", node.name());
  if (attribute.name() == "value" && attribute.has_t())
    return tensor_from_proto(attribute.t(), folder, what);
  if (attribute.name() == "value_int") {
    const std::int64_t value = attribute.i();
    return Tensor(DType::i64, {}, std::span<const std::int64_t>(&value, 1));
  }
  if (attribute.name() == "value_float") {
    const float value = attribute.f();
    return Tensor(DType::f32, {}, std::span<const float>(&value, 1));
  }
  if (attribute.name() == "value_ints")
    return Tensor(DType::i64, {attribute.ints_size()},
                  std::span<const std::int64_t>(attribute.ints().data(),
                                                static_cast<std::size_t>(attribute.ints_size())));
  if (attribute.name() == "value_floats")
    return Tensor(DType::f32, {attribute.floats_size()},
                  std::span<const float>(attribute.floats().data(),
                                         static_cast<std::size_t>(attribute.floats_size())));
  return std::nullopt;
}

}  // namespace

Constants take_constants(onnx::ModelProto& model, const std::filesystem::path& folder) {
  onnx::GraphProto& graph = *model.mutable_graph();
  std::unordered_set<std::string> outputs;
  for (const auto& output : graph.output()) outputs.insert(output.name());
  Constants constants;
  for (auto& each : *graph.mutable_initializer()) {
    onnx::TensorProto initializer;  // to be freed: what protobuf clears, it keeps
    initializer.Swap(&each);
    constants[initializer.name()] =
        tensor_from_proto(initializer, folder, "initializer '" + initializer.name() + "'");
  }
  onnx::GraphProto kept_nodes;
  for (auto& node : *graph.mutable_node()) {
    auto value = constant_node_value(node, folder);
    if (!value || outputs.contains(node.output(0)))
      kept_nodes.add_node()->Swap(&node);
    else
      constants[node.output(0)] = std::move(*value);
  }
  graph.mutable_node()->Swap(kept_nodes.mutable_node());

  onnx::GraphProto kept_inputs;
  for (auto& input : *graph.mutable_input())
    if (!constants.contains(input.name())) kept_inputs.add_input()->Swap(&input);
  graph.mutable_input()->Swap(kept_inputs.mutable_input());
  graph.clear_initializer();
  for (const auto& [name, tensor] : constants) {
    if (tensor.size_bytes() <= kSmallBytes) {
      tensor_to_proto(tensor, name, *graph.add_initializer());
      continue;
    }
    onnx::ValueInfoProto& shown = *graph.add_input();
    shown.set_name(name);
    auto& type = *shown.mutable_type()->mutable_tensor_type();
    type.set_elem_type(dtype_to_onnx(tensor.dtype()));
    type.mutable_shape();
    for (const std::int64_t size : tensor.shape())
      type.mutable_shape()->add_dim()->set_dim_value(size);
  }
  if (graph.name().empty()) graph.set_name("graph");
  constexpr std::int64_t kConstantsAreNoInputs = 4;  // since this IR version
  model.set_ir_version(std::max(model.ir_version(), kConstantsAreNoInputs));
  return constants;
}

void upgrade_opset(onnx::ModelProto& model, Constants& constants) {
  const std::int64_t opset = opset_of(model);
  if (opset >= kTargetOpset || opset == 0) return;
  try {
    onnx::ModelProto converted =
        onnx::version_conversion::ConvertVersion(model, static_cast<int>(kTargetOpset));
    model.mutable_graph()->Swap(converted.mutable_graph());
    for (auto& import : *model.mutable_opset_import())
      if (import.domain().empty()) import.set_version(kTargetOpset);
  } catch (const std::exception& error) {
    throw Error(
        ADZE_UNIMPLEMENTED,
        fmt::format("cannot convert the model from opset {} to {}: {}; export it with opset "
                    "13 or newer",
                    opset, kTargetOpset, error.what()));
  }
  model.mutable_graph()->clear_value_info();
  normalize(model);
  // The large constants are inputs by now, the small ones and the new ones are taken here.
  Constants large = std::move(constants);
  constants = take_constants(model, {});
  for (auto& [name, tensor] : large) constants.try_emplace(name, std::move(tensor));
}

}  // namespace adze::host
