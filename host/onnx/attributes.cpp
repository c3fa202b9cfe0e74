#include <fmt/format.h>

#include "host/base/error.hpp"
#include "host/onnx/tensors.hpp"

namespace adze::host {

using onnx::AttributeProto;

Attribute attribute_from_proto(const AttributeProto& proto,
                               const std::filesystem::path& external_data_dir,
                               const std::string& node_name) {
  const std::string what = fmt::format("attribute '{}' of node '{}'", proto.name(), node_name);
  switch (proto.type()) {
    case AttributeProto::INT:
      return proto.i();
    case AttributeProto::FLOAT:
      return static_cast<double>(proto.f());
    case AttributeProto::STRING:
      return proto.s();
    case AttributeProto::INTS:
      return std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end());
    case AttributeProto::FLOATS:
      return std::vector<double>(proto.floats().begin(), proto.floats().end());
    case AttributeProto::STRINGS:
      return std::vector<std::string>(proto.strings().begin(), proto.strings().end());
    case AttributeProto::TENSOR:
      return tensor_from_proto(proto.t(), external_data_dir, what);
    case AttributeProto::GRAPH:
      return Subgraph{proto.g().SerializeAsString()};
    default:
      throw Error(ADZE_UNIMPLEMENTED, fmt::format("{} is of a kind that is not supported ({})",
                                                  what, static_cast<int>(proto.type())));
  }
}

void attribute_to_proto(const std::string& name, const Attribute& attribute,
                        AttributeProto& proto) {
  proto.set_name(name);
  struct Writer {
    AttributeProto& proto;
    void operator()(std::int64_t value) const {
      proto.set_type(AttributeProto::INT);
      proto.set_i(value);
    }
    void operator()(double value) const {
      proto.set_type(AttributeProto::FLOAT);
      proto.set_f(static_cast<float>(value));
    }
    void operator()(const std::string& value) const {
      proto.set_type(AttributeProto::STRING);
      proto.set_s(value);
    }
    void operator()(const std::vector<std::int64_t>& values) const {
      proto.set_type(AttributeProto::INTS);
      for (const auto value : values) proto.add_ints(value);
    }
    void operator()(const std::vector<double>& values) const {
      proto.set_type(AttributeProto::FLOATS);
      for (const auto value : values) proto.add_floats(static_cast<float>(value));
    }
    void operator()(const std::vector<std::string>& values) const {
      proto.set_type(AttributeProto::STRINGS);
      for (const auto& value : values) proto.add_strings(value);
    }
    void operator()(const Tensor& value) const {
      proto.set_type(AttributeProto::TENSOR);
      tensor_to_proto(value, {}, *proto.mutable_t());
    }
    void operator()(const Subgraph& value) const {
      proto.set_type(AttributeProto::GRAPH);
      if (!proto.mutable_g()->ParseFromString(value.serialized))
        throw Error(ADZE_INTERNAL, "a subgraph attribute does not parse");
    }
  };
  std::visit(Writer{proto}, attribute);
}

}  // namespace adze::host
