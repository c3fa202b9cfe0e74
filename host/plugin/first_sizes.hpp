// How large the structs that plugins fill were in ABI 1.0. A host of any later minor must ask for
// no more, or it would refuse plugins built before it.
#pragma once

#include <adze/backend.h>
#include <adze/ext/calibration.h>
#include <adze/pruner.h>
#include <adze/quantizer.h>

#include <cstddef>

namespace adze::host {

template <class T>
inline constexpr std::size_t kFirstSize = 0;
template <>
inline constexpr std::size_t kFirstSize<adze_plugin> = 56;
template <>
inline constexpr std::size_t kFirstSize<adze_component> = 96;
template <>
inline constexpr std::size_t kFirstSize<adze_param> = 72;
template <>
inline constexpr std::size_t kFirstSize<adze_pruner> = 16;
template <>
inline constexpr std::size_t kFirstSize<adze_quantizer> = 16;
template <>
inline constexpr std::size_t kFirstSize<adze_backend> = 72;
template <>
inline constexpr std::size_t kFirstSize<adze_quant> = 40;
template <>
inline constexpr std::size_t kFirstSize<adze_profile_row> = 48;
template <>
inline constexpr std::size_t kFirstSize<adze_what_if> = 24;
template <>
inline constexpr std::size_t kFirstSize<adze_stat_request> = 48;

/// Whether a plugin's struct reaches as far as every version of it does.
template <class T>
bool reaches_first_size(const T& given) {
  static_assert(kFirstSize<T> != 0 && kFirstSize<T> <= sizeof(T));
  return given.struct_size >= kFirstSize<T>;
}

}  // namespace adze::host
