// All layers together, after each was fitted for itself: the weights that stay are tuned so that
// every block, and the model, answers as before. Masks stay; no labels.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "plugins/pruning/layer.hpp"
#include "plugins/pruning/parallel.hpp"

namespace reconstruct {

/// A layer as its edits say; all in the order in memory.
struct Tunable {
  const pruning::Layer* layer = nullptr;
  std::vector<float> weights, bias;  ///< bias: empty where it may not change
  std::vector<std::uint8_t> keep;    ///< empty: all
  bool may_change = true;
  bool is_dense = false;  ///< was not pruned: it makes up for what the others lost
};

struct TuningOptions {
  std::uint64_t samples = 0;  ///< an eighth of them is held out
  double operations = 0;      ///< at most
};

/// What it came to: sum over the values compared of |y - z|^2 / |y - mean y|^2 on the samples held
/// out. `steps` 0: nothing was tried, because the model is too large or its operators are not
/// known.
struct Tuned {
  int steps = 0;
  double error_before = 0, error_after = 0;
  bool accepted() const { return error_after < error_before; }
};

/// What tune() takes, roughly, of a model with so many operations a sample when it may take `most`.
double tuning_operations(double model_operations, double most);

/// Steps of Adam on the sum of that error over blocks and, with more weight, outputs, on samples
/// that are mixed, and shifted a little when they are pictures. `layers` change only where the
/// error on the samples held out falls. `progress`: a share of the work. The result does not depend
/// on the number of threads.
Tuned tune(adze_call* call, std::span<Tunable> layers, const TuningOptions& options,
           const pruning::ForEach& for_each, const std::function<void(double)>& progress);

}  // namespace reconstruct
