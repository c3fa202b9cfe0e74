// The weights that go with a mask: what makes up best for the layers before, on samples that were
// not fitted to.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plugins/pruning/statistics.hpp"
#include "plugins/reconstruct/problem.hpp"

namespace reconstruct {

/// What the samples that are fitted to say of a layer, and those that judge.
struct Evidence {
  pruning::Moments fitted, held_out;  ///< held_out: empty when too few samples are there
  bool has_target = false;  ///< the answers are the block's; otherwise those of the weights before
};

enum class Correction { none, bias, least_squares };

struct Corrected {
  RowMatrix weights;  ///< a row an output, then its bias
  Correction correction = Correction::none;
  double damping = 0;                        ///< of least squares
  double error_before = 0, error_after = 0;  ///< held out: none, and the one chosen
};

/// Both together.
std::vector<RefitProblem> all_of(const Evidence& evidence);

/// `all`: all_of(evidence). The correction is chosen by the error of the block's output on the
/// samples held out, then computed from all samples.
Corrected correct(const Evidence& evidence, std::span<const RefitProblem> all,
                  std::span<const std::uint8_t> keep, double damping, const ForEach& for_each);

const char* name_of(Correction correction);

}  // namespace reconstruct
