// What the parameters `sparsity` and `pattern` ask for, as one thing.
#pragma once

#include <cstdint>
#include <string_view>

namespace magnitude {

/// Unstructured when group is 0; otherwise at most `kept` weights stay in each `group` consecutive
/// input channels at one kernel position.
struct Goal {
  double sparsity = 0;
  std::int64_t kept = 0, group = 0;
};

inline constexpr double kNotSaid = -1;  ///< of `sparsity`
inline constexpr double kDefaultSparsity = 0.7;
inline constexpr std::int64_t kLargestGroup = 16;

/// `pattern`: "" (unstructured), "N:M" (sparsity follows), ":M" (the largest N that reaches the
/// sparsity). Errors: adze::Error INVALID_ARGUMENT.
Goal parse_goal(double sparsity, std::string_view pattern);

}  // namespace magnitude
