// adze.prune.magnitude: small weights leave; what stays is refitted, layer by layer, so that each
// layer answers its calibration inputs as before. Without the refit, 70 % costs a small residual
// network about 15 points of top-1, with it less than one.
#include <adze/adze.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "plugins/magnitude/layer.hpp"
#include "plugins/magnitude/mask.hpp"
#include "plugins/magnitude/pattern.hpp"
#include "plugins/magnitude/refit.hpp"

namespace magnitude {
namespace {

enum { kSparsity, kPattern, kScore, kRefit, kDamping, kSequential };

constexpr const char* kScores[] = {"magnitude", "activation", nullptr};

constexpr adze_param text(const char* name, const char* doc, const char* initial,
                          const char* const* choices) {
  return {sizeof(adze_param), ADZE_TEXT, 0, name, doc, 0, 0, 0, initial, choices};
}
constexpr adze_param flag(const char* name, const char* doc, bool initial) {
  return {sizeof(adze_param), ADZE_FLAG, 0, name, doc, initial ? 1.0 : 0.0, 0, 0, nullptr, nullptr};
}

constexpr adze_param kParams[] = {
    adze::f64(
        "sparsity",
        "Share of each layer's weights to prune, 0 up to but not 1; -1: not said, which is 0.7 "
        "or what the pattern N:M gives.",
        kNotSaid, kNotSaid, 1),
    text("pattern",
         "N:M keeps at most N weights of each M (2 to 16) consecutive input channels at one kernel "
         "position; :M lets N follow from the sparsity; empty: no pattern.",
         "", nullptr),
    text("score",
         "What a weight is ranked by: its magnitude, or its magnitude times the standard deviation "
         "of its input.",
         "activation", kScores),
    flag("refit",
         "Fit the weights and biases that stay to the layer's answers on the calibration samples "
         "(exact least squares).",
         true),
    adze::f64("damping",
              "Pull of the refit towards the weights as they were, as a share of the inputs' mean "
              "power.",
              1e-3, 0, 10),
    flag("sequential",
         "Look at each layer's inputs after the layers before it were pruned, one pass over the "
         "samples a layer, instead of all at once.",
         true)};

/// One layer's part of the edits.
class LayerPruner {
 public:
  LayerPruner(adze_call* call, const Layer& layer) : call_(call), layer_(layer) {
    const adze_value& weight = *call->graph->values[layer.weight];
    weight_ = adze::f32(weight.constant);
    if (weight.keep) earlier_ = {weight.keep, weight_.size()};
  }

  void prune(const Goal& goal, bool by_activation, bool refit_rest) {
    const bool shared = call_->graph->values[layer_.weight]->consumer_count > 1;
    if (shared && (by_activation || refit_rest)) {
      const std::string node = call_->graph->nodes[layer_.node]->name;
      call_->host->log(call_, ADZE_LOG_WARNING,
                       ("node '" + node +
                        "' shares its weight with another node: it is pruned by magnitude alone")
                           .c_str());
      by_activation = refit_rest = false;
    }
    if (by_activation || refit_rest) load_gram();
    const std::vector<double> scores = rank(by_activation);
    const std::vector<std::uint8_t> keep = choose_mask(layer_, goal, scores, earlier_);
    if (refit_rest) fit(keep);
    adze::check(call_->edit->set_mask(call_, layer_.weight, keep.data(), keep.size()));
  }

 private:
  void load_gram() {
    const auto& calibration = adze::need<adze_calibration>(call_, ADZE_CALIBRATION);
    const bool sequential = call_->arguments[kSequential]->i64[0] != 0;
    const adze_stat_request request = {
        .struct_size = sizeof request,
        .kind = ADZE_STAT_GRAM,
        .node = layer_.node,
        .value = ADZE_NONE,
        .state = sequential ? std::uint32_t{ADZE_STATE_EDITED} : std::uint32_t{ADZE_STATE_SHOWN},
        .value_state = 0,
        .first = 0,
        .count = 0,
        .bins = 0};
    const adze_stat* stat = nullptr;
    adze::check(calibration.collect(call_, &request, 1, &stat));
    const Eigen::Index size = layer_.columns + 1;
    const adze_tensor& data = stat->data;
    if (data.ndim != 3 || data.shape[0] != layer_.groups || data.shape[1] != size)
      throw adze::Error(ADZE_INTERNAL, "the host's Gram matrix does not have the layer's size");
    const auto* elements =
        static_cast<const double*>(data.data) + data.byte_offset / sizeof(double);
    for (std::int64_t group = 0; group < layer_.groups; ++group)
      grams_.emplace_back(
          Eigen::Map<const Eigen::MatrixXd>(elements + group * size * size, size, size));
    calibration.release(call_, stat);
  }

  std::int64_t group_of(std::int64_t row) const { return row / (layer_.rows / layer_.groups); }

  /// The bias moves along in a refit, so an input's mean costs nothing: what a weight is worth is
  /// the deviation around it.
  double deviation(const Eigen::MatrixXd& gram, std::int64_t column) const {
    const double mean = layer_.bias == ADZE_NONE ? 0 : gram(column, layer_.columns);
    return std::sqrt(std::max(gram(column, column) - mean * mean, 0.0));
  }

