// How large the structs that plugins fill were in ABI 1.0. A host of any later minor must ask for
// no more, or it would refuse plugins built before it.
#pragma once

#include <adze/backend.h>
#include <adze/ext/calibration.h>
#include <adze/pruner.h>
#include <adze/quantizer.h>

#include <cstddef>

namespace adze::host {

template <class T, std::size_t Bytes>
struct FirstSize {};
struct FirstSizes : FirstSize<adze_plugin, 56>,
                    FirstSize<adze_component, 96>,
                    FirstSize<adze_param, 72>,
                    FirstSize<adze_pruner, 16>,
                    FirstSize<adze_quantizer, 16>,
                    FirstSize<adze_backend, 72>,
                    FirstSize<adze_quant, 40>,
                    FirstSize<adze_profile_row, 48>,
                    FirstSize<adze_what_if, 24>,
                    FirstSize<adze_stat_request, 48> {};

template <class T, std::size_t Bytes>
constexpr std::size_t first_size(const FirstSize<T, Bytes>&) {
  return Bytes;
}
template <class T>
inline constexpr std::size_t kFirstSize = first_size<T>(FirstSizes{});

/// Whether a plugin's struct reaches as far as every version of it does.
template <class T>
bool reaches_first_size(const T& given) {
  static_assert(kFirstSize<T> <= sizeof(T));
  return given.struct_size >= kFirstSize<T>;
}

}  // namespace adze::host
