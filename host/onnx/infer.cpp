#include "host/onnx/infer.hpp"

#include <fmt/format.h>
#include <onnx/checker.h>

#include <algorithm>
#include <unordered_set>

#include "host/base/error.hpp"
#include "host/graph/evaluate_node.hpp"
#include "host/onnx/infer_nodes.hpp"
#include "host/onnx/operators.hpp"
#include "host/onnx/tensors.hpp"

namespace adze::host {
namespace {

// The model's inputs as the file declares them.
struct DeclaredInput {
  std::uint32_t value = kNone;
  Shape shape;         // -1: not known
  std::string symbol;  // of the first dimension
};

DeclaredInput declared_input(const Graph& graph, const onnx::ValueInfoProto& proto,
                             const LoadOptions& options) {
  DeclaredInput input;
  input.value = graph.find_value(proto.name());
  const TypedShape typed = typed_shape(proto.type());
  if (!proto.type().has_tensor_type())
    throw Error(ADZE_UNIMPLEMENTED,
                fmt::format("input '{}' is no tensor, which is not supported", proto.name()));
  const auto given = options.input_shapes.find(proto.name());
  if (given != options.input_shapes.end()) {
    if (typed.shape && typed.shape->size() != given->second.size())
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("input '{}' has {} axes, but the shape given for it is {}",
                              proto.name(), typed.shape->size(), to_string(given->second)));
    input.shape = given->second;
    if (typed.shape && !typed.shape->empty() && (*typed.shape)[0] <= 0 && input.shape[0] == 1)
      input.shape[0] = -1;
  } else if (typed.shape) {
    input.shape = *typed.shape;
  } else {
    throw Error(
        ADZE_INVALID_ARGUMENT,
        fmt::format("the file does not say the shape of input '{}'; give it", proto.name()));
  }
  const auto& dims = proto.type().tensor_type().shape();
  for (std::size_t axis = 0; axis < input.shape.size(); ++axis) {
    std::int64_t& size = input.shape[axis];
    if (axis == 0 && size <= 0) {
      size = -1;
      input.symbol = dims.dim_size() > 0 ? dims.dim(0).dim_param() : "";
    } else if (size <= 0) {
      const std::string symbol = dims.dim(static_cast<int>(axis)).dim_param();
      throw Error(
          ADZE_INVALID_ARGUMENT,
          fmt::format("the size of axis {} of input '{}'{} is not fixed; give the full shape "
                      "of this input",
                      axis, proto.name(), symbol.empty() ? "" : " ('" + symbol + "')"));
    }
  }
  return input;
}

void set_input_shape(onnx::ModelProto& model, const std::string& name, const Shape& shape) {
  for (auto& input : *model.mutable_graph()->mutable_input()) {
    if (input.name() != name) continue;
    auto& proto = *input.mutable_type()->mutable_tensor_type()->mutable_shape();
    proto.clear_dim();
    for (const std::int64_t size : shape) proto.add_dim()->set_dim_value(size);
  }
}

class BatchFinder {
 public:
  /// `model` is that of the file, `lowered` the same as libonnx understands it.
  BatchFinder(Graph& graph, const onnx::ModelProto& model, onnx::ModelProto lowered,
              std::vector<DeclaredInput> inputs)
      : graph_(graph),
        model_(model),
        lowered_(std::move(lowered)),
        inputs_(std::move(inputs)),
        of_constants_(graph.nodes.size()) {
    keep_declarations();
    for (auto& output : *lowered_.mutable_graph()->mutable_output())
      if (output.type().has_tensor_type())
        output.mutable_type()->mutable_tensor_type()->clear_shape();
    for (const DeclaredInput& input : inputs_)
      open_ = open_ || (!input.shape.empty() && input.shape[0] == -1);
  }

  void run() {
    const TypedShapes one = infer_for(1);
    assign(one);
    if (!open_ && std::none_of(inputs_.begin(), inputs_.end(),
                               [&](const DeclaredInput& input) { return batched(input); }))
      return;
    if (accept(one)) return;
    // Exporters like to freeze the batch of one into the target of Reshape nodes. Written as "the
    // size of the input" it means the same for one sample, and works for more.
    free_reshapes();
    if (freed_.empty() || !accept(one)) return;
    for (const auto& [n, target] : freed_) {
      Value shape;
      shape.name = target_name(n);
      shape.dtype = DType::i64;
      shape.shape = Shape{static_cast<std::int64_t>(target.size())};
      shape.constant = vector_tensor(target);
      graph_.nodes[n].inputs[1] = static_cast<std::uint32_t>(graph_.values.size());
      graph_.values.push_back(std::move(shape));
    }
  }

 private:
  // What the file says of values that operators make which nobody knows; of others it is computed.
  void keep_declarations() {
    std::unordered_set<std::string> wanted;
    for (const auto& node : lowered_.graph().node())
      if (node.domain() == kUnknownDomain)
        wanted.insert(node.output().begin(), node.output().end());
    onnx::GraphProto& proto = *lowered_.mutable_graph();
    proto.clear_value_info();
    for (const auto* list : {&model_.graph().value_info(), &model_.graph().output()})
      for (const auto& info : *list)
        if (wanted.contains(info.name()) && info.type().has_tensor_type())
          *proto.add_value_info() = info;
  }

