// Makes the layers that stay answer as the model did before, from the inputs they now get.
#pragma once

#include <adze/adze.hpp>

#include "plugins/channel/model.hpp"
#include "plugins/channel/samples.hpp"
#include "plugins/channel/weights.hpp"

namespace channel {

struct CorrectionOptions {
  double damping = 1e-3;
  bool sequential = true;
};

/// Fits each layer behind what leaves, in the order data reaches them, to what it answered before:
/// with a residual, to what the sum was, so that it makes up for the other branch too. A layer's
/// new weights are kept where its error falls on the samples that had no part in the fit. Not
/// `sequential`: only the readers, each from its inputs as they were.
/// The weights are handed over when it returns.
void correct(adze_call* call, const Model& model, const std::vector<Remains>& remains,
             const CorrectionOptions& options, Weights& weights,
             const std::function<void(double, const char*)>& progress);

}  // namespace channel
