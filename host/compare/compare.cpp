#include "host/compare/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

std::vector<double> elements_of(const Tensor& tensor) {
  if (tensor.dtype() == DType::f64) {
    const std::span<const double> from = tensor.as<double>();
    return {from.begin(), from.end()};
  }
  if (tensor.dtype() == DType::i64 || tensor.dtype() == DType::i32) {  // float would round these
    std::vector<double> wide;
    wide.reserve(static_cast<std::size_t>(tensor.count()));
    if (tensor.dtype() == DType::i64)
      for (const std::int64_t x : tensor.as<std::int64_t>()) wide.push_back(static_cast<double>(x));
    else
      for (const std::int32_t x : tensor.as<std::int32_t>()) wide.push_back(x);
    return wide;
  }
  const std::vector<float> narrow = to_f32(tensor);
  return {narrow.begin(), narrow.end()};
}

// Ties go to the lowest index; nullopt when a number is missing, so that such rows never agree.
std::optional<std::size_t> top1(std::span<const double> row) {
  if (!std::ranges::all_of(row, [](double x) { return std::isfinite(x); })) return std::nullopt;
  return static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
}

/// The step of each element; empty when the quantization does not fit the shape.
class Steps {
 public:
  Steps(const std::optional<Quant>& quant, const Shape& shape) {
    if (!quant || quant->scale.empty()) return;
    if (quant->axis >= 0) {
      const auto axis = static_cast<std::size_t>(quant->axis);
      if (axis >= shape.size() || shape[axis] != static_cast<std::int64_t>(quant->scale.size()))
        return;
      for (std::size_t i = axis + 1; i < shape.size(); ++i)
        inner_ *= static_cast<std::size_t>(shape[i]);
    }
    scale_ = quant->scale;
  }
  bool known() const { return !scale_.empty(); }
  double at(std::size_t element) const {
    return static_cast<double>(scale_[element / inner_ % scale_.size()]);
  }

 private:
  std::size_t inner_ = 1;
  std::span<const float> scale_;
};

}  // namespace

void Comparison::add(const std::string& output, const Tensor& a, const Tensor& b,
                     const std::optional<Quant>& quant) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype())
    throw Error(
        ADZE_INVALID_ARGUMENT,
        fmt::format("cannot compare output '{}': one side gives {} of {}, the other {} of {}",
                    output, to_string(a.shape()), info(a.dtype()).name, to_string(b.shape()),
                    info(b.dtype()).name));
  if (a.dtype() == DType::string)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("cannot compare output '{}': it holds text, not numbers", output));

  auto found = std::ranges::find(sums_, output, &Sums::name);
  if (found == sums_.end()) found = sums_.insert(found, Sums{.name = output});
  Sums& sums = *found;
  const std::vector<double> left = elements_of(a), right = elements_of(b);
  const Steps steps(quant, a.shape());
  sums.elements += a.count();
  for (std::size_t i = 0; i < left.size(); ++i) {
    const double x = left[i], y = right[i];
    if (!std::isfinite(x) || !std::isfinite(y)) {
      const bool differs = !(x == y || (std::isnan(x) && std::isnan(y)));
      ++sums.nans;
      sums.nans_differing += differs;
      sums.differing += differs;
      continue;
    }
    const double difference = x - y;
    sums.low_a = std::min(sums.low_a, x);
    sums.high_a = std::max(sums.high_a, x);
    sums.low_b = std::min(sums.low_b, y);
    sums.high_b = std::max(sums.high_b, y);
    sums.aa += x * x;
    sums.bb += y * y;
    sums.ab += x * y;
    sums.dd += difference * difference;
    sums.max_abs = std::max(sums.max_abs, std::abs(difference));
    sums.max_a = std::max(sums.max_a, std::abs(x));
    sums.differing += x != y;
    if (!steps.known()) continue;
    const double apart = std::nearbyint(std::abs(difference) / steps.at(i));
    ++sums.in_steps;
    sums.max_steps = std::max(sums.max_steps, apart);
    sums.steps_differing += apart >= 1;
    sums.steps_beyond += apart >= 2;
  }
  if (a.shape().size() != 2 || a.shape()[1] < 2) return;
  const auto width = static_cast<std::size_t>(a.shape()[1]);
  for (std::size_t at = 0; at < left.size(); at += width) {
    const auto mine = top1(std::span(left).subspan(at, width));
    const auto theirs = top1(std::span(right).subspan(at, width));
    ++sums.rows;
    sums.agreeing += mine && mine == theirs;
  }
}

std::vector<OutputComparison> Comparison::results() const {
  std::vector<OutputComparison> results;
  std::int64_t compared = 0;
  for (const Sums& sums : sums_) {
    OutputComparison& result = results.emplace_back();
    result.name = sums.name;
    result.max_abs = sums.max_abs;
    result.elements = sums.elements;
    result.nan_count = sums.nans;
    result.nan_differing = sums.nans_differing;
    const bool many = sums.elements - sums.nans > 1;
    result.constant_a = many && sums.low_a == sums.high_a;
    result.constant_b = many && sums.low_b == sums.high_b;
    if (sums.max_a > 0 || sums.max_abs == 0)
      result.max_rel = sums.max_abs == 0 ? 0 : sums.max_abs / sums.max_a;
    if (sums.in_steps > 0) {
      const auto counted = static_cast<double>(sums.in_steps);
      result.steps = {sums.max_steps, static_cast<double>(sums.steps_differing) / counted,
                      static_cast<double>(sums.steps_beyond) / counted};
    }
    compared += sums.elements;
    if (sums.elements > 0)
      result.mismatch_share =
          static_cast<double>(sums.differing) / static_cast<double>(sums.elements);
    if (sums.aa > 0 && sums.dd > 0) result.sqnr_db = 10 * std::log10(sums.aa / sums.dd);
    if (sums.aa > 0 && sums.bb > 0)
      result.cosine = std::clamp(sums.ab / (std::sqrt(sums.aa) * std::sqrt(sums.bb)), -1.0, 1.0);
    if (sums.rows > 0)
      result.top1_agreement = static_cast<double>(sums.agreeing) / static_cast<double>(sums.rows);
  }
  if (compared == 0)
    throw Error(
        ADZE_FAILED_PRECONDITION,
        "nothing was compared: the two sides have no output of the same name, or no samples");
  return results;
}

}  // namespace adze::host
