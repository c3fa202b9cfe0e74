// What a search leaves undone: weights that stay are exchanged for weights that left, on the exact
// error, until no exchange lowers it or the effort is spent.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plugins/reconstruct/problem.hpp"

namespace reconstruct {

/// `keep`: row by row, any number a row; as many stay as before. `earlier`: mask of earlier stages
/// or empty, row by row. `operations`: at most about so many, so that large layers, where a look at
/// all exchanges costs as much as the search did, go without. The result does not depend on the
/// number of threads.
std::vector<std::uint8_t> exchange(const Quadratic& problem, std::vector<std::uint8_t> keep,
                                   std::span<const std::uint8_t> earlier, double operations,
                                   const ForEach& for_each);

}  // namespace reconstruct
