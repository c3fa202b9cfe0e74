// Predicted latency: linear in the work of each node, with the coefficients of the board type.
#pragma once

#include <array>

#include "plugins/drpai/placement.hpp"

namespace adze::drpai {

/// Changes to a node before it is costed.
struct WhatIf {
  double sparsity = 0;       ///< share of zero weights
  double channel_share = 1;  ///< products left, of those shown
};

/// What a board type gives a price to; `cost.NAME` holds it (latency.cpp lists the names).
enum class Term : std::uint8_t {
  start,               ///< once a model
  macs,                ///< 10^9, channels rounded up to what the array takes at once
  conv_elements,       ///< 10^6 read and written by convolutions
  weights,             ///< 10^6
  depthwise_elements,  ///< 10^6 read and written
  drp_nodes,
  drp_elements,    ///< 10^6 read and written by pooling, activations, additions, ...
  norm_elements,   ///< 10^6 read and written by a BatchNormalization that is not folded
  swish_elements,  ///< 10^6 written by x * sigmoid(x)
  cpu_start,       ///< once a model that uses the CPU
  cpu_macs,        ///< 10^9
  cpu_depthwise_macs,
  cpu_conv_elements,
  broadcast_elements,  ///< 10^6 written by element-wise operators whose inputs differ in shape
  split_pieces,
  concat_pieces,
  resized_elements,  ///< 10^6 written by a Resize
  hand_overs,        ///< tensors that leave or enter a subgraph of the accelerator
  handed_elements,   ///< 10^6
  count
};
constexpr std::size_t kTerms = static_cast<std::size_t>(Term::count);

class LatencyModel {
 public:
  /// Errors: FAILED_PRECONDITION naming a figure that the board type does not give.
  LatencyModel(const adze_graph& graph, const exec::Facts& facts);

  std::size_t node_count() const { return works_.size(); }
  Unit unit(std::size_t node) const { return placed_[node].unit; }
  /// Zeros among the weights as shown.
  double sparsity(std::size_t node) const;
  double node_ms(std::size_t node, const WhatIf& what_if) const;
  double node_ms(std::size_t node) const { return node_ms(node, {sparsity(node), 1}); }
  double total_ms() const;
  /// Moved to and from memory.
  std::uint64_t bytes(std::size_t node) const;

 private:
  /// What a node has to do for one sample.
  struct Work {
    std::array<double, kTerms> terms{};
    double elements = 0, weights = 0, copied = 0;  ///< `copied`: elements the CPU moves
    std::uint32_t weight_value = ADZE_NONE;
    bool prunable = false;  ///< zeros among its weights save time
    double& operator[](Term term) { return terms[static_cast<std::size_t>(term)]; }
    double operator[](Term term) const { return terms[static_cast<std::size_t>(term)]; }
  };
  struct Figures {
    std::array<double, kTerms> ms{};
    double sparse_floor = 1, sparse_weight_bytes = 1, cpu_elements_per_ms = 0;
    double input_lanes = 1, output_lanes = 1;
    bool sparse = false;
    std::vector<std::string> add_behind;  ///< operators that take an Add in
  };

  void read_figures(const exec::Facts& facts);
  void add_convolution(const exec::Program& program, std::uint32_t index, double in, double out);
  void add_other(const exec::Program& program, std::uint32_t index, double in, double out,
                 const std::vector<std::uint32_t>& producer);
  void add_hand_overs(const exec::Program& program, const std::vector<std::uint32_t>& producer);

  const adze_graph& graph_;
  std::vector<Placement> placed_;
  std::vector<Work> works_;
  Figures figures_{};
};

}  // namespace adze::drpai
