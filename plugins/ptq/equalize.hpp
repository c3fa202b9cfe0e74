// Cross-layer equalization: channels of one value get ranges of about the same size, so that one
// scale fits them all. The float model computes what it did before (Nagel et al., 2019).
#pragma once

#include "plugins/ptq/edited_model.hpp"
#include "plugins/ptq/options.hpp"

namespace ptq {

/// Changes weights and biases; returns how many groups of channels were rescaled. With scales for
/// each output channel, a writer's range is that of the channel's activations, as its weights have
/// scales of their own; with one scale for the tensor, that of its weights. `automatic`: only
/// groups whose expected noise falls noticeably.
std::size_t equalize(EditedModel& model, const Options& options);

}  // namespace ptq
