#include "plugins/drpai_tvm/scales.hpp"

#include <cmath>
#include <cstring>
#include <optional>

#include "plugins/onnxruntime/model_bytes.hpp"
#include "plugins/onnxruntime/wire.hpp"

namespace adze::drpai_tvm {
namespace {

using ort::Field;
using ort::FieldReader;
using Bytes = std::span<const std::uint8_t>;

// Numbers of fields and of element types, from onnx.proto. They never change.
constexpr std::uint32_t kModelGraph = 7, kModelOpset = 8, kOpsetDomain = 1, kOpsetVersion = 2,
                        kGraphInitializer = 5;
constexpr std::uint32_t kTensorDims = 1, kTensorType = 2, kTensorFloats = 4, kTensorInts = 5,
                        kTensorName = 8, kTensorRaw = 9;
constexpr std::uint32_t kAttributeName = 1, kAttributeInteger = 3;
enum Type : std::uint64_t { kF32 = 1, kU8 = 2, kI8 = 3, kU16 = 4, kI16 = 5, kI32 = 6 };

/// A constant that may be a scale or a zero point.
struct Constant {
  std::uint64_t type = 0;
  std::vector<float> floats;
  std::vector<std::int32_t> integers;
};

[[noreturn]] void broken(const std::string& why) {
  throw Error(ADZE_DATA_LOSS, "the quantized model that the toolchain left " + why);
}

template <class T>
std::vector<T> elements_of(Bytes raw) {
  if (raw.size() % sizeof(T)) broken("has a constant of an odd size");
  std::vector<T> values(raw.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), raw.data(), raw.size());
  return values;
}

template <class T>
std::vector<std::int32_t> integers_of(Bytes raw) {
  const std::vector<T> values = elements_of<T>(raw);
  return {values.begin(), values.end()};
}

std::uint64_t varint(Bytes& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const std::uint8_t byte = bytes[0];
    bytes = bytes.subspan(1);
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  broken("has a number that does not end");
}

/// Small constants only: no list of scales is longer than a layer has channels.
constexpr std::size_t kMostElements = 1u << 16;

Constant read_constant(Bytes tensor, std::string& name) {
  Constant made;
  Bytes raw;
  std::uint64_t count = 1;
  std::vector<std::int32_t> integers;
  FieldReader fields(tensor);
  for (Field field; fields.next(field);) {
    if (field.number == kTensorName) name = field.text();
    if (field.number == kTensorType) made.type = field.value;
    if (field.number == kTensorRaw) raw = field.bytes;
    if (field.number == kTensorDims && field.bytes.empty()) count *= field.value;
    if (field.number == kTensorFloats) {
      for (const float value : elements_of<float>(field.bytes)) made.floats.push_back(value);
    } else if (field.number == kTensorInts && field.bytes.empty()) {
      integers.push_back(static_cast<std::int32_t>(field.value));
    } else if (field.number == kTensorInts) {
      for (Bytes packed = field.bytes; !packed.empty();)
        integers.push_back(static_cast<std::int32_t>(varint(packed)));
    }
  }
  if (raw.size() > kMostElements * sizeof(float) || count > kMostElements) return made;
  switch (made.type) {
    case kF32:
      if (!raw.empty()) made.floats = elements_of<float>(raw);
      break;
    case kU8:
      made.integers = raw.empty() ? integers : integers_of<std::uint8_t>(raw);
      break;
    case kI8:
      made.integers = raw.empty() ? integers : integers_of<std::int8_t>(raw);
      break;
    case kU16:
      made.integers = raw.empty() ? integers : integers_of<std::uint16_t>(raw);
      break;
    case kI16:
      made.integers = raw.empty() ? integers : integers_of<std::int16_t>(raw);
      break;
    default:
      break;
  }
  return made;
}

std::int64_t axis_of(const ort::NodeBytes& node) {
  for (const Bytes attribute : node.attributes) {
    std::string_view name;
    std::int64_t value = 0;
    FieldReader fields(attribute);
    for (Field field; fields.next(field);) {
      if (field.number == kAttributeName) name = field.text();
      if (field.number == kAttributeInteger) value = static_cast<std::int64_t>(field.value);
    }
    if (name == "axis") return value;
  }
  return 1;
}

class Reader {
 public:
  explicit Reader(Bytes model) {
    FieldReader fields(model);
    for (Field field; fields.next(field);) {
      if (field.number != kModelGraph) continue;
      FieldReader inside(field.bytes);
      for (Field part; inside.next(part);)
        if (part.number == kGraphInitializer) {
          std::string name;
          Constant constant = read_constant(part.bytes, name);
          constants_[name] = std::move(constant);
        }
    }
  }

