// A Program as one CBOR document.
#include <nlohmann/json.hpp>

#include "plugins/tensor_exec/program.hpp"

namespace adze::exec {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "adze.program";
constexpr int kVersion = 1;
constexpr int kMaxDepth = 16;

/// Walks the items of a CBOR document without recursion: the parser behind json recurses once a
/// level, and a file of nested array heads would exhaust its stack.
void check_depth(const std::vector<std::uint8_t>& bytes) {
  std::vector<std::uint64_t> open;  // items left on each level
  std::size_t at = 0;
  const auto bad = [] { throw Error(ADZE_DATA_LOSS, "program file: no valid CBOR"); };
  do {
    if (at >= bytes.size()) bad();
    const unsigned major = bytes[at] >> 5, low = bytes[at] & 31u;
    ++at;
    std::uint64_t argument = low;
    if (low >= 24) {
      if (low > 27) bad();  // indefinite lengths are never written
      const std::size_t width = std::size_t{1} << (low - 24);
      if (bytes.size() - at < width) bad();
      argument = 0;
      for (std::size_t i = 0; i < width; ++i) argument = argument << 8 | bytes[at++];
    }
    if (!open.empty()) --open.back();
    if (major == 2 || major == 3) {
      if (bytes.size() - at < argument) bad();
      at += argument;
    } else if (major == 4 || major == 5) {
      if (argument > bytes.size()) bad();
      open.push_back(major == 5 ? 2 * argument : argument);
      if (open.size() > kMaxDepth) bad();
    } else if (major == 6) {
      bad();
    }
    while (!open.empty() && open.back() == 0) open.pop_back();
  } while (!open.empty());
}

json write(const Quantization& quantization) {
  return {{"axis", quantization.axis},
          {"signed", quantization.is_signed},
          {"bits", quantization.bits},
          {"scale", quantization.scale},
          {"zero_point", quantization.zero_point}};
}

Quantization read_quantization(const json& from) {
  Quantization quantization;
  from.at("axis").get_to(quantization.axis);
  from.at("signed").get_to(quantization.is_signed);
  from.at("bits").get_to(quantization.bits);
  from.at("scale").get_to(quantization.scale);
  from.at("zero_point").get_to(quantization.zero_point);
  return quantization;
}

DType read_dtype(const json& from) {
  const int number = from.get<int>();
  if (number < 0 || number > static_cast<int>(kLastDType))
    throw Error(ADZE_DATA_LOSS, "program file: unknown element type");
  return static_cast<DType>(number);
}

json write(const Value& value) {
  json to = {{"name", value.name},
             {"dtype", static_cast<int>(value.dtype)},
             {"shape", value.shape},
             {"batch_axis", value.batch_axis}};
  if (value.half != Half::none) to["half"] = static_cast<int>(value.half);
  if (value.constant) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(value.constant->bytes.data());
    to["constant_dtype"] = static_cast<int>(value.constant->dtype);
    to["constant"] = json::binary({bytes, bytes + value.constant->bytes.size()});
  }
  if (value.quantization) to["quantization"] = write(*value.quantization);
  return to;
}

Value read_value(const json& from) {
  Value value;
  from.at("name").get_to(value.name);
  value.dtype = read_dtype(from.at("dtype"));
  from.at("shape").get_to(value.shape);
  from.at("batch_axis").get_to(value.batch_axis);
  const int half = from.value("half", 0);
  if (half < 0 || half > static_cast<int>(Half::bf16) || (half && value.dtype != DType::f32))
    throw Error(ADZE_DATA_LOSS, "program file: unknown kind of 16-bit floats");
  value.half = static_cast<Half>(half);
  if (from.contains("constant")) {
    const auto& binary = from.at("constant").get_ref<const json::binary_t&>();
    const auto* bytes = reinterpret_cast<const std::byte*>(binary.data());
    value.constant =
        own_constant(read_dtype(from.at("constant_dtype")), {bytes, bytes + binary.size()});
  }
  if (from.contains("quantization"))
    value.quantization = read_quantization(from.at("quantization"));
  return value;
}

json write(const Node& node) {
  json attributes = json::object();
  for (const auto& [key, attribute] : node.attributes)
    attributes[key] = {{"i", attribute.ints},
                       {"f", attribute.floats},
                       {"t", attribute.texts},
                       {"other", attribute.other}};
  return {{"op", node.op},           {"domain", node.domain},
          {"name", node.name},       {"version", node.op_version},
          {"inputs", node.inputs},   {"outputs", node.outputs},
          {"attributes", attributes}};
}

Node read_node(const json& from) {
  Node node;
  from.at("op").get_to(node.op);
  from.at("domain").get_to(node.domain);
  from.at("name").get_to(node.name);
  from.at("version").get_to(node.op_version);
  from.at("inputs").get_to(node.inputs);
  from.at("outputs").get_to(node.outputs);
  for (const auto& [key, attribute] : from.at("attributes").items())
    node.attributes[key] = Attribute{attribute.at("i").get<std::vector<std::int64_t>>(),
                                     attribute.at("f").get<std::vector<double>>(),
                                     attribute.at("t").get<std::vector<std::string>>(),
                                     attribute.at("other").get<bool>()};
  return node;
}

}  // namespace

std::vector<std::uint8_t> serialize(const Program& program) {
  json values = json::array(), nodes = json::array();
  for (const Value& value : program.values) values.push_back(write(value));
  for (const Node& node : program.nodes) nodes.push_back(write(node));
  return json::to_cbor({{"format", kFormat},
                        {"version", kVersion},
                        {"batch", program.batch},
                        {"rounding", static_cast<int>(program.rounding)},
                        {"values", std::move(values)},
                        {"nodes", std::move(nodes)},
                        {"inputs", program.inputs},
                        {"outputs", program.outputs},
                        {"extra_outputs", program.extra_outputs}});
}

Program parse_program(const std::vector<std::uint8_t>& bytes) {
  check_depth(bytes);
  try {
    const json from = json::from_cbor(bytes);
    if (from.at("format") != kFormat || from.at("version") != kVersion)
      throw Error(ADZE_DATA_LOSS, "program file: of another kind or version");
    Program program;
    from.at("batch").get_to(program.batch);
    program.rounding = from.at("rounding") == 1 ? Rounding::half_up : Rounding::half_even;
    for (const json& value : from.at("values")) program.values.push_back(read_value(value));
    for (const json& node : from.at("nodes")) program.nodes.push_back(read_node(node));
    from.at("inputs").get_to(program.inputs);
    from.at("outputs").get_to(program.outputs);
    from.at("extra_outputs").get_to(program.extra_outputs);
    validate(program);
    return program;
  } catch (const json::exception& error) {
    throw Error(ADZE_DATA_LOSS, std::string("program file: ") + error.what());
  }
}

}  // namespace adze::exec
