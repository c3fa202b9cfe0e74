#include "host/onnx/infer_nodes.hpp"

#include <fmt/format.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>

#include "host/base/error.hpp"
#include "host/graph/evaluate_node.hpp"
#include "host/onnx/operators.hpp"
#include "host/onnx/tensors.hpp"

namespace adze::host {

bool is_concrete(const std::optional<Shape>& shape) {
  return shape && std::none_of(shape->begin(), shape->end(), [](auto size) { return size < 0; });
}

TypedShape typed_shape(const onnx::TypeProto& type) {
  TypedShape result;
  if (!type.has_tensor_type()) return result;
  result.onnx_type = type.tensor_type().elem_type();
  if (!type.tensor_type().has_shape()) return result;
  result.shape.emplace();
  for (const auto& dim : type.tensor_type().shape().dim())
    result.shape->push_back(dim.has_dim_value() && dim.dim_value() >= 0 ? dim.dim_value() : -1);
  return result;
}

namespace {

constexpr std::size_t kWorthKnowingBytes = 64 << 10;
/// What libonnx reads of floats are scales and limits; writing out weights that nodes compute would
/// take a quarter of the time.
constexpr std::int64_t kMostScales = 64;

class Inference {
 public:
  Inference(const Graph& graph, onnx::ModelProto& model, ComputedOfConstants& of_constants)
      : graph_(graph), model_(model), of_constants_(of_constants) {
    for (const auto& import : model.opset_import())
      opsets_[import.domain()] = static_cast<int>(import.version());
    for (const auto& input : model.graph().input()) set_type(input.name(), input.type());
    for (const auto& initializer : model.graph().initializer()) {
      onnx::TypeProto type;
      type.mutable_tensor_type()->set_elem_type(initializer.data_type());
      type.mutable_tensor_type()->mutable_shape();
      for (const std::int64_t size : initializer.dims())
        type.mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(size);
      set_type(initializer.name(), type);
      data_[initializer.name()] = &initializer;
    }
    known_.resize(graph.values.size());
    for (std::size_t v = 0; v < known_.size(); ++v)
      if (const auto& constant = graph.values[v].constant;
          constant && (constant->is_uniform() || constant->size_bytes() <= kWorthKnowingBytes))
        known_[v] = *constant;
  }

  TypedShapes run() {
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      check_before_inference(graph_, node, shapes_);
      infer(node, *model_.mutable_graph()->mutable_node(static_cast<int>(n)));
      infer_by_condition(node);
      learn(n);
    }
    return std::move(shapes_);
  }

 private:
  void set_type(const std::string& name, const onnx::TypeProto& type) {
    onnx::TypeProto& kept = types_[name];
    kept = type;
    // A window that takes more than there is leaves a size below 0, which libonnx would count with.
    if (kept.has_tensor_type() && kept.tensor_type().has_shape())
      for (auto& dim : *kept.mutable_tensor_type()->mutable_shape()->mutable_dim())
        if (dim.has_dim_value() && dim.dim_value() < 0) dim.clear_dim_value();
    type_pointers_[name] = &kept;
    shapes_[name] = typed_shape(type);
  }

  void infer(const Node& node, onnx::NodeProto& proto) {
    const onnx::OpSchema* schema =
        schema_of(proto.op_type(), proto.domain(), opsets_[proto.domain()]);
    if (!schema) return assume(proto);
    using namespace onnx::shape_inference;
    GraphInferenceContext outer(type_pointers_, opsets_);
    InferenceContextImpl context(proto, type_pointers_, data_, {}, nullptr, &outer);
    try {
      if (schema->has_type_and_shape_inference_function())
        schema->GetTypeAndShapeInferenceFunction()(context);
      else if (schema->HasFunction())
        InferShapeForFunctionNode(*schema->GetFunction(), onnx::OpSchemaRegistry::Instance(),
                                  context);
      schema->CheckInputOutputType(context);
    } catch (const std::exception& error) {
      throw Error(ADZE_INVALID_ARGUMENT, fmt::format("the inputs of node '{}' ({}) do not fit: {}",
                                                     node.name, node.op, error.what()));
    }
    for (int i = 0; i < proto.output_size(); ++i) {
      const onnx::TypeProto& type = context.allOutputTypes_[static_cast<std::size_t>(i)];
      if (!proto.output(i).empty() && type.value_case() != onnx::TypeProto::VALUE_NOT_SET)
        set_type(proto.output(i), type);
    }
  }

  // Outputs of an operator that nobody knows: as the file declares them, else like the first input.
  void assume(const onnx::NodeProto& proto) {
    const auto first = types_.find(proto.input_size() > 0 ? proto.input(0) : "");
    if (first == types_.end()) return;
    const onnx::TypeProto like = first->second;
    for (const std::string& output : proto.output()) {
      if (output.empty()) continue;
      onnx::TypeProto type = like;
      for (const auto& info : model_.graph().value_info())
        if (info.name() == output) type = info.type();
      auto& shape = *type.mutable_tensor_type()->mutable_shape();
      const auto& given = like.tensor_type().shape();
      // One sample, or any number: as many as come in.
      if (shape.dim_size() > 0 && given.dim_size() > 0 &&
          (!shape.dim(0).has_dim_value() || shape.dim(0).dim_value() == 1))
        *shape.mutable_dim(0) = given.dim(0);
      set_type(output, type);
    }
  }

