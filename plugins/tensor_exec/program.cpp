#include "plugins/tensor_exec/program.hpp"

#include <algorithm>
#include <cmath>

#include "plugins/tensor_exec/memory_limit.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

constexpr std::size_t kSmallConstantBytes = 4096;

template <class T, class To>
void copy_elements(const adze_tensor& tensor, std::int64_t count, std::vector<To>& to) {
  const auto* from = static_cast<const std::byte*>(tensor.data) + tensor.byte_offset;
  for (std::int64_t i = 0; i < count; ++i) {
    T element;
    std::memcpy(&element, from + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
    to.push_back(static_cast<To>(element));
  }
}

/// A small tensor of numbers as a list.
Attribute copy_tensor(const adze_tensor& tensor) {
  Attribute attribute;
  const std::int64_t count = adze::element_count(tensor);
  try {
    const DType dtype = dtype_of(tensor.code, tensor.bits);
    attribute.other = static_cast<std::size_t>(count) * size_of(dtype) > kSmallConstantBytes;
    if (!attribute.other)
      with_number(dtype, [&]<class T>(TypeTag<T>) {
        if constexpr (std::is_floating_point_v<T>)
          copy_elements<T>(tensor, count, attribute.floats);
        else
          copy_elements<T>(tensor, count, attribute.ints);
      });
  } catch (const Error&) {  // strings, and types that nothing here computes with
    attribute.other = true;
  }
  return attribute;
}

Attribute copy_attribute(const adze_property& property) {
  Attribute attribute;
  switch (property.type) {
    case ADZE_F64:
      attribute.floats.assign(property.f64, property.f64 + property.count);
      break;
    case ADZE_I64:
    case ADZE_FLAG:
      attribute.ints.assign(property.i64, property.i64 + property.count);
      break;
    case ADZE_TEXT:
    case ADZE_PATH:
      attribute.texts.assign(property.text, property.text + property.count);
      break;
    case ADZE_TENSOR:
      return copy_tensor(*property.tensor);
    default:
      attribute.other = true;
  }
  return attribute;
}

Node copy_node(const adze_node& node) {
  Node copy;
  copy.op = node.op;
  copy.domain = node.domain;
  copy.name = node.name;
  copy.op_version = node.op_version;
  copy.inputs.assign(node.inputs, node.inputs + node.input_count);
  copy.outputs.assign(node.outputs, node.outputs + node.output_count);
  for (std::uint64_t i = 0; i < node.attribute_count; ++i)
    copy.attributes[node.attributes[i]->name] = copy_attribute(*node.attributes[i]);
  return copy;
}

Quantization copy_quantization(const adze_quant& quant) {
  Quantization copy;
  copy.axis = quant.axis;
  copy.is_signed = quant.code == ADZE_INT;
  copy.bits = quant.bits;
  copy.scale.assign(quant.scale, quant.scale + quant.count);
  copy.zero_point.assign(quant.count, 0);
  if (quant.zero_point) copy.zero_point.assign(quant.zero_point, quant.zero_point + quant.count);
  return copy;
}

DType storage_of(const Quantization& quantization) {
  if (quantization.bits <= 8) return quantization.is_signed ? DType::i8 : DType::u8;
  return quantization.is_signed ? DType::i16 : DType::u16;
}

template <class T>
void store(std::vector<std::byte>& bytes, std::size_t index, double q) {
  const T value = static_cast<T>(q);
  std::memcpy(bytes.data() + index * sizeof(T), &value, sizeof(T));
}

/// The scale index of each element changes every `inner` elements.
std::size_t inner_of(const Shape& shape, std::int32_t axis) {
  std::size_t inner = 1;
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < shape.size(); ++i)
    inner *= static_cast<std::size_t>(shape[i]);
  return inner;
}

std::size_t scale_index(const Quantization& quantization, std::size_t element, std::size_t inner) {
  return quantization.axis < 0 ? 0 : element / inner % quantization.scale.size();
}

