// What the parameters `sparsity` and `pattern` ask for, as one thing.
#pragma once

#include <cstdint>
#include <string_view>

namespace pruning {

/// N:M: at most `kept` weights stay in each `group` consecutive input channels at one kernel
/// position. Blocks: weights stay or leave together with those of `block_outputs` consecutive
/// outputs or `block_inputs` consecutive input channels at one kernel position. Else unstructured.
struct Goal {
  double sparsity = 0;
  std::int64_t kept = 0, group = 0;
  std::int64_t block_outputs = 1, block_inputs = 1;

  bool in_blocks() const { return block_outputs > 1 || block_inputs > 1; }
};

inline constexpr double kNotSaid = -1;  ///< of `sparsity`
inline constexpr double kDefaultSparsity = 0.7;
inline constexpr std::int64_t kLargestGroup = 16, kLargestBlock = 256;

/// `pattern`: "" (unstructured), "N:M" (sparsity follows), ":M" (the largest N that reaches the
/// sparsity), "1xK" (blocks of K input channels), "Kx1" (of K outputs). Errors: adze::Error
/// INVALID_ARGUMENT.
Goal parse_goal(double sparsity, std::string_view pattern);

}  // namespace pruning
