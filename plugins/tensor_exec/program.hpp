// What is executed: a model's graph copied out of the host's view, so that it can be written to a
// file and read back. Only the bytes of constants may still be the host's, which lets go of them
// when the call ends: an Executable has taken from them what it needs.
#pragma once

#include <adze/adze.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace adze::exec {

using Shape = std::vector<std::int64_t>;

/// Program files hold the numbers: new ones go to the end.
enum class DType : std::uint8_t { f32, i8, u8, i16, u16, i32, i64, boolean, f64, u32, u64 };
inline constexpr DType kLastDType = DType::u64;
std::size_t size_of(DType dtype);  ///< bytes of one element
const char* name_of(DType dtype);
/// Errors: UNIMPLEMENTED for a type that has no DType.
DType dtype_of(std::uint8_t code, std::uint8_t bits);
enum class Half : std::uint8_t;
struct AbiType {
  std::uint8_t code, bits;
};
AbiType abi_type_of(DType dtype, Half half);

std::int64_t element_count(const Shape& shape);
std::string to_string(const Shape& shape);  ///< "1x3x224x224"

/// q = round(x / scale) + zero_point, saturated to `bits` bits.
struct Quantization {
  std::int32_t axis = -1;  ///< -1: one scale for the tensor
  bool is_signed = false;
  std::uint8_t bits = 8;
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;  ///< as long as scale
  std::int32_t low() const { return is_signed ? -(1 << (bits - 1)) : 0; }
  std::int32_t high() const { return is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1; }
  bool operator==(const Quantization&) const = default;
};

/// Constants with a Quantization hold the quantized integers; others what the model holds, seen
/// where the host has it: weights are not doubled.
struct Constant {
  DType dtype = DType::f32;
  std::span<const std::byte> bytes;
  std::shared_ptr<const std::vector<std::byte>> owned;  ///< `bytes`; NULL: they are the host's
};
Constant own_constant(DType dtype, std::vector<std::byte> bytes);

/// What the model calls 16-bit floats: computed in float32, and 16 bits wide only as inputs and
/// outputs of the model.
enum class Half : std::uint8_t { none, f16, bf16 };

struct Value {
  std::string name;
  DType dtype = DType::f32;
  Half half = Half::none;
  Shape shape;                   ///< for one sample
  std::int32_t batch_axis = -1;  ///< whose size `shape` shows as 1; -1: none
  std::optional<Constant> constant;
  bool omitted = false;  ///< a constant whose bytes were left out
  std::string problem;   ///< why no node that touches the value can be executed; or empty
  std::optional<Quantization> quantization;
  bool is_constant() const { return constant.has_value() || omitted; }
  /// The type of the elements that operators see: quantized values are floats to them.
  DType element_type() const { return quantization ? DType::f32 : dtype; }
};

/// Scalars are lists of one, tensors of up to 4 KiB lists of their elements.
struct Attribute {
  std::vector<std::int64_t> ints;
  std::vector<double> floats;
  std::vector<std::string> texts;
  bool other = false;  ///< a subgraph, or a tensor that is not shown as a list of numbers
};

struct Node {
  std::string op, domain, name;
  std::uint32_t op_version = 0;
  std::vector<std::uint32_t> inputs, outputs;  ///< values; ADZE_NONE: left out
  std::map<std::string, Attribute> attributes;

  std::int64_t integer(const std::string& key, std::int64_t fallback) const;
  double number(const std::string& key, double fallback) const;
  std::string text(const std::string& key, const std::string& fallback) const;
  std::vector<std::int64_t> integers(const std::string& key,
                                     std::vector<std::int64_t> fallback = {}) const;
};

enum class Rounding : std::uint8_t { half_even, half_up };

struct Program {
  std::uint32_t batch = 1;
  Rounding rounding = Rounding::half_even;
  std::vector<Value> values;
  std::vector<Node> nodes;  ///< topological order
  std::vector<std::uint32_t> inputs, outputs;
  std::vector<std::uint32_t> extra_outputs;  ///< reported besides the outputs

  std::vector<float> floats(std::uint32_t value) const;           ///< a constant, dequantized
  std::vector<std::int64_t> integers(std::uint32_t value) const;  ///< a constant, as stored
  /// The same of a constant of at most 8 bits.
  std::vector<std::int16_t> small_integers(std::uint32_t value) const;
};

enum class Contents : std::uint8_t { all, small };  ///< small: constants over 4 KiB are omitted

/// Copies the graph but for the bytes of constants; value and node indices stay the same. Values
/// whose type or shape cannot be handled get a `problem`.
Program make_program(const adze_graph& graph, Rounding rounding, Contents contents = Contents::all);

/// Of a constant as the host shows it: how many of its elements are 0, as a share.
double share_of_zeros(const adze_value& value);

/// Checks every rule the executor relies on. Errors: DATA_LOSS naming what is wrong.
void validate(const Program& program);

/// One CBOR document; the same bytes for the same program.
std::vector<std::uint8_t> serialize(const Program& program);
/// Errors: DATA_LOSS for anything that serialize() does not write.
Program parse_program(const std::vector<std::uint8_t>& bytes);

}  // namespace adze::exec