Constant quantize_constant(std::span<const float> source, const Shape& shape,
                           const Quantization& quantization) {
  const DType dtype = storage_of(quantization);
  std::vector<std::byte> bytes(source.size() * size_of(dtype));
  const std::size_t inner = quantization.axis < 0 ? 1 : inner_of(shape, quantization.axis);
  for (std::size_t i = 0; i < source.size(); ++i) {
    const std::size_t at = scale_index(quantization, i, inner);
    // In double and half to even, as when the model is saved, whatever the board's rounding of
    // activations: constants near a tie must become the same integers.
    if (std::isnan(source[i]))
      throw Error(ADZE_INVALID_ARGUMENT, "it holds a NaN, which no integer stands for");
    const double v = static_cast<double>(source[i]) / static_cast<double>(quantization.scale[at]);
    const double q = std::clamp<double>(std::nearbyint(v) + quantization.zero_point[at],
                                        quantization.low(), quantization.high());
    switch (dtype) {
      case DType::i8:
        store<std::int8_t>(bytes, i, q);
        break;
      case DType::u8:
        store<std::uint8_t>(bytes, i, q);
        break;
      case DType::i16:
        store<std::int16_t>(bytes, i, q);
        break;
      default:
        store<std::uint16_t>(bytes, i, q);
    }
  }
  return own_constant(dtype, std::move(bytes));
}

void copy_contents(const adze_value& value, Contents contents, Value& copy) {
  copy.dtype = dtype_of(value.code, value.bits);
  if (value.bits == 16 && value.code == ADZE_FLOAT) copy.half = Half::f16;
  if (value.bits == 16 && value.code == ADZE_BFLOAT) copy.half = Half::bf16;
  if (value.rank < 0)
    throw Error(ADZE_UNIMPLEMENTED, "its shape is not known before the model runs");
  copy.shape.assign(value.shape, value.shape + value.rank);
  copy.batch_axis = value.batch_axis;
  // A bias follows from its inputs: wider quantizations add nothing to the constant.
  if (value.quant && value.quant->bits <= 16) copy.quantization = copy_quantization(*value.quant);
  for (const std::int64_t size : copy.shape)
    if (size < 0) throw Error(ADZE_UNIMPLEMENTED, "its shape depends on the data");
  if (!bounded_count(copy.shape))
    throw Error(ADZE_UNIMPLEMENTED,
                "its shape " + to_string(copy.shape) + " has more than 2^31 elements");
  if (!value.constant) return;

  const adze_tensor& tensor = *value.constant;
  copy.dtype = dtype_of(tensor.code, tensor.bits);
  const std::size_t count = static_cast<std::size_t>(element_count(copy.shape));
  const std::size_t bytes = count * size_of(copy.dtype);
  if (contents == Contents::small && bytes > kSmallConstantBytes) {
    copy.omitted = true;
  } else if (copy.quantization && copy.dtype == DType::f32) {
    copy.constant = quantize_constant(adze::f32(&tensor), copy.shape, *copy.quantization);
  } else {
    const auto* data = static_cast<const std::byte*>(tensor.data) + tensor.byte_offset;
    copy.constant = Constant{copy.dtype, {data, bytes}, nullptr};
  }
}

Value copy_value(const adze_value& value, Contents contents) {
  Value copy;
  copy.name = value.name;
  try {
    copy_contents(value, contents, copy);
  } catch (const Error& error) {
    copy.problem = "value '" + copy.name + "': " + error.what();
    copy.shape.clear();
    copy.batch_axis = -1;
    copy.quantization.reset();
    copy.omitted = value.constant != nullptr;
  }
  return copy;
}

template <class T>
double load(const Constant& constant, std::size_t index) {
  T value;
  std::memcpy(&value, constant.bytes.data() + index * sizeof(T), sizeof(T));
  return static_cast<double>(value);
}

