#include "plugins/ptq/bias_correction.hpp"

#include <adze/ext/draft/evaluate.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "plugins/ptq/channels.hpp"
#include "plugins/ptq/collect.hpp"

namespace ptq {
namespace {

constexpr std::uint64_t kMostSamples = 128, kFewestSamples = 16;
constexpr std::size_t kMostLayers = 64;
/// Multiply-accumulates of all runs of the model together: some twenty seconds on two cores.
constexpr double kMostRunOperations = 1e12;
/// A mean that moved by less of the variance is not worth a run.
constexpr double kNoticeableDrift = 1e-6;

double operations_of(const EditedModel& model) {
  double operations = 1;
  for (std::uint32_t node = 0; node < model.graph().node_count; ++node)
    if (const auto layer = layer_at(model.graph(), node))
      operations += sample_bytes(model.value(model.node(node).outputs[0])) / 4 *
                    static_cast<double>(layer->columns);
  return operations;
}

const adze_evaluate* evaluation(const EditedModel& model) {
  adze_call* call = model.call();
  return static_cast<const adze_evaluate*>(call->host->get_extension(call, ADZE_EVALUATE));
}

}  // namespace

BiasCorrection::BiasCorrection(EditedModel& model, const Plan& plan, const Options& options)
    : model_(model), options_(options) {
  if (options.bias_correction == Choice::off) return;
  const adze_evaluate* evaluate = evaluation(model);
  if (options.bias_correction == Choice::automatic && !evaluate) {
    model.log(ADZE_LOG_WARNING,
              "bias_correction: no held-out samples are there to judge it; biases stay as they "
              "are");
    return;
  }
  for (const WeightPlan& weight : plan.weights) {
    const auto layer = layer_at(model.graph(), weight.node);
    if (!layer || layer->bias == ADZE_NONE || !model.may_change(layer->bias)) continue;
    if (model.value(model.node(weight.node).outputs[0]).rank < 2) continue;
    layers_.push_back({model.node(weight.node).outputs[0],
                       layer->bias,
                       layer->bias_factor * layer->output_factor,
                       {}});
  }
  const double operations = operations_of(model);
  const auto affordable = static_cast<std::uint64_t>(kMostRunOperations / operations /
                                                     static_cast<double>(kMostLayers));
  fitted_ = std::min(sample_count(model), std::clamp(affordable, kFewestSamples, kMostSamples));
  if (evaluate && options.bias_correction == Choice::automatic)
    judged_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(evaluate->sample_count, fitted_));
  // The reference and the first look at all layers are two of the runs.
  const double runs =
      kMostRunOperations / operations / static_cast<double>(fitted_ + 2 * judged_) - 2;
  most_layers_ = static_cast<std::size_t>(std::clamp(runs, 4.0, static_cast<double>(kMostLayers)));

  std::vector<adze_stat_request> requests;
  for (const Layer& layer : layers_) {
    requests.push_back(request_of(ADZE_STAT_CHANNELS, layer.output));
    requests.back().count = fitted_;
  }
  collect(model, requests, [&](std::size_t i, const adze_stat& stat) {
    const auto rows = doubles_of(stat);
    for (std::size_t c = 0; c + 3 < rows.size(); c += 4)
      layers_[i].reference.push_back(rows[c + 2]);
  });
  std::erase_if(layers_, [&](const Layer& layer) {
    return layer.reference.size() != model.constant(layer.bias).size();
  });
}

std::vector<BiasCorrection::Drift> BiasCorrection::drifts(
    std::span<const std::size_t> layers) const {
  std::vector<adze_stat_request> requests;
  for (const std::size_t layer : layers) {
    requests.push_back(request_of(ADZE_STAT_CHANNELS, layers_[layer].output));
    requests.back().count = fitted_;
  }
  std::vector<Drift> found(layers.size());
  collect(model_, requests, [&](std::size_t i, const adze_stat& stat) {
    const auto rows = doubles_of(stat);
    double moved = 0, variance = 0;
    for (std::size_t c = 0; c < layers_[layers[i]].reference.size(); ++c) {
      found[i].shift.push_back(rows[c * 4 + 2] - layers_[layers[i]].reference[c]);
      moved += found[i].shift.back() * found[i].shift.back();
      variance += rows[c * 4 + 3];
    }
    found[i].share = variance > 0 ? moved / variance : 0;
  });
  return found;
}

std::vector<std::size_t> BiasCorrection::worst_layers() const {
  std::vector<std::size_t> all(layers_.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const std::vector<Drift> found = drifts(all);
  std::vector<std::size_t> worst = all;
  std::stable_sort(worst.begin(), worst.end(),
                   [&](std::size_t a, std::size_t b) { return found[a].share > found[b].share; });
  worst.resize(std::min(worst.size(), most_layers_));
  std::erase_if(worst, [&](std::size_t layer) { return found[layer].share < kNoticeableDrift; });
  std::sort(worst.begin(), worst.end());
  return worst;
}

double BiasCorrection::score() const {
  double found = 0;
  adze::check(evaluation(model_)->score(model_.call(), ADZE_SCORE_SQNR_DB, judged_, &found));
  return found;
}

std::size_t BiasCorrection::run() {
  if (layers_.empty()) return 0;
  const std::vector<std::size_t> chosen = worst_layers();
  double best = judged_ ? score() : 0;
  const double before = best;
  std::size_t corrected = 0;
  for (std::size_t at = 0; at < chosen.size(); ++at) {
    adze::progress(model_.call(),
                   0.5 + 0.5 * static_cast<double>(at) / static_cast<double>(chosen.size()),
                   "correcting biases");
    const Layer& layer = layers_[chosen[at]];
    const Drift drift = drifts({&chosen[at], 1}).front();
    const auto shown = model_.constant(layer.bias);
    const std::vector<float> old(shown.begin(), shown.end());
    std::vector<float> bias = old;
    for (std::size_t c = 0; c < bias.size(); ++c)
      bias[c] -= static_cast<float>(drift.shift[c] / layer.bias_factor);
    model_.set_constant(layer.bias, std::move(bias));
    if (judged_) {
      const double found = score();
      if (found <= best) {
        model_.set_constant(layer.bias, old);
        continue;
      }
      best = found;
    }
    ++corrected;
  }
  char text[160];
  std::snprintf(text, sizeof text, "bias correction: %zu of %zu layers tried, %zu kept",
                chosen.size(), layers_.size(), corrected);
  std::string message = text;
  if (judged_) {
    std::snprintf(text, sizeof text, "; outputs on held-out samples: %.2f dB, before %.2f dB", best,
                  before);
    message += text;
  }
  model_.log(ADZE_LOG_INFO, message);
  return corrected;
}

}  // namespace ptq