  bool batched(const DeclaredInput& input) const {
    if (input.shape.empty()) return false;
    return open_ ? input.shape[0] == -1 : input.shape.size() > 1 && input.shape[0] == 1;
  }

  // Takes over the batch axes when the model works for a batch of two.
  bool accept(const TypedShapes& one) {
    TypedShapes two;
    try {
      two = infer_for(2);
    } catch (const Error&) {
      return false;  // some node insists on the size
    }
    std::vector<std::int32_t> axes(graph_.values.size(), -1);
    std::vector<bool> unclear(graph_.values.size());
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      const auto& small = one.at(graph_.values[v].name).shape;
      const auto& large = two.at(graph_.values[v].name).shape;
      if (graph_.values[v].constant || !small || !large || small == large) continue;
      unclear[v] = !find_axis(*small, *large, axes[v]);
    }
    if (!reshapes_keep_elements(two) || (!open_ && !follows_everywhere(axes, unclear)))
      return false;
    for (std::size_t v = 0; v < axes.size(); ++v) {
      Value& value = graph_.values[v];
      value.batch_axis = axes[v];
      if (!unclear[v]) continue;
      const auto& large = two.at(value.name).shape;
      if (large->size() != value.shape->size()) value.shape.reset();
      for (std::size_t axis = 0; value.shape && axis < value.shape->size(); ++axis)
        if ((*value.shape)[axis] != (*large)[axis]) (*value.shape)[axis] = -1;
    }
    for (const DeclaredInput& input : inputs_)
      if (!input.shape.empty() && input.shape[0] == -1)
        graph_.symbols[graph_.values[input.value].name] = input.symbol;
    for (const auto& output : model_.graph().output()) {
      const auto& dims = output.type().tensor_type().shape();
      const std::uint32_t value = graph_.find_value(output.name());
      if (open_ && value != kNone && graph_.values[value].batch_axis == 0 && dims.dim_size() > 0)
        graph_.symbols[output.name()] = dims.dim(0).dim_param();
    }
    return true;
  }

  // libonnx believes the target of a Reshape, whatever comes in.
  bool reshapes_keep_elements(const TypedShapes& shapes) const {
    for (const Node& node : graph_.nodes) {
      if (node.op != "Reshape" || !node.domain.empty() || node.inputs.empty()) continue;
      const auto& from = shapes.at(graph_.value(node.inputs[0]).name).shape;
      const auto& to = shapes.at(graph_.value(node.outputs[0]).name).shape;
      if (is_concrete(from) && is_concrete(to) && element_count(*from) != element_count(*to))
        return false;
    }
    return true;
  }

  void free_reshapes() {
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      if (node.op != "Reshape" || !node.domain.empty() || node.inputs.size() != 2 ||
          node.inputs[0] == kNone || node.inputs[1] == kNone ||
          attribute_or<std::int64_t>(node, "allowzero", 0) != 0)
        continue;
      const Value &input = graph_.value(node.inputs[0]), &shape = graph_.value(node.inputs[1]);
      if (input.constant || !input.shape || input.shape->empty() || (*input.shape)[0] != 1 ||
          !shape.constant)
        continue;
      auto target = integers(*shape.constant);
      if (!target || target->empty() || target->front() != 1) continue;
      target->front() = 0;
      const std::string name = target_name(n);
      lowered_.mutable_graph()->mutable_node(static_cast<int>(n))->set_input(1, name);
      tensor_to_proto(vector_tensor(*target), name, *lowered_.mutable_graph()->add_initializer());
      freed_[n] = std::move(*target);
    }
  }

  std::string target_name(std::size_t node) const {
    std::string name = graph_.nodes[node].name + "/shape";
    while (graph_.find_value(name) != kNone) name += "_";
    return name;
  }

  TypedShapes infer_for(std::int64_t batch) {
    for (const DeclaredInput& input : inputs_) {
      Shape shape = input.shape;
      if (batched(input)) shape[0] = batch;
      set_input_shape(lowered_, graph_.values[input.value].name, shape);
    }
    TypedShapes shapes = infer_nodes(graph_, lowered_, of_constants_);
    for (const Value& value : graph_.values) shapes.try_emplace(value.name);
    return shapes;
  }

  void assign(const TypedShapes& shapes) {
    for (Value& value : graph_.values) {
      if (value.constant) continue;
      const TypedShape& typed = shapes.at(value.name);
      if (typed.onnx_type != 0) {
        const auto dtype = dtype_from_onnx(typed.onnx_type);
        if (!dtype)
          throw Error(ADZE_UNIMPLEMENTED,
                      fmt::format("value '{}' has elements of {}, which are not "
                                  "supported",
                                  value.name, type_name(typed.onnx_type)));
        value.dtype = *dtype;
      }
      value.shape = typed.shape;
    }
  }

  // The only axis that doubles with the batch; false when something else changes.
  static bool find_axis(const Shape& one, const Shape& two, std::int32_t& found) {
    if (one.size() != two.size()) return false;
    std::int32_t axis = -1;
    for (std::size_t i = 0; i < one.size(); ++i) {
      if (one[i] == two[i]) continue;
      const bool doubled = two[i] % 2 == 0 && two[i] / 2 == one[i];  // a product may overflow
      if (axis != -1 || one[i] < 0 || !doubled) return false;
      axis = static_cast<std::int32_t>(i);
    }
    found = axis;
    return true;
  }

  // A batch the file does not speak of counts only when everything computed from the inputs
  // follows it, and the outputs sample by sample.
  bool follows_everywhere(const std::vector<std::int32_t>& axes,
                          const std::vector<bool>& unclear) const {
    std::vector<bool> from_input(graph_.values.size());
    for (const DeclaredInput& input : inputs_) from_input[input.value] = batched(input);
    for (const Node& node : graph_.nodes) {
      if (node.domain.empty() && (node.op == "Shape" || node.op == "Size")) continue;
      const bool follows = std::any_of(node.inputs.begin(), node.inputs.end(), [&](auto input) {
        return input != kNone && from_input[input];
      });
      for (const std::uint32_t output : node.outputs) {
        if (output == kNone || !follows) continue;
        from_input[output] = true;
        if (axes[output] == -1 || unclear[output]) return false;
      }
    }
    return std::all_of(graph_.outputs.begin(), graph_.outputs.end(), [&](std::uint32_t output) {
      const Value& value = graph_.values[output];
      return axes[output] == 0 && value.shape && (*value.shape)[0] == 1;
    });
  }

  Graph& graph_;
  const onnx::ModelProto& model_;
  onnx::ModelProto lowered_;
  std::vector<DeclaredInput> inputs_;
  ComputedOfConstants of_constants_;
  std::map<std::size_t, std::vector<std::int64_t>> freed_;  // Reshape node -> target
  bool open_ = false;  // some input leaves its first dimension open
};