/// Exact for every type but 64-bit integers beyond 2^53; integers() loses nothing.
double element(const Constant& constant, std::size_t index) {
  switch (constant.dtype) {
    case DType::f32:
      return load<float>(constant, index);
    case DType::i8:
      return load<std::int8_t>(constant, index);
    case DType::u8:
    case DType::boolean:
      return load<std::uint8_t>(constant, index);
    case DType::i16:
      return load<std::int16_t>(constant, index);
    case DType::u16:
      return load<std::uint16_t>(constant, index);
    case DType::i32:
      return load<std::int32_t>(constant, index);
    case DType::f64:
      return load<double>(constant, index);
    case DType::u32:
      return load<std::uint32_t>(constant, index);
    case DType::u64:
      return load<std::uint64_t>(constant, index);
    case DType::i64:
      break;
  }
  return load<std::int64_t>(constant, index);
}

const Constant& constant_of(const Value& value) {
  if (!value.constant)
    throw Error(ADZE_UNIMPLEMENTED, "value '" + value.name + "' is computed, not a constant");
  return *value.constant;
}

}  // namespace

std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return 1;
    case DType::i16:
    case DType::u16:
      return 2;
    case DType::i64:
    case DType::f64:
    case DType::u64:
      return 8;
    case DType::f32:
    case DType::i32:
    case DType::u32:
      break;
  }
  return 4;
}

const char* name_of(DType dtype) {
  static constexpr const char* kNames[] = {"float32", "int8",   "uint8", "int16",
                                           "uint16",  "int32",  "int64", "bool",
                                           "float64", "uint32", "uint64"};
  return kNames[static_cast<std::size_t>(dtype)];
}

DType dtype_of(std::uint8_t code, std::uint8_t bits) {
  if (code == ADZE_FLOAT && bits == 32) return DType::f32;
  if (code == ADZE_FLOAT && bits == 64) return DType::f64;
  // Half-precision values are computed in float; their constants are shown as float already.
  if ((code == ADZE_FLOAT || code == ADZE_BFLOAT) && bits == 16) return DType::f32;
  if (code == ADZE_INT && bits == 8) return DType::i8;
  if (code == ADZE_INT && bits == 16) return DType::i16;
  if (code == ADZE_INT && bits == 32) return DType::i32;
  if (code == ADZE_INT && bits == 64) return DType::i64;
  if (code == ADZE_UINT && bits == 8) return DType::u8;
  if (code == ADZE_UINT && bits == 16) return DType::u16;
  if (code == ADZE_UINT && bits == 32) return DType::u32;
  if (code == ADZE_UINT && bits == 64) return DType::u64;
  if (code == ADZE_BOOL && bits == 8) return DType::boolean;
  throw Error(ADZE_UNIMPLEMENTED, "element type " + std::to_string(code) + " of " +
                                      std::to_string(bits) + " bits is not supported");
}

Constant own_constant(DType dtype, std::vector<std::byte> bytes) {
  const auto owned = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return {dtype, *owned, owned};
}

AbiType abi_type_of(DType dtype, Half half) {
  if (half == Half::f16) return {ADZE_FLOAT, 16};
  if (half == Half::bf16) return {ADZE_BFLOAT, 16};
  const auto bits = static_cast<std::uint8_t>(8 * size_of(dtype));
  switch (dtype) {
    case DType::f32:
    case DType::f64:
      return {ADZE_FLOAT, bits};
    case DType::i8:
    case DType::i16:
    case DType::i32:
    case DType::i64:
      return {ADZE_INT, bits};
    case DType::boolean:
      return {ADZE_BOOL, bits};
    default:
      return {ADZE_UINT, bits};
  }
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

std::string to_string(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : "x") + std::to_string(size);
  return text;
}

std::int64_t Node::integer(const std::string& key, std::int64_t fallback) const {
  const auto found = attributes.find(key);
  return found == attributes.end() || found->second.ints.empty() ? fallback
                                                                 : found->second.ints.front();
}

double Node::number(const std::string& key, double fallback) const {
  const auto found = attributes.find(key);
  return found == attributes.end() || found->second.floats.empty() ? fallback
                                                                   : found->second.floats.front();
}

std::string Node::text(const std::string& key, const std::string& fallback) const {
  const auto found = attributes.find(key);
  return found == attributes.end() || found->second.texts.empty() ? fallback
                                                                  : found->second.texts.front();
}

