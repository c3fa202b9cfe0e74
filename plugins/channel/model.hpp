// The model as channel pruning sees it: layers, what is tied together, what it costs.
#pragma once

#include <adze/ext/draft/structure.h>

#include <adze/adze.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "plugins/channel/cost.hpp"
#include "plugins/channel/selection.hpp"
#include "plugins/pruning/layer.hpp"

namespace channel {

struct ModelLayer {
  pruning::Layer layer;
  bool is_target = false;  ///< the stage may change its weights
  bool is_shared = false;  ///< another node uses the same weight
  RowMatrix weight;        ///< as shown; the last column is the bias, as the input 1 sees it
  MaskMatrix keep;         ///< of earlier stages; 0x0: none

  bool has_bias() const { return layer.bias != ADZE_NONE; }
  bool may_refit() const { return is_target && !is_shared; }
};

/// Who reads the channels of a group, and where.
struct Reading {
  const adze_member* member = nullptr;
  std::size_t layer = SIZE_MAX;  ///< SIZE_MAX: no layer whose Gram matrix could be had
  std::vector<std::vector<Eigen::Index>> columns;  ///< by channel; without a layer: along the axis
};

struct Writing {
  std::size_t layer = 0;
  std::vector<std::vector<Eigen::Index>> rows;  ///< by channel
};

struct Group {
  std::uint32_t channels = 0, multiple = 1;
  std::string name;  ///< of the first node that computes it
  std::vector<Reading> readings;
  std::vector<Writing> writings;
};

struct Model {
  std::vector<ModelLayer> layers;  ///< in the order data reaches them
  std::vector<Group> groups;       ///< as adze.structure/1 counts them
  Cost cost;
};

/// More inputs of one output than this are ranked without a Gram matrix: it would take gigabytes.
inline constexpr std::int64_t kMostColumns = 6144;

/// `multiple`: of the channels that are left in each layer; 0: the target's.
/// Errors: adze::Error FAILED_PRECONDITION naming a node whose weights are not finite, or when no
/// channel may leave.
Model read_model(adze_call* call, std::int64_t multiple);

}  // namespace channel
