// The grids of a network in training: where they start, how they follow what passes, and what they
// are in the end. Plain numbers: no header of LibTorch is needed.
#pragma once

#include <adze/adze.hpp>
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "plugins/qat/fake_quant.hpp"
#include "plugins/quantization/grid.hpp"
#include "plugins/quantization/plan.hpp"

namespace qat {

struct GridOptions {
  bool learned = true;  ///< scales are learned; else they follow the ranges
  ptq::ZeroPoint zero_point = ptq::ZeroPoint::symmetric;
  int bits = 8;                ///< of activations
  bool shared_scales = false;  ///< ptq::Plan::same_scale holds
};

/// How one value is quantized in the end.
struct Quantized {
  std::uint32_t value = 0;
  std::int32_t axis = -1;
  std::uint8_t code = ADZE_UINT;
  int bits = 8;
  std::vector<float> scales;
  std::int32_t zero_point = 0;
};

/// What is known of an activation before it is rounded.
struct Observed {
  double low = 0, high = 0;
  std::vector<float> some;  ///< elements from all over

  void add(std::span<const float> elements);
};

/// The grid of an activation, and of others that share it.
struct ActivationGrid {
  std::vector<float> log_scale = {0};  ///< one; does not move
  std::array<float, 2> range = {};     ///< low and high, moving averages; does not move
  std::int32_t zero_point = 0;
  float low = 0, high = 0;  ///< of the levels
  bool is_constant = false;
  Observed observed;
  Range passing, fixed;  ///< seen in this pass of those that share it; that of constants among them
};

struct WeightGrid {
  ptq::WeightPlan plan;
  Channels channels;
  std::vector<float> log_scales;  ///< one a channel; does not move
};

class Grids {
 public:
  /// `plan`: NULL for none. Both must outlive this.
  Grids(const adze_graph& graph, const ptq::Plan* plan, const GridOptions& options);

  /// Activations and constants with a grid of their own, in the plan's order.
  const std::vector<std::uint32_t>& own() const { return own_; }
  ActivationGrid& activation(std::uint32_t value) { return activations_.at(value); }
  /// The value whose grid `value` has: itself, or one that it shares it with.
  std::uint32_t source_of(std::uint32_t value) const;
  /// NULL: none.
  ActivationGrid* of(std::uint32_t value);
  std::map<std::uint32_t, WeightGrid>& weights() { return weights_; }
  const std::map<std::uint32_t, WeightGrid>& weights() const { return weights_; }
  /// Not handed on by an operator that only moves numbers.
  bool is_rounded_itself(std::uint32_t value) const { return rounded_.contains(value); }

  void observe(std::uint32_t value, std::span<const float> elements);
  /// Sets the grids of activations from what was observed; constants are looked at here.
  void start();
  /// Zero points from ranges, in a run that continues one that had started.
  void resume();
  /// A grid that follows the range of what passes.
  void follow(std::uint32_t value, std::span<const float> elements);
  /// So that the largest weight of each channel is on it.
  static void set_from_weights(WeightGrid& grid, std::span<const float> weights);

  /// Scales as they go into the model: at least what the bias (empty: none) needs for 32 bits.
  std::vector<float> scales_of(const WeightGrid& grid, std::span<const float> bias) const;
  /// All activations, then what shares their grids.
  std::vector<Quantized> quantized_activations() const;

 private:
  void add_own(std::uint32_t value);
  void add_weight(const ptq::WeightPlan& plan);
  void share_scales(const ptq::Plan& plan);
  void set_from_range(ActivationGrid& grid) const;

  const adze_graph& graph_;
  GridOptions options_;
  std::vector<std::uint32_t> own_;
  std::set<std::uint32_t> rounded_;
  std::map<std::uint32_t, ActivationGrid> activations_;  ///< by value
  std::map<std::uint32_t, std::uint32_t> shared_;        ///< value -> the one whose grid it has
  std::map<std::uint32_t, WeightGrid> weights_;          ///< by value
};

}  // namespace qat
