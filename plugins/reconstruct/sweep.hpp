// Which weights stay, column by column: what one column loses the later ones make up for at once.
// A third of the time of the ADMM search, and not as good: columns on the left are settled early.
#pragma once

#include <cstdint>
#include <vector>

#include "plugins/reconstruct/problem.hpp"

namespace reconstruct {

struct Swept {
  std::vector<std::uint8_t> keep;  ///< row by row
  RowMatrix weights;               ///< as the sweep leaves them, without a refit
};

/// Unstructured and N:M. The sparsity is met in each block of 128 columns.
/// Errors: adze::Error UNIMPLEMENTED for blocks.
Swept sweep(const Quadratic& problem, const Layer& layer, const Goal& goal,
            const ForEach& for_each);

}  // namespace reconstruct
