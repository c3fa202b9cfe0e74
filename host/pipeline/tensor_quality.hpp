// What each grid of a quantized model does to the numbers it rounds.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/calibrate/activations.hpp"
#include "host/dataset/dataset.hpp"
#include "host/graph/graph.hpp"

namespace adze::host {

struct TensorHistogram {
  double low = 0, high = 0;            ///< of the bins
  double grid_low = 0, grid_high = 0;  ///< what the grid can hold; of a weight: its widest channel
  std::vector<std::int64_t> counts;
};

struct TensorQuality {
  std::string name, node, op;  ///< node, op: what makes it, or reads it when it is a constant
  bool is_constant = false;
  Quant quant;
  double low = 0, high = 0;  ///< of the numbers before they are rounded
  double clipped_share = 0;  ///< of the elements that lie beyond the grid by half a step or more
  std::optional<double> sqnr_db;             ///< of rounding and clipping; nullopt: nothing is lost
  std::optional<TensorHistogram> histogram;  ///< of the worst tensors
};

struct QuantizationQuality {
  std::int64_t samples = 0;
  double int8_mac_share = 0;
  std::vector<TensorQuality> tensors;  ///< in the graph's order
};

inline constexpr std::size_t kPicturedTensors = 10;

/// Runs the model without its grids on `indices` of `samples` and rounds each tensor alone, so that
/// a tensor's figures are its own and not those of the layers before it. The worst have the lowest
/// SQNR. `before`: the model before it was quantized, with the same values: a constant that was put
/// on its grid since is compared with what it was. `make_runner`: runs a float graph. `progress`:
/// 0..1. Errors: those of the runner.
QuantizationQuality measure_quality(const Graph& quantized, const Graph& before,
                                    const Dataset& samples, std::span<const std::int64_t> indices,
                                    MakeRunner make_runner,
                                    const std::function<void(double)>& progress);

}  // namespace adze::host