std::vector<std::int64_t> Node::integers(const std::string& key,
                                         std::vector<std::int64_t> fallback) const {
  const auto found = attributes.find(key);
  return found == attributes.end() ? fallback : found->second.ints;
}

std::vector<float> Program::floats(std::uint32_t index) const {
  const Value& value = values.at(index);
  const Constant& constant = constant_of(value);
  std::vector<float> result(static_cast<std::size_t>(element_count(value.shape)));
  if (!value.quantization) {
    for (std::size_t i = 0; i < result.size(); ++i)
      result[i] = static_cast<float>(element(constant, i));
    return result;
  }
  const Quantization& quantization = *value.quantization;
  const std::size_t inner = quantization.axis < 0 ? 1 : inner_of(value.shape, quantization.axis);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::size_t at = scale_index(quantization, i, inner);
    const double q = element(constant, i) - quantization.zero_point[at];
    result[i] = static_cast<float>(q) * quantization.scale[at];
  }
  return result;
}

std::vector<std::int64_t> Program::integers(std::uint32_t index) const {
  const Value& value = values.at(index);
  const Constant& constant = constant_of(value);
  std::vector<std::int64_t> result(static_cast<std::size_t>(element_count(value.shape)));
  if (constant.dtype == DType::i64 || constant.dtype == DType::u64) {
    if (!result.empty()) std::memcpy(result.data(), constant.bytes.data(), constant.bytes.size());
    return result;
  }
  for (std::size_t i = 0; i < result.size(); ++i) {
    const double number = element(constant, i);
    constexpr double kLimit = 9.2e18;  // conversions beyond the type's range are undefined
    result[i] = static_cast<std::int64_t>(number > kLimit    ? kLimit
                                          : number > -kLimit ? number
                                                             : -kLimit);
  }
  return result;
}

std::vector<std::int16_t> Program::small_integers(std::uint32_t index) const {
  const Constant& constant = constant_of(values.at(index));
  const auto widened = [&]<class T>(const T* elements) {
    return std::vector<std::int16_t>(elements, elements + constant.bytes.size());
  };
  if (constant.dtype == DType::i8)
    return widened(reinterpret_cast<const std::int8_t*>(constant.bytes.data()));
  if (constant.dtype == DType::u8)
    return widened(reinterpret_cast<const std::uint8_t*>(constant.bytes.data()));
  std::vector<std::int16_t> result;
  for (const std::int64_t q : integers(index)) result.push_back(static_cast<std::int16_t>(q));
  return result;
}

double share_of_zeros(const adze_value& value) {
  if (!value.constant) return 0;
  const Value copy = copy_value(value, Contents::all);
  if (!copy.constant || copy.constant->bytes.empty()) return 0;
  const auto count = static_cast<std::size_t>(element_count(copy.shape));
  std::size_t zeros = 0;
  const std::size_t inner = copy.quantization && copy.quantization->axis >= 0
                                ? inner_of(copy.shape, copy.quantization->axis)
                                : 1;
  for (std::size_t i = 0; i < count; ++i) {
    const double zero =
        copy.quantization ? copy.quantization->zero_point[scale_index(*copy.quantization, i, inner)]
                          : 0;
    zeros += element(*copy.constant, i) == zero;
  }
  return static_cast<double>(zeros) / static_cast<double>(count);
}

Program make_program(const adze_graph& graph, Rounding rounding, Contents contents) {
  Program program;
  program.rounding = rounding;
  for (std::uint32_t i = 0; i < graph.value_count; ++i)
    program.values.push_back(copy_value(*graph.values[i], contents));
  for (std::uint32_t i = 0; i < graph.node_count; ++i)
    program.nodes.push_back(copy_node(*graph.nodes[i]));
  program.inputs.assign(graph.inputs, graph.inputs + graph.input_count);
  program.outputs.assign(graph.outputs, graph.outputs + graph.output_count);
  return program;
}

}  // namespace adze::exec
