// From an element type to the C++ type that computes with it.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "plugins/tensor_exec/program.hpp"

namespace adze::exec {

/// What with_type() hands over; bool has a type of its own, so that bytes of a model are never read
/// as a C++ bool.
struct Bool {
  std::uint8_t byte;
};

template <class T>
struct TypeTag {
  using type = T;
};

/// body(TypeTag<T>{}) with the C++ type of `dtype`. All calls must return the same type.
template <class Body>
decltype(auto) with_type(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::i8:
      return body(TypeTag<std::int8_t>{});
    case DType::u8:
      return body(TypeTag<std::uint8_t>{});
    case DType::i16:
      return body(TypeTag<std::int16_t>{});
    case DType::u16:
      return body(TypeTag<std::uint16_t>{});
    case DType::i32:
      return body(TypeTag<std::int32_t>{});
    case DType::i64:
      return body(TypeTag<std::int64_t>{});
    case DType::boolean:
      return body(TypeTag<Bool>{});
    case DType::f64:
      return body(TypeTag<double>{});
    case DType::u32:
      return body(TypeTag<std::uint32_t>{});
    case DType::u64:
      return body(TypeTag<std::uint64_t>{});
    case DType::f32:
      break;
  }
  return body(TypeTag<float>{});
}

/// The same for the types that numbers have: all but bool, which is handed over as uint8.
template <class Body>
decltype(auto) with_number(DType dtype, const Body& body) {
  return with_type(dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (std::is_same_v<T, Bool>)
      return body(TypeTag<std::uint8_t>{});
    else
      return body(TypeTag<T>{});
  });
}

inline bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }
inline bool is_unsigned(DType dtype) {
  return dtype == DType::u8 || dtype == DType::u16 || dtype == DType::u32 || dtype == DType::u64;
}

/// Integers wrap around as in two's complement; floats are cut towards zero, and limited to the
/// target's range, NaN becoming 0; anything but 0 is true.
template <class To, class From>
To converted(From from) {
  if constexpr (std::is_same_v<From, Bool>) {
    return converted<To>(static_cast<std::uint8_t>(from.byte != 0));
  } else if constexpr (std::is_same_v<To, Bool>) {
    return Bool{static_cast<std::uint8_t>(from != From{})};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (std::isnan(from)) return 0;
    // 2^digits is exact in every float type, and the first number too large.
    const From above = std::ldexp(From{1}, std::numeric_limits<To>::digits);
    if (from >= above) return std::numeric_limits<To>::max();
    if (from < (std::is_signed_v<To> ? -above : From{0})) return std::numeric_limits<To>::min();
    return static_cast<To>(from);
  } else {
    return static_cast<To>(from);
  }
}

}  // namespace adze::exec
