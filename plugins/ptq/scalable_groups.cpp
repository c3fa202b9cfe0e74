#include "plugins/ptq/scalable_groups.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>

#include "plugins/ptq/channels.hpp"

namespace ptq {
namespace {

constexpr std::array<std::string_view, 10> kHomogeneous = {
    "Relu",          "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool",
    "GlobalMaxPool", "Identity",  "Dropout", "Resize",      "PRelu"};

/// Walks from a writer to everything that carries its channels.
class Walk {
 public:
  explicit Walk(const EditedModel& model) : model_(model) {}

  std::optional<ScalableGroup> from(const pruning::Layer& writer) {
    group_.channels = writer.rows;
    visit(model_.node(writer.node).outputs[0], 1);
    for (std::size_t at = 0; valid_ && at < group_.values.size(); ++at) {
      const std::uint32_t value = group_.values[at];
      follow_producer(value, span_.at(value));
      follow_readers(value, span_.at(value));
    }
    if (!valid_ || group_.readers.empty()) return std::nullopt;
    return group_;
  }

 private:
  /// `span`: elements of axis 1 that belong to one channel.
  void visit(std::uint32_t value, std::int64_t span) {
    const auto [known, is_new] = span_.emplace(value, span);
    if (!is_new) {
      valid_ &= known->second == span;
      return;
    }
    const adze_value& shown = model_.value(value);
    valid_ &= !shown.constant && (shown.flags & (ADZE_VALUE_INPUT | ADZE_VALUE_OUTPUT)) == 0 &&
              shown.rank >= 2 && shown.batch_axis == 0 && shown.shape[1] == group_.channels * span;
    group_.values.push_back(value);
  }

  bool is_onnx(const adze_node& node) const { return std::string_view(node.domain).empty(); }
  bool is_homogeneous(const adze_node& node) const {
    return is_onnx(node) &&
           std::find(kHomogeneous.begin(), kHomogeneous.end(), node.op) != kHomogeneous.end();
  }
  bool is(const adze_node& node, std::string_view op) const {
    return is_onnx(node) && node.op == op;
  }

  bool may_change(const pruning::Layer& layer) const {
    return model_.is_target(layer.node) && model_.value(layer.weight).consumer_count == 1 &&
           model_.may_change(layer.weight);
  }

  void add_inputs(const adze_node& sum, std::int64_t span) {
    for (std::uint32_t i = 0; i < sum.input_count; ++i) visit(sum.inputs[i], span);
  }

  void follow_producer(std::uint32_t value, std::int64_t span) {
    const std::uint32_t producer = model_.value(value).producer;
    if (producer == ADZE_NONE) {
      valid_ = false;
      return;
    }
    const adze_node& node = model_.node(producer);
    if (is_homogeneous(node)) return visit(node.inputs[0], span);
    if (is(node, "Add")) return add_inputs(node, span);
    if (is(node, "Flatten")) return follow_flatten_back(node, span);
    const auto layer = layer_at(model_.graph(), producer);
    valid_ &= layer && span == 1 && may_change(*layer) && !layer->has_other_bias &&
              layer->rows == group_.channels && model_.value(value).rank != 3 &&
              (layer->bias == ADZE_NONE || model_.may_change(layer->bias));
    if (valid_) group_.writers.push_back(*layer);
  }

  /// Behind the batch, nothing but channels and what belongs to one.
  std::optional<std::int64_t> flattened(const adze_node& node) const {
    const adze_value& source = model_.value(node.inputs[0]);
    const adze_value& result = model_.value(node.outputs[0]);
    if (source.rank < 2 || result.rank != 2 || source.batch_axis != 0 || result.batch_axis != 0 ||
        source.shape[1] <= 0 || result.shape[1] % source.shape[1] != 0)
      return std::nullopt;
    return result.shape[1] / source.shape[1];
  }

  void follow_flatten_back(const adze_node& node, std::int64_t span) {
    const auto inside = flattened(node);
    valid_ &= inside && span % *inside == 0;
    if (valid_) visit(node.inputs[0], span / *inside);
  }

  void follow_readers(std::uint32_t value, std::int64_t span) {
    const adze_value& shown = model_.value(value);
    for (std::uint64_t i = 0; valid_ && i < shown.consumer_count; ++i) {
      const std::uint32_t reader = shown.consumers[i];
      const adze_node& node = model_.node(reader);
      if (is_homogeneous(node)) {
        valid_ &= node.inputs[0] == value && node.output_count == 1;
        if (valid_) visit(node.outputs[0], span);
      } else if (is(node, "Add")) {
        visit(node.outputs[0], span);
        add_inputs(node, span);
      } else if (is(node, "Flatten")) {
        const auto inside = flattened(node);
        valid_ &= inside.has_value();
        if (valid_) visit(node.outputs[0], span * *inside);
      } else {
        add_reader(reader, value, span);
      }
    }
  }

  void add_reader(std::uint32_t reader, std::uint32_t value, std::int64_t span) {
    const adze_node& node = model_.node(reader);
    const auto layer = layer_at(model_.graph(), reader);
    valid_ &=
        layer && node.inputs[0] == value && may_change(*layer) && model_.value(value).rank != 3;
    if (!valid_) return;
    const bool by_channel = is_depthwise(*layer)
                                ? layer->rows == group_.channels && span == 1
                                : layer->groups == 1 && layer->channels() == group_.channels * span;
    valid_ &= by_channel;
    group_.readers.push_back({*layer, span});
  }

  const EditedModel& model_;
  ScalableGroup group_;
  std::map<std::uint32_t, std::int64_t> span_;  ///< by value
  bool valid_ = true;
};

}  // namespace

std::vector<ScalableGroup> find_scalable_groups(const EditedModel& model) {
  std::vector<ScalableGroup> groups;
  std::vector<bool> seen(model.graph().node_count, false);
  for (std::uint32_t node = 0; node < model.graph().node_count; ++node) {
    const auto layer = layer_at(model.graph(), node);
    if (!layer || seen[node]) continue;
    const auto group = Walk(model).from(*layer);
    if (!group) continue;
    for (const pruning::Layer& writer : group->writers) seen[writer.node] = true;
    groups.push_back(*group);
  }
  return groups;
}

}  // namespace ptq
