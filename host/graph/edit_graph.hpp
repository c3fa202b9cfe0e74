// Small changes that several passes make; relink() afterwards.
#pragma once

#include <string>
#include <unordered_set>

#include "host/graph/graph.hpp"

namespace adze::host {

/// Every consumer and the model's output list use `to` instead of `from`.
void replace_uses(Graph& graph, std::uint32_t from, std::uint32_t to);
bool is_output(const Graph& graph, std::uint32_t value);
/// Removes nodes whose flag is set and those behind them whose results nothing uses.
void remove_nodes(Graph& graph, std::vector<bool> leaves);

/// Names that no value or node has yet.
class FreshNames {
 public:
  explicit FreshNames(const Graph& graph);
  /// `wanted`, or `wanted` with the first number that makes it new.
  std::string value(const std::string& wanted) { return fresh(values_, wanted); }
  std::string node(const std::string& wanted) { return fresh(nodes_, wanted); }

 private:
  static std::string fresh(std::unordered_set<std::string>& taken, const std::string& wanted);
  std::unordered_set<std::string> values_, nodes_;
};

}  // namespace adze::host
