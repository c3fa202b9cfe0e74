// How much memory a model may take: one that needs more is refused by name before anything is
// allocated.
#pragma once

#include <cstdint>

#include "plugins/tensor_exec/plan.hpp"

namespace adze::exec {

/// Elements of a value when axes of size 0 count as 1, as tables by axis take memory for them too;
/// nullopt: more than 2^31.
std::optional<std::int64_t> bounded_count(const Shape& shape);

/// What this machine has.
std::uint64_t machine_memory_bytes();

/// For one sample, before anything is planned. Errors: RESOURCE_EXHAUSTED naming a value that alone
/// takes more than `limit_bytes`, and the node that computes it.
void check_values_fit(const Program& program, std::uint64_t limit_bytes);

/// Errors: RESOURCE_EXHAUSTED when `needed_bytes` are more than `limit_bytes`.
void check_total_fits(std::uint64_t needed_bytes, std::uint64_t limit_bytes);

}  // namespace adze::exec
