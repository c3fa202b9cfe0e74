// A first prediction of latency, from the board type's figures alone: each node takes the longer of
// computing and moving its data, and a fixed time besides.
#pragma once

#include "plugins/drpai/placement.hpp"

namespace adze::drpai {

/// Changes to a node before it is costed.
struct WhatIf {
  double sparsity = 0;       ///< share of zero weights
  double channel_share = 1;  ///< products left, of those shown
};

class LatencyModel {
 public:
  /// Errors: FAILED_PRECONDITION naming a figure that the board type does not give.
  LatencyModel(const adze_graph& graph, const exec::Facts& facts);

  std::size_t node_count() const { return works_.size(); }
  Unit unit(std::size_t node) const { return placed_[node].unit; }
  /// Zeros among the weights as shown.
  double sparsity(std::size_t node) const { return works_[node].sparsity; }
  double node_ms(std::size_t node, const WhatIf& what_if) const;
  double node_ms(std::size_t node) const { return node_ms(node, {sparsity(node), 1}); }
  double total_ms() const;
  /// Moved to and from memory.
  std::uint64_t bytes(std::size_t node) const;

 private:
  /// What a node has to do for one sample.
  struct Work {
    double macs = 0, elements_in = 0, elements_out = 0, weights = 0;
    double sparsity = 0, handed_over = 0;  ///< elements that come from the other unit
    bool depthwise = false, has_macs = false, fused = false;
  };
  struct Figures {
    double macs_per_second, depthwise_macs_per_second, sparse_floor, sparse_weight_bytes;
    double bytes_per_second, resident_bytes, node_overhead_ms;
    double cpu_flops, cpu_bytes_per_second, cpu_node_overhead_ms, hand_over_ms;
  };

  double drpai_ms(const Work& work, const WhatIf& what_if) const;
  double cpu_ms(const Work& work, const WhatIf& what_if) const;

  std::vector<Placement> placed_;
  std::vector<Work> works_;
  Figures figures_{};
};

}  // namespace adze::drpai
