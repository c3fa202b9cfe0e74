#include "plugins/tensor_exec/operators/broadcast.hpp"

#include <algorithm>

namespace adze::exec {

Shape broadcast_shape(const Site& site, const std::vector<Shape>& operands) {
  Shape result;
  for (const Shape& operand : operands) {
    if (operand.size() > result.size())
      result.insert(result.begin(), operand.size() - result.size(), 1);
    for (std::size_t i = 0; i < operand.size(); ++i) {
      std::int64_t& size = result[result.size() - 1 - i];
      const std::int64_t own = operand[operand.size() - 1 - i];
      if (size != own && size != 1 && own != 1)
        site.malformed("shape " + to_string(operand) + " does not broadcast with the others");
      if (size == 1) size = own;
    }
  }
  return result;
}

Broadcast::Broadcast(const Shape& result, const std::vector<Shape>& operands) : sizes_(result) {
  if (sizes_.empty()) sizes_.push_back(1);
  width_ = sizes_.back();
  rows_ = width_ == 0 ? 0 : element_count(sizes_) / width_;
  for (const Shape& operand : operands) {
    const Shape own = strides_of(operand);
    Shape strides(sizes_.size(), 0);
    for (std::size_t i = 0; i < operand.size(); ++i)
      if (operand[operand.size() - 1 - i] != 1)
        strides[strides.size() - 1 - i] = own[operand.size() - 1 - i];
    strides_.push_back(std::move(strides));
  }
}

std::int64_t Broadcast::start(std::size_t operand, std::int64_t row) const {
  std::int64_t at = 0;
  for (std::size_t axis = sizes_.size() - 1; axis-- > 0;) {
    at += row % sizes_[axis] * strides_[operand][axis];
    row /= sizes_[axis];
  }
  return at;
}

}  // namespace adze::exec
