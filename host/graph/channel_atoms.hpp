// Every index of every axis of every value, and which of them leave together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

/// Disjoint sets of indices ("atoms"). Atom 0 stands for all that must stay.
class ChannelAtoms {
 public:
  static constexpr std::int64_t kLargestAxis = 1 << 20;  ///< of which indices are told apart

  explicit ChannelAtoms(const Graph& graph) : first_(graph.values.size()) {
    std::size_t next = 1;
    for (std::size_t v = 0; v < graph.values.size(); ++v) {
      if (!graph.values[v].shape) continue;
      for (const std::int64_t size : *graph.values[v].shape) {
        const bool counted = size > 0 && size <= kLargestAxis && next < kMostAtoms;
        first_[v].push_back(counted ? static_cast<std::uint32_t>(next) : 0);
        if (counted) next += static_cast<std::size_t>(size);
      }
    }
    parent_.resize(next);
    std::iota(parent_.begin(), parent_.end(), 0u);
  }

  /// 0 for an axis whose size is not known, or no number of channels.
  std::uint32_t at(std::uint32_t value, std::size_t axis, std::int64_t index) const {
    const std::uint32_t first = first_[value].at(axis);
    return first ? first + static_cast<std::uint32_t>(index) : 0;
  }

  std::uint32_t set_of(std::uint32_t atom) const {
    while (parent_[atom] != atom) atom = parent_[atom];
    return atom;
  }

  void unite(std::uint32_t a, std::uint32_t b) {
    const std::uint32_t root_a = compress(a), root_b = compress(b);
    // The lowest atom is the root, so that atom 0 always is.
    parent_[std::max(root_a, root_b)] = std::min(root_a, root_b);
  }

  /// No index of the axis may leave.
  void keep(std::uint32_t value, std::size_t axis, std::int64_t size) {
    if (at(value, axis, 0) == 0) return;
    for (std::int64_t i = 0; i < size; ++i) unite(0, at(value, axis, i));
  }

 private:
  static constexpr std::size_t kMostAtoms = std::size_t{1} << 28;

  std::uint32_t compress(std::uint32_t atom) {
    const std::uint32_t root = set_of(atom);
    while (parent_[atom] != root) atom = std::exchange(parent_[atom], root);
    return root;
  }

  std::vector<std::vector<std::uint32_t>> first_;  // by value and axis; 0: none
  std::vector<std::uint32_t> parent_;
};

}  // namespace adze::host
