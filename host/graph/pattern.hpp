// Patterns of zeros in weights, and whether a weight holds one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "host/graph/graph.hpp"

namespace adze::host {

/// N:M: at most `kept` weights of each `group` consecutive input channels at one kernel position
/// are not zero. Otherwise blocks of outputs or input channels, each zero as a whole or not at all.
struct Pattern {
  std::int64_t kept = 0, group = 0;
  std::int64_t block_outputs = 1, block_inputs = 1;

  /// The least share of zeros in a weight that holds it; 0 for blocks.
  double sparsity() const {
    return group ? 1 - static_cast<double>(kept) / static_cast<double>(group) : 0;
  }
};

/// "4:16", "1x4", "4x1"; nullopt for any other text.
std::optional<Pattern> parse_pattern(std::string_view text);

struct PatternCheck {
  std::int64_t zeros = 0, weights = 0;
  std::int64_t groups = 0;    ///< of M channels, or blocks; the last of a row may be smaller
  std::int64_t violated = 0;  ///< of them
  /// Where the first of these begins.
  std::int64_t output = 0, channel = 0, position = 0;
};

/// `kept`: a byte an element of the node's weight, 0 for a zero. nullopt: the node is no Conv, Gemm
/// or MatMul, or its weight is a stack of matrices.
std::optional<PatternCheck> check_pattern(const Graph& graph, const Node& node,
                                          const Pattern& pattern,
                                          std::span<const std::uint8_t> kept);

}  // namespace adze::host
