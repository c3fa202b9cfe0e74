// Every wait has an end.
#pragma once

#include <chrono>
#include <cstdint>

namespace adze::host {

using Deadline = std::chrono::steady_clock::time_point;

inline Deadline after_ms(std::int64_t timeout_ms) {
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
}
/// Milliseconds left, never negative, rounded up.
inline std::int64_t remaining_ms(Deadline deadline) {
  const auto left = deadline - std::chrono::steady_clock::now();
  return left.count() <= 0 ? 0 : std::chrono::ceil<std::chrono::milliseconds>(left).count();
}

}  // namespace adze::host
