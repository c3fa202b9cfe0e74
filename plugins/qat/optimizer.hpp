// One step of Adam or of SGD with momentum, over plain arrays: they are what a checkpoint keeps,
// and a mask is applied in the same pass, so that no step leaves a pruned weight.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace qat {

enum class Rule { adam, sgd };

/// What a rule remembers of one parameter; both empty before the first step.
struct Moments {
  std::vector<float> first, second;  ///< second: Adam only
};

/// `gradients` empty: the parameter took no part, nothing changes. `keep` empty: all; an element
/// with keep 0 is exactly 0 afterwards. `step` counts from 1.
void update(Rule rule, std::span<float> elements, std::span<const float> gradients,
            std::span<const std::uint8_t> keep, Moments& moments, std::uint64_t step,
            double learning_rate);

}  // namespace qat
