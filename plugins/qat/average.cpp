#include "plugins/qat/average.hpp"

#include <algorithm>

namespace qat {

void Average::add(std::span<const Parameter> parameters) {
  if (decay_ <= 0) return;
  const bool is_first = means_.empty();
  means_.resize(parameters.size());
  const auto part = static_cast<float>(1 - decay_);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::span<const float> now = parameters[i].elements;
    // A range is a moving average by itself.
    if (is_first || parameters[i].kind == Parameter::Kind::range) {
      means_[i].assign(now.begin(), now.end());
      continue;
    }
    for (std::size_t k = 0; k < now.size(); ++k) means_[i][k] += part * (now[k] - means_[i][k]);
  }
}

void Average::exchange(std::span<Parameter> parameters) {
  for (std::size_t i = 0; i < means_.size(); ++i)
    std::ranges::swap_ranges(means_[i], parameters[i].elements);
}

}  // namespace qat