  std::vector<double> rank(bool by_activation) const {
    std::vector<double> scores(weight_.size());
    for (std::int64_t row = 0; row < layer_.rows; ++row)
      for (std::int64_t column = 0; column < layer_.columns; ++column) {
        const std::size_t i = layer_.index(row, column);
        scores[i] = std::abs(static_cast<double>(weight_[i]));
        if (by_activation)
          scores[i] *= deviation(grams_[static_cast<std::size_t>(group_of(row))], column);
      }
    return scores;
  }

  void fit(const std::vector<std::uint8_t>& keep) {
    const std::int64_t rows = layer_.rows / layer_.groups;
    const bool has_bias = layer_.bias != ADZE_NONE;
    std::vector<float> weight(weight_.begin(), weight_.end()), bias;
    if (has_bias) {
      const auto shown = adze::f32(call_->graph->values[layer_.bias]->constant);
      bias.assign(shown.begin(), shown.end());
    }
    for (std::int64_t group = 0; group < layer_.groups; ++group) {
      const Eigen::MatrixXd& gram = grams_[static_cast<std::size_t>(group)];
      const std::int64_t first = group * rows;
      RowMatrix dense = RowMatrix::Zero(rows, layer_.columns + 1);
      MaskMatrix mask(rows, layer_.columns);
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t column = 0; column < layer_.columns; ++column) {
          const std::size_t i = layer_.index(first + row, column);
          dense(row, column) = static_cast<double>(weight_[i]);
          mask(row, column) = keep[i];
        }
        if (has_bias)
          dense(row, layer_.columns) =
              static_cast<double>(bias[static_cast<std::size_t>(first + row)]) * layer_.bias_factor;
      }
      // Inputs that are zero in every sample say nothing: the weights stay as they are.
      if (gram.diagonal().head(layer_.columns).maxCoeff() <= 0) continue;
      const RowMatrix fitted =
          refit(gram, dense, mask, call_->arguments[kDamping]->f64[0], has_bias, call_->threads);
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t column = 0; column < layer_.columns; ++column)
          weight[layer_.index(first + row, column)] = static_cast<float>(fitted(row, column));
        if (has_bias)
          bias[static_cast<std::size_t>(first + row)] =
              static_cast<float>(fitted(row, layer_.columns) / layer_.bias_factor);
      }
    }
    set_constant(layer_.weight, weight);
    if (has_bias) set_constant(layer_.bias, bias);
  }

  void set_constant(std::uint32_t value, const std::vector<float>& contents) {
    adze_tensor tensor = *call_->graph->values[value]->constant;
    tensor.data = contents.data();
    tensor.byte_offset = 0;
    adze::check(call_->edit->set_constant(call_, value, &tensor));
  }

  adze_call* call_;
  const Layer& layer_;
  std::span<const float> weight_;
  std::span<const std::uint8_t> earlier_;
  std::vector<Eigen::MatrixXd> grams_;  ///< one a group
};

/// Layers of the targets in the order data reaches them, each weight once.
std::vector<Layer> layers_of(const adze_graph& graph) {
  std::vector<Layer> layers;
  std::vector<bool> seen(graph.value_count, false);
  for (std::uint32_t i = 0; i < graph.target_count; ++i) {
    const std::optional<Layer> layer = layer_of(graph, graph.targets[i]);
    if (!layer || layer->count() == 0 || seen[layer->weight]) continue;
    seen[layer->weight] = true;
    layers.push_back(*layer);
  }
  return layers;
}

adze_status prune(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    const Goal goal =
        parse_goal(call->arguments[kSparsity]->f64[0], call->arguments[kPattern]->text[0]);
    const bool by_activation = std::string_view(call->arguments[kScore]->text[0]) == "activation";
    const bool refit_rest = call->arguments[kRefit]->i64[0] != 0;
    const std::vector<Layer> layers = layers_of(*call->graph);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const char* name = call->graph->nodes[layers[i].node]->name;
      adze::progress(call, static_cast<double>(i) / static_cast<double>(layers.size()), name);
      try {
        LayerPruner(call, layers[i]).prune(goal, by_activation, refit_rest);
      } catch (const adze::Error& error) {
        throw adze::Error(error.code, "node '" + std::string(name) + "': " + error.what());
      }
    }
    adze::progress(call, 1, "pruned");
  });
}

// The calibration service is not in `needs`: pruning by magnitude without a refit does without it.
constexpr adze_pruner kPruner = {sizeof(adze_pruner), 0, prune};
constexpr adze_component kComponent =
    adze::component("adze.prune.magnitude", "Prunes small weights and refits those that stay.",
                    kParams, nullptr, &kPruner);
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin = {
    sizeof(adze_plugin), ADZE_ABI_MINOR, 0,          1, "adze.magnitude", "0.1.0",
    "The Adze authors",  "Apache-2.0",   kComponents};

}  // namespace
}  // namespace magnitude

const adze_plugin* adze_plugin_v1(void) noexcept { return &magnitude::kPlugin; }
