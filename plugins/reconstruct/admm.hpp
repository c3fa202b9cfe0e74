// Which weights stay, by the alternating direction method of multipliers: a dense solution and a
// sparse one are pulled together until their supports agree.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "plugins/reconstruct/problem.hpp"

namespace reconstruct {

/// Chooses what stays by scores, one a weight, row by row; the larger the more worth keeping.
using Choose = std::function<std::vector<std::uint8_t>(std::span<const double> scores)>;

struct AdmmOptions {
  double rho = 0.01;  ///< first pull of the two solutions towards each other
  int most_iterations = 300;
};

struct AdmmMask {
  std::vector<std::uint8_t> keep;  ///< row by row
  int iterations = 0, factorizations = 0;
};

AdmmMask find_mask(const Quadratic& problem, const Choose& choose, const AdmmOptions& options,
                   const ForEach& for_each);

}  // namespace reconstruct