// Sizes of outputs that depend on the data, or on inputs that say a shape, are as the file declares
// them: who runs the model sees whether it keeps its word.
void take_declared_outputs(Graph& graph, const onnx::ModelProto& model) {
  for (const auto& output : model.graph().output()) {
    const auto declared = typed_shape(output.type()).shape;
    const std::uint32_t index = graph.find_value(output.name());
    if (index == kNone || !is_concrete(declared)) continue;
    Value& value = graph.values[index];
    if (value.constant || value.batch_axis >= 0) continue;
    if (!value.shape) value.shape = Shape(declared->size(), -1);
    if (value.shape->size() != declared->size()) continue;
    for (std::size_t axis = 0; axis < declared->size(); ++axis)
      if ((*value.shape)[axis] < 0) (*value.shape)[axis] = (*declared)[axis];
  }
}

void check_declared_outputs(const Graph& graph, const onnx::ModelProto& model) {
  for (const auto& output : model.graph().output()) {
    const auto declared = typed_shape(output.type()).shape;
    const std::uint32_t index = graph.find_value(output.name());
    if (index == kNone || !declared || !graph.value(index).shape) continue;
    const Shape& inferred = *graph.value(index).shape;
    bool fits = declared->size() == inferred.size();
    for (std::size_t axis = 0; fits && axis < inferred.size(); ++axis)
      fits = (*declared)[axis] < 0 || inferred[axis] < 0 || (*declared)[axis] == inferred[axis] ||
             graph.value(index).batch_axis == static_cast<std::int32_t>(axis);
    if (!fits)
      throw Error(
          ADZE_INVALID_ARGUMENT,
          fmt::format("the file says that output '{}' has the shape {}, but its nodes make {}",
                      output.name(), to_string(*declared), to_string(inferred)));
  }
}

}  // namespace

void infer_shapes(Graph& graph, const onnx::ModelProto& model, const LoadOptions& options) {
  onnx::ModelProto lowered = lowered_to_library_opset(model);
  try {
    // The checker insists on shapes of outputs, which files may leave open.
    for (auto& output : *lowered.mutable_graph()->mutable_output())
      if (output.type().has_tensor_type())
        output.mutable_type()->mutable_tensor_type()->mutable_shape();
    onnx::checker::check_model(lowered);
  } catch (const std::exception& error) {
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("the model breaks a rule of ONNX: {}", error.what()));
  }
  std::vector<DeclaredInput> inputs;
  for (const auto& input : model.graph().input()) {
    const std::uint32_t value = graph.find_value(input.name());
    if (value == kNone || graph.value(value).constant) continue;
    inputs.push_back(declared_input(graph, input, options));
  }
  for (const auto& [name, shape] : options.input_shapes)
    if (std::none_of(inputs.begin(), inputs.end(), [&, &wanted = name](const DeclaredInput& input) {
          return graph.value(input.value).name == wanted;
        }))
      throw Error(
          ADZE_INVALID_ARGUMENT,
          fmt::format("a shape is given for input '{}', which the model does not have", name));
  BatchFinder(graph, model, std::move(lowered), std::move(inputs)).run();
  take_declared_outputs(graph, model);
  check_declared_outputs(graph, model);
  check_shapes(graph);
}

}  // namespace adze::host
