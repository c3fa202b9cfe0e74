#include "plugins/qat/optimizer.hpp"

#include <cmath>

namespace qat {
namespace {

constexpr double kFirstDecay = 0.9, kSecondDecay = 0.999;  // as in the paper of Adam
constexpr float kEpsilon = 1e-8F, kMomentum = 0.9F;

void adam(std::span<float> elements, std::span<const float> gradients, Moments& moments,
          std::uint64_t step, double learning_rate) {
  moments.second.resize(elements.size());
  const auto steps = static_cast<double>(step);
  const auto rate = static_cast<float>(learning_rate / (1 - std::pow(kFirstDecay, steps)));
  const auto unbias = static_cast<float>(1 / std::sqrt(1 - std::pow(kSecondDecay, steps)));
  constexpr auto kFirst = static_cast<float>(kFirstDecay);
  constexpr auto kSecond = static_cast<float>(kSecondDecay);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const float gradient = gradients[i];
    float& first = moments.first[i];
    float& second = moments.second[i];
    first += (gradient - first) * (1 - kFirst);
    second += (gradient * gradient - second) * (1 - kSecond);
    elements[i] -= rate * first / (std::sqrt(second) * unbias + kEpsilon);
  }
}

}  // namespace

void update(Rule rule, std::span<float> elements, std::span<const float> gradients,
            std::span<const std::uint8_t> keep, Moments& moments, std::uint64_t step,
            double learning_rate) {
  if (gradients.empty()) return;
  moments.first.resize(elements.size());
  if (rule == Rule::adam) {
    adam(elements, gradients, moments, step, learning_rate);
  } else {
    const auto rate = static_cast<float>(learning_rate);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      moments.first[i] = kMomentum * moments.first[i] + gradients[i];
      elements[i] -= rate * moments.first[i];
    }
  }
  for (std::size_t i = 0; i < keep.size(); ++i)
    if (!keep[i]) elements[i] = 0;
}

}  // namespace qat
