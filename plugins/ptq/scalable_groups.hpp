// Channels that may be rescaled together without a change of what the model computes.
#pragma once

#include <cstdint>
#include <vector>

#include "plugins/pruning/layer.hpp"
#include "plugins/ptq/edited_model.hpp"

namespace ptq {

/// A layer that reads the channels; `span` consecutive inputs of it are one channel.
struct Reader {
  pruning::Layer layer;
  std::int64_t span = 1;
};

/// Divide channel c of every writer (weights and bias) and multiply that channel's weights in every
/// reader by the same positive factor: the model computes what it did before.
struct ScalableGroup {
  std::int64_t channels = 0;
  std::vector<pruning::Layer> writers;
  std::vector<Reader> readers;
  std::vector<std::uint32_t> values;  ///< that carry the channels
};

/// In the order of their first writers. Between writers and readers are only operators for which
/// f(s x) = s f(x) with s > 0 in each channel (Relu, LeakyRelu, PRelu, pooling, sums of such
/// values); a group that meets any other operator, a model input or output, or a constant that the
/// stage may not change, is none.
std::vector<ScalableGroup> find_scalable_groups(const EditedModel& model);

}  // namespace ptq