  // How much a Compress keeps, which libonnx leaves open, is known when its condition is.
  void infer_by_condition(const Node& node) {
    if (node.op != "Compress" || !node.domain.empty() || node.inputs.size() != 2 ||
        node.inputs[0] == kNone || node.inputs[1] == kNone || node.outputs[0] == kNone)
      return;
    const auto& condition = known_[node.inputs[1]];
    const TypedShape data = shapes_[graph_.value(node.inputs[0]).name];
    if (!condition || condition->dtype() != DType::boolean || !data.shape) return;
    Shape shape = *data.shape;
    const auto rank = static_cast<std::int64_t>(shape.size());
    const auto elements = condition->as<std::uint8_t>();
    const std::int64_t kept = std::ranges::count_if(elements, [](auto e) { return e != 0; });
    if (node.attributes.contains("axis")) {
      const std::int64_t axis = attribute_or<std::int64_t>(node, "axis", 0);
      if (axis < -rank || axis >= rank) return;  // the executor says so
      shape[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)] = kept;
    } else {
      shape = {kept};
    }
    onnx::TypeProto type;
    type.mutable_tensor_type()->set_elem_type(data.onnx_type);
    type.mutable_tensor_type()->mutable_shape();
    for (const std::int64_t size : shape) {
      auto* dim = type.mutable_tensor_type()->mutable_shape()->add_dim();
      if (size >= 0) dim->set_dim_value(size);
    }
    set_type(graph_.value(node.outputs[0]).name, type);
  }

  // Computes the node when all it reads is known, for the nodes behind it.
  void learn(std::size_t n) {
    const Node& node = graph_.nodes[n];
    auto results = of_constants_[n] ? of_constants_[n] : compute(node);
    if (!results) return;
    if (std::ranges::all_of(node.inputs, [&](std::uint32_t input) {
          return input == kNone || graph_.value(input).constant;
        }))
      of_constants_[n] = results;
    for (std::size_t i = 0; i < results->size() && i < node.outputs.size(); ++i) {
      Tensor& result = (*results)[i];
      const std::uint32_t output = node.outputs[i];
      const bool small = result.size_bytes() <= kWorthKnowingBytes;
      if (output == kNone || (!small && !result.is_uniform())) continue;
      const std::string& name = graph_.value(output).name;
      if (small && (result.dtype() != DType::f32 || result.count() <= kMostScales)) {
        onnx::TensorProto& proto = computed_[name];
        tensor_to_proto(result, name, proto);
        data_[name] = &proto;
      }
      onnx::TypeProto type;
      type.mutable_tensor_type()->set_elem_type(dtype_to_onnx(result.dtype()));
      type.mutable_tensor_type()->mutable_shape();
      for (const std::int64_t size : result.shape())
        type.mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(size);
      set_type(name, type);
      known_[output] = std::move(result);
    }
  }

  std::optional<std::vector<Tensor>> compute(const Node& node) {
    if (node.domain.empty() && node.op == "Shape" && node.inputs.size() == 1 &&
        node.inputs[0] != kNone) {
      const auto& shape = shapes_[graph_.value(node.inputs[0]).name].shape;
      const auto rank = shape ? static_cast<std::int64_t>(shape->size()) : 0;
      const bool whole = attribute_or<std::int64_t>(node, "start", 0) == 0 &&
                         attribute_or<std::int64_t>(node, "end", rank) == rank;
      if (!whole || !is_concrete(shape)) return std::nullopt;
      return std::vector<Tensor>{vector_tensor(*shape)};
    }
    std::vector<const Tensor*> inputs;
    for (const std::uint32_t input : node.inputs) {
      if (input != kNone && !known_[input]) return std::nullopt;
      inputs.push_back(input == kNone ? nullptr : &*known_[input]);
    }
    if (inputs.empty()) return std::nullopt;
    return evaluate_node(node, inputs);
  }

  const Graph& graph_;
  onnx::ModelProto& model_;
  ComputedOfConstants& of_constants_;
  std::unordered_map<std::string, int> opsets_;
  std::unordered_map<std::string, onnx::TypeProto> types_;  // addresses stay while it grows
  std::unordered_map<std::string, onnx::TypeProto*> type_pointers_;
  std::unordered_map<std::string, onnx::TensorProto> computed_;
  std::unordered_map<std::string, const onnx::TensorProto*> data_;
  std::vector<std::optional<Tensor>> known_;
  TypedShapes shapes_;
};

}  // namespace

TypedShapes infer_nodes(const Graph& graph, onnx::ModelProto& model,
                        ComputedOfConstants& of_constants) {
  return Inference(graph, model, of_constants).run();
}

}  // namespace adze::host
