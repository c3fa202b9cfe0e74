// What a model costs with some of its channels gone.
#pragma once

#include <cstdint>
#include <vector>

namespace channel {

/// How many channels leave, by group.
using Counts = std::vector<std::uint32_t>;

/// Multiply-accumulates of one layer: those of each weight, times what is left of each axis.
struct LayerCost {
  struct Share {
    std::uint32_t group = 0, span = 0;  ///< each channel takes `span` indices along
  };
  struct Axis {
    std::int64_t size = 0;
    std::vector<Share> shares;
  };
  double macs_of_weight = 0;
  std::vector<Axis> axes;
};

struct Cost {
  double fixed = 0;  ///< what no channel changes
  std::vector<LayerCost> layers;

  double of(const Counts& leaving) const {
    double all = fixed;
    for (const LayerCost& layer : layers) {
      double macs = layer.macs_of_weight;
      for (const LayerCost::Axis& axis : layer.axes) {
        std::int64_t left = axis.size;
        for (const auto& [group, span] : axis.shares) left -= std::int64_t{leaving[group]} * span;
        macs *= static_cast<double>(left);
      }
      all += macs;
    }
    return all;
  }
};

}  // namespace channel