  /// nullopt: not quantized to 8 or 16 bits.
  std::optional<exec::Quantization> quantization_of(const ort::NodeBytes& node) const {
    if (node.inputs.size() < 2) broken("has a QDQ node without a scale");
    const Constant& scale = constant(node.inputs[1]);
    exec::Quantization made;
    made.scale = scale.floats;
    std::uint64_t type = kU8;
    if (node.inputs.size() > 2 && !node.inputs[2].empty()) {
      const Constant& zero = constant(node.inputs[2]);
      type = zero.type;
      made.zero_point = zero.integers;
    } else if (const auto read = constants_.find(std::string(node.inputs[0]));
               read != constants_.end() && node.op == "DequantizeLinear") {
      type = read->second.type;
    }
    if (type == kI32) return std::nullopt;
    if (type < kU8 || type > kI16) broken("quantizes '" + std::string(node.inputs[0]) + "' oddly");
    made.is_signed = type == kI8 || type == kI16;
    made.bits = type == kU8 || type == kI8 ? 8 : 16;
    if (made.zero_point.empty()) made.zero_point.assign(made.scale.size(), 0);
    if (made.scale.empty() || made.zero_point.size() != made.scale.size())
      broken("has no scales for '" + std::string(node.inputs[0]) + "'");
    for (const float value : made.scale)
      if (!std::isfinite(value) || !(value > 0))
        broken("has a scale that is no number above 0 for '" + std::string(node.inputs[0]) + "'");
    if (made.scale.size() > 1) made.axis = static_cast<std::int32_t>(axis_of(node));
    return made;
  }
  bool is_constant(std::string_view name) const { return constants_.contains(std::string(name)); }

 private:
  const Constant& constant(std::string_view name) const {
    const auto found = constants_.find(std::string(name));
    if (found == constants_.end()) broken("computes the scale '" + std::string(name) + "'");
    return found->second;
  }
  std::map<std::string, Constant> constants_;
};

/// The name that the value had before: quantizers append to it.
std::string original_name(std::string_view name) {
  for (const std::string_view suffix : {"_quantized", "_unquantized", "_QuantizeLinear_Input"})
    if (name.size() > suffix.size() && name.ends_with(suffix)) name.remove_suffix(suffix.size());
  return std::string(name);
}

}  // namespace

ValueScales read_scales(Bytes bytes) {
  const Reader reader(bytes);
  const ort::ModelBytes model(bytes);
  ValueScales scales;
  for (const ort::NodeBytes& node : model.nodes()) {
    const bool quantizes = node.op == "QuantizeLinear";
    if (node.inputs.empty() || node.outputs.empty()) continue;
    if (!quantizes && (node.op != "DequantizeLinear" || !reader.is_constant(node.inputs[0])))
      continue;
    if (const auto found = reader.quantization_of(node))
      scales.emplace(original_name(node.inputs[0]), *found);
  }
  return scales;
}

std::int64_t opset_of(Bytes model) {
  FieldReader fields(model);
  std::int64_t opset = 0;
  for (Field field; fields.next(field);) {
    if (field.number != kModelOpset) continue;
    std::string_view domain;
    std::int64_t version = 0;
    FieldReader inside(field.bytes);
    for (Field part; inside.next(part);) {
      if (part.number == kOpsetDomain) domain = part.text();
      if (part.number == kOpsetVersion) version = static_cast<std::int64_t>(part.value);
    }
    if (domain.empty() || domain == "ai.onnx") opset = version;
  }
  return opset;
}

}  // namespace adze::drpai_tvm
