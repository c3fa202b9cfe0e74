// The rules of a Program. A graph that the host shows keeps them; a file may break any of them.
#include <cmath>

#include "plugins/tensor_exec/program.hpp"

namespace adze::exec {
namespace {

constexpr std::size_t kMaxRank = 8;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 31;
constexpr std::uint32_t kMaxBatch = 1u << 16;

[[noreturn]] void broken(const std::string& text) {
  throw Error(ADZE_DATA_LOSS, "program: " + text);
}

void check_shape(const Value& value) {
  if (value.shape.size() > kMaxRank) broken("value '" + value.name + "' has too many axes");
  std::int64_t count = 1;
  for (const std::int64_t size : value.shape) {
    if (size < 0 || size > kMaxElements) broken("value '" + value.name + "' has a bad size");
    count *= size;
    if (count > kMaxElements) broken("value '" + value.name + "' is too large");
  }
  const auto rank = static_cast<std::int32_t>(value.shape.size());
  if (value.batch_axis < -1 || value.batch_axis >= rank)
    broken("value '" + value.name + "' has a bad batch axis");
  if (value.batch_axis >= 0 && value.shape[static_cast<std::size_t>(value.batch_axis)] != 1)
    broken("value '" + value.name + "' has more than one sample");
}

void check_quantization(const Value& value) {
  const Quantization& quantization = *value.quantization;
  const auto rank = static_cast<std::int32_t>(value.shape.size());
  if (quantization.axis < -1 || quantization.axis >= rank || quantization.bits < 2 ||
      quantization.bits > 16)
    broken("value '" + value.name + "' has a bad quantization");
  const std::int64_t scales =
      quantization.axis < 0 ? 1 : value.shape[static_cast<std::size_t>(quantization.axis)];
  if (static_cast<std::int64_t>(quantization.scale.size()) != scales ||
      quantization.zero_point.size() != quantization.scale.size())
    broken("value '" + value.name + "' has a wrong number of scales");
  for (const float scale : quantization.scale)
    if (!std::isfinite(scale) || scale <= 0)
      broken("value '" + value.name + "' has a scale that is not positive");
  for (const std::int32_t zero : quantization.zero_point)
    if (zero < quantization.low() || zero > quantization.high())
      broken("value '" + value.name + "' has a zero point out of range");
}

void check_constant(const Value& value) {
  const Constant& constant = *value.constant;
  const auto count = static_cast<std::size_t>(element_count(value.shape));
  if (constant.bytes.size() != count * size_of(constant.dtype))
    broken("constant '" + value.name + "' has " + std::to_string(constant.bytes.size()) +
           " bytes, not those of its shape " + to_string(value.shape));
  const bool small = constant.dtype == DType::i8 || constant.dtype == DType::u8 ||
                     constant.dtype == DType::i16 || constant.dtype == DType::u16;
  if (value.quantization && !small)
    broken("constant '" + value.name + "' is quantized but no small integer");
}

}  // namespace

void validate(const Program& program) {
  if (program.batch < 1 || program.batch > kMaxBatch) broken("bad batch size");
  const auto value_count = static_cast<std::uint32_t>(program.values.size());
  std::vector<char> known(value_count, 0);
  for (std::uint32_t i = 0; i < value_count; ++i) {
    const Value& value = program.values[i];
    check_shape(value);
    if (value.quantization) check_quantization(value);
    if (value.constant) check_constant(value);
    known[i] = value.is_constant();
  }
  const auto in_range = [&](std::uint32_t index, const char* what) {
    if (index >= value_count) broken(std::string(what) + " names no value");
    return index;
  };
  for (const std::uint32_t input : program.inputs) {
    if (known[in_range(input, "an input")]) broken("an input is a constant or given twice");
    known[input] = 1;
  }
  for (const Node& node : program.nodes) {
    for (const std::uint32_t input : node.inputs)
      if (input != ADZE_NONE && !known[in_range(input, "a node")])
        broken("node '" + node.name + "' reads a value before it is computed");
    if (node.outputs.empty()) broken("node '" + node.name + "' has no output");
    for (const std::uint32_t output : node.outputs) {
      if (output == ADZE_NONE) continue;
      if (known[in_range(output, "a node")])
        broken("node '" + node.name + "' computes a value that exists already");
      known[output] = 1;
    }
  }
  if (program.outputs.empty()) broken("no outputs");
  for (const auto* list : {&program.outputs, &program.extra_outputs})
    for (const std::uint32_t output : *list)
      if (!known[in_range(output, "an output")]) broken("an output is not computed");
}

}  // namespace adze::exec
