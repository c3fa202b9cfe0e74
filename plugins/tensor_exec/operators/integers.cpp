#include "plugins/tensor_exec/operators/integers.hpp"

#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

template <class T>
void subtract(const std::byte* src, std::int64_t count, const std::byte* zero_points,
              const ParameterList& list, std::uint32_t* dst) {
  const auto* elements = reinterpret_cast<const T*>(src);
  const auto* zeros = reinterpret_cast<const T*>(zero_points);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t zero = zeros ? zeros[list.index(i)] : 0;
    dst[i] = static_cast<std::uint32_t>(elements[i] - zero);
  }
}

}  // namespace

void subtract_zero_points(DType type, const std::byte* src, std::int64_t count,
                          const std::byte* zero_points, const ParameterList& list,
                          std::uint32_t* dst) {
  if (type == DType::u8)
    subtract<std::uint8_t>(src, count, zero_points, list, dst);
  else
    subtract<std::int8_t>(src, count, zero_points, list, dst);
}

std::int64_t integer_at(DType type, const std::byte* elements, std::int64_t index) {
  return with_number(type, [&]<class T>(TypeTag<T>) {
    return static_cast<std::int64_t>(reinterpret_cast<const T*>(elements)[index]);
  });
}

void store_rounded(DType type, float value, std::int64_t zero_point, Rounding rounding,
                   std::int64_t index, std::byte* dst) {
  const double rounded = rounding == Rounding::half_even
                             ? std::nearbyint(static_cast<double>(value))
                             : std::floor(static_cast<double>(value) + 0.5);
  const double shifted = rounded + static_cast<double>(zero_point);
  with_number(type, [&]<class T>(TypeTag<T>) {
    constexpr T kLow = std::numeric_limits<T>::lowest();
    reinterpret_cast<T*>(dst)[index] = std::isnan(shifted) ? kLow : converted<T>(shifted);
  });
}

void expect_bytes(const Site& site, std::uint32_t value) {
  const DType type = site.type(value);
  if (type != DType::i8 && type != DType::u8)
    site.refuse("'" + site.value(value).name + "' is " + name_of(type) +
                "; int8 and uint8 are supported");
}

bool is_by_channel(const Site& site, std::size_t input, std::int64_t channels) {
  const Shape shape = site.shape(site.input(input));
  const std::int64_t count = element_count(shape);
  if (count == 1) return false;
  if (shape != Shape{channels})
    site.malformed("input " + std::to_string(input) + " of shape " + to_string(shape) +
                   " is neither one value nor one for each of " + std::to_string(channels));
  return true;
}

void expect_type(const Site& site, std::size_t input, DType type) {
  if (site.has_input(input) && site.type(site.input(input)) != type)
    site.malformed("input " + std::to_string(input) + " is " +
                   name_of(site.type(site.input(input))) + ", not " + name_of(type));
}

}  // namespace adze::exec
