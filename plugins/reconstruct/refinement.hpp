// What comes after a layer forgives: where a Relu answers 0 anyway, the layer may answer any
// negative number. Weights are fitted again to what that function makes of the layer's answers.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "plugins/reconstruct/prune_layer.hpp"

namespace reconstruct {

/// A layer that was pruned and corrected; its edits are made.
struct Refinable {
  const Layer* layer = nullptr;
  std::vector<RefitProblem> problems;      ///< Gram matrices of the inputs that it gets now
  std::vector<std::uint8_t> keep;          ///< row by row
  RowMatrix weights;                       ///< a row an output, then its bias
  std::uint64_t fitted = 0, held_out = 0;  ///< samples
  Goal goal;
  std::span<const std::uint8_t> earlier;  ///< mask of earlier stages, in memory order
  bool may_search = false;                ///< the mask may change, too
};

/// Makes the edits of other weights for a layer.
using Write = std::function<void(const Refinable&)>;

/// Up to `steps` steps, each with two passes over the samples at most for all layers together. They
/// lower sum |f(y) - f(z)|^2 on the samples held out, with the function f after the layer's block,
/// its answers y before anything was pruned and z now; a layer stays as it was where they do not.
/// The first steps search the mask anew, starting from the one there is.
/// Layers without such a function, or without held-out samples, are left alone.
void refine(adze_call* call, std::span<Refinable> layers, int steps, const LayerOptions& options,
            const Write& write, const ForEach& for_each);

}  // namespace reconstruct
