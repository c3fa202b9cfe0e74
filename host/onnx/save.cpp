#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/graph/edit_graph.hpp"
#include "host/graph/evaluate_node.hpp"
#include "host/onnx/metadata.hpp"
#include "host/onnx/model.hpp"
#include "host/onnx/quantization.hpp"
#include "host/onnx/tensors.hpp"

namespace adze::host {
namespace {

// Larger uniform constants are written as one element and a shape.
constexpr std::size_t kSpelledBytes = 4096;

class Writer {
 public:
  explicit Writer(const Graph& graph) : graph_(graph), names_(graph) {}

  onnx::ModelProto write(const Graph& original, const RenamedConstants& renamed) {
    constexpr std::int64_t kOldestOpset = 13, kOldestIr = 7;
    model_.set_ir_version(std::max(graph_.ir_version, kOldestIr));
    model_.set_producer_name("adze");
    auto& import = *model_.add_opset_import();
    import.set_domain("");
    import.set_version(std::max(graph_.opset, kOldestOpset));
    for (const auto& [domain, version] : graph_.domains) {
      auto& other = *model_.add_opset_import();
      other.set_domain(domain);
      other.set_version(version);
    }
    onnx::GraphProto& proto = *model_.mutable_graph();
    proto.set_name(graph_.name.empty() ? "graph" : graph_.name);
    for (const std::uint32_t input : graph_.inputs) write_io(input, *proto.add_input());
    for (const std::uint32_t output : graph_.outputs) write_io(output, *proto.add_output());
    for (const Value& value : graph_.values)
      if (value.constant) write_constant(value, proto);
    for (const Node& node : graph_.nodes) write_node(node, *proto.add_node());
    auto metadata = graph_.metadata;
    for (auto& [key, text] : written_metadata(original, renamed)) metadata[key] = text;
    for (const auto& [key, text] : metadata) {
      auto& entry = *model_.add_metadata_props();
      entry.set_key(key);
      entry.set_value(text);
    }
    return std::move(model_);
  }

 private:
  void write_io(std::uint32_t index, onnx::ValueInfoProto& proto) {
    const Value& value = graph_.value(index);
    proto.set_name(value.name);
    auto& type = *proto.mutable_type()->mutable_tensor_type();
    type.set_elem_type(dtype_to_onnx(value.dtype));
    if (!value.shape) return;
    auto& shape = *type.mutable_shape();
    const auto symbol = graph_.symbols.find(value.name);
    for (std::size_t axis = 0; axis < value.shape->size(); ++axis) {
      auto& dim = *shape.add_dim();
      const bool open = value.batch_axis == static_cast<std::int32_t>(axis) && has_open_input();
      const std::int64_t size = (*value.shape)[axis];
      if (!open && size >= 0) dim.set_dim_value(size);
      if (open && axis == 0 && symbol != graph_.symbols.end() && !symbol->second.empty())
        dim.set_dim_param(symbol->second);
    }
  }

  bool has_open_input() const {
    return std::any_of(graph_.inputs.begin(), graph_.inputs.end(), [&](std::uint32_t input) {
      return graph_.symbols.contains(graph_.value(input).name);
    });
  }

  void write_constant(const Value& value, onnx::GraphProto& proto) {
    const auto element = uniform_value(*value.constant);
    if (!element || value.constant->size_bytes() < kSpelledBytes) {
      total_bytes_ += value.constant->size_bytes();
      if (total_bytes_ > kMaxModelBytes)
        throw Error(ADZE_OUT_OF_RANGE,
                    "the model would be larger than 2 GiB, the limit of ONNX files");
      tensor_to_proto(*value.constant, value.name, *proto.add_initializer());
      return;
    }
    const std::string shape_name = names_.value(value.name + "_shape");
    tensor_to_proto(vector_tensor(value.constant->shape()), shape_name, *proto.add_initializer());
    Node filled;
    filled.op = "ConstantOfShape";
    filled.name = names_.node(value.name + "/ConstantOfShape");
    filled.attributes["value"] =
        Tensor(value.dtype, {1}, value.constant->bytes().first(info(value.dtype).bits / 8u));
    onnx::NodeProto& node = *proto.add_node();
    write_node(filled, node);
    node.add_input(shape_name);
    node.add_output(value.name);
  }

  void write_node(const Node& node, onnx::NodeProto& proto) {
    proto.set_op_type(node.op);
    proto.set_domain(node.domain);
    proto.set_name(node.name);
    for (const std::uint32_t input : node.inputs)
      proto.add_input(input == kNone ? "" : graph_.value(input).name);
    for (const std::uint32_t output : node.outputs)
      proto.add_output(output == kNone ? "" : graph_.value(output).name);
    for (const auto& [name, attribute] : node.attributes)
      attribute_to_proto(name, attribute, *proto.add_attribute());
  }

  const Graph& graph_;
  FreshNames names_;
  onnx::ModelProto model_;
  std::uint64_t total_bytes_ = 0;
};

}  // namespace

std::vector<std::byte> serialize_model(const Graph& graph) {
  RenamedConstants renamed;
  const Graph explicit_graph = with_qdq(graph, renamed);
  const onnx::ModelProto model = Writer(explicit_graph).write(graph, renamed);
  const std::size_t size = model.ByteSizeLong();
  if (size > kMaxModelBytes)
    throw Error(ADZE_OUT_OF_RANGE,
                fmt::format("the model would have {} bytes; ONNX files end at 2 GiB", size));
  std::vector<std::byte> bytes(size);
  google::protobuf::io::ArrayOutputStream array(bytes.data(), static_cast<int>(size));
  google::protobuf::io::CodedOutputStream stream(&array);
  stream.SetSerializationDeterministic(true);
  model.SerializeWithCachedSizes(&stream);
  return bytes;
}

void save_model(const Graph& graph, const std::filesystem::path& path) {
  write_file(path, serialize_model(graph));
}

}  // namespace adze::host
