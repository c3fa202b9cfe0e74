// Loops over quantized elements, on the CPU's vectors where it has them; the same bytes everywhere.
#pragma once

#include <array>

#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

/// A function of one quantized element; all 256 results.
using Table = std::array<std::uint8_t, 256>;

/// A table as it is looked up in.
class Lookup {
 public:
  explicit Lookup(const Table& table);
  /// `dst` may be `src`.
  void run(const std::uint8_t* src, std::int64_t count, std::uint8_t* dst) const;

 private:
  Table table_;
  /// Each 16 entries and those before them by XOR; the lower and the upper half begin anew.
  alignas(16) Table differences_;
  bool has_vectors_;
};

enum class BinaryOperation : std::uint8_t { add, sub, mul, div };

/// `rows` of `width` elements; each dequantized, combined in floats, limited, and quantized.
struct BytePairs {
  const std::uint8_t *a, *b;
  std::uint8_t* dst;
  std::int64_t rows, width;
  std::int64_t a_step, b_step;  ///< from row to row
  Quant8 from_a, from_b, to;
  Clamp clamp;
};
using CombineBytes = void (*)(const BytePairs& pairs);
CombineBytes combine_bytes(BinaryOperation combination, Rounding rounding);

}  // namespace adze::exec
