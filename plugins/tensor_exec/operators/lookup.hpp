// Any function of one quantized element, as a table.
#pragma once

#include "plugins/tensor_exec/bytes.hpp"

namespace adze::exec {

/// Entry q is quantize(function(dequantize(q))).
template <class F>
Table make_table(const Quant8& from, const Quant8& to, Rounding rounding, const F& function) {
  Table table{};
  for (std::size_t q = 0; q < table.size(); ++q) {
    const float x = function(dequantize(static_cast<std::uint8_t>(q), from)) / to.scale;
    table[q] = rounding == Rounding::half_even ? to_u8<Rounding::half_even>(x, to)
                                               : to_u8<Rounding::half_up>(x, to);
  }
  return table;
}

/// From one quantization to another.
inline Table make_table(const Quant8& from, const Quant8& to, Rounding rounding) {
  return make_table(from, to, rounding, [](float x) { return x; });
}

std::unique_ptr<Kernel> make_lookup(const Table& table, std::int64_t count);

}  // namespace adze::exec
