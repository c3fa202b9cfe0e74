#include "plugins/reconstruct/reconstructor.hpp"

#include <adze/ext/calibration.h>
#include <adze/ext/draft/refit.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "plugins/pruning/mask.hpp"
#include "plugins/reconstruct/block.hpp"
#include "plugins/reconstruct/user_mask.hpp"

namespace reconstruct {
namespace {

/// What passes over the samples may take together: a few minutes on two cores.
constexpr double kPassOperations = 4e12;
/// Of that, to fit layers in the order data reaches them; the rest is for refinement.
constexpr double kSequentialShare = 0.625;
constexpr std::size_t kFewestPasses = 2;
constexpr double kMostRefinements = 8;
/// What tuning all layers together may take: about a minute.
constexpr double kTuningOperations = 3e12;
/// What the Gram matrix of one layer may take. Layers with many output positions reach it on a part
/// of the samples, which then is more than enough for them.
constexpr double kGramOperations = 2.5e11;
constexpr double kLeastColumnsAnInput =
    32;  ///< but at least so many columns an input are looked at
/// Fewer columns than this an input determine the weights badly.
constexpr double kUsefulColumnsAnInput = 4;
constexpr std::uint64_t kFewestHeldOut = 16;

std::vector<pruning::MomentsRequest> requests_of(const adze_graph& graph, const Layer& layer,
                                                 bool sequential, std::uint64_t fitted,
                                                 std::uint64_t held_out) {
  pruning::MomentsRequest request;
  request.layer = &layer;
  request.count = fitted;
  if (sequential) request.state = ADZE_STATE_EDITED;
  if (sequential && !layer.has_other_bias) {
    const BlockOutput output = block_output_of(graph, layer.node);
    request.answers = {{.value = output.value}};
    if (output.skip != ADZE_NONE)
      request.answers.push_back({.value = output.skip, .state = ADZE_STATE_EDITED, .factor = -1});
  }
  std::vector<pruning::MomentsRequest> requests = {request};
  if (held_out > 0) {
    request.first = fitted;
    request.count = held_out;
    requests.push_back(request);
  }
  return requests;
}

}  // namespace

Reconstructor::Reconstructor(adze_call* call, std::vector<Layer> layers, const Options& options,
                             const Goal& asked, Progress& progress)
    : call_(call),
      layers_(std::move(layers)),
      options_(options),
      asked_(asked),
      progress_(progress),
      threads_(pruning::on_host_threads(call)),
      written_(layers_.size()) {
  samples_ = adze::need<adze_calibration>(call, ADZE_CALIBRATION).sample_count;
  if (options.samples > 0)
    samples_ = std::min(samples_, static_cast<std::uint64_t>(options.samples));
  for (std::uint32_t node = 0; node < call->graph->node_count; ++node)
    if (adze::weight_of(*call->graph, *call->graph->nodes[node]) != ADZE_NONE)
      if (const auto layer = pruning::layer_of(*call->graph, node))
        model_operations_ += operations_of(*call->graph, *layer);

  std::size_t most = 1;
  double affordable = 0;
  if (options_.sequential && options_.passes > 0) {
    affordable = static_cast<double>(options_.passes);
    most = static_cast<std::size_t>(options_.passes);
  } else if (options_.sequential) {
    affordable =
        kPassOperations / (2 * std::max(model_operations_, 1.0) * static_cast<double>(samples_));
    most = std::max(static_cast<std::size_t>(std::min(kSequentialShare * affordable, 1e6)),
                    kFewestPasses);
  }
  passes_ = passes_of(*call_->graph, layers_, most);
  refinements_ = static_cast<int>(std::clamp(
      (affordable / static_cast<double>(passes_.size()) - 2) / 2, 0.0, kMostRefinements));
  for (const auto& pass : passes_) progress_.expect(pass_work(pass));
  for (const Layer& layer : layers_) progress_.expect(search_operations(layer, asked.sparsity));
  progress_.expect(tuning_work());
}

void Reconstructor::prune(const std::vector<Goal>& goals) {
  for (const auto& pass : passes_) {
    progress_.advance(0, "calibrating");
    // Gram matrices of a few layers at once, so that memory does not grow with the model.
    std::vector<std::size_t> part;
    double bytes = 0;
    const auto flush = [&] {
      std::vector<Evidence> evidence = collect(part);
      std::vector<Refinable> pruned;
      for (std::size_t i = 0; i < part.size(); ++i) {
        const std::size_t index = part[i];
        const std::string name = name_of(layers_[index]);
        try {
          pruned.push_back(prune_one(index, std::move(evidence[i]), goals[index]));
        } catch (const adze::Error& error) {
          throw adze::Error(error.code, "node '" + name + "': " + error.what());
        }
        progress_.advance(search_operations(layers_[index], asked_.sparsity), name);
      }
      if (refinements_ > 0)
        refine(
            call_, pruned, refinements_, options_.layer,
            [&](const Refinable& layer) { write(layer); }, threads_);
      progress_.advance(
          pass_work(pass) * static_cast<double>(part.size()) / static_cast<double>(pass.size()),
          "calibrated");
      part.clear();
      bytes = 0;
    };
    for (const std::size_t index : pass) {
      const auto size = static_cast<double>(layers_[index].columns);
      const double needed = 16 * size * size * static_cast<double>(layers_[index].groups);
      constexpr double kMostGramBytes = 8e8;
      if (!part.empty() && bytes + needed > kMostGramBytes) flush();
      part.push_back(index);
      bytes += needed;
    }
    flush();
  }
  if (options_.sequential && options_.tuning) tune_all();
  warn_of_few_samples();
  adze::progress(call_, 1, "pruned");
}

void Reconstructor::count_samples(const Layer& layer, const Evidence& evidence) {
  const Split split = split_of(layer);
  const auto columns = static_cast<double>(evidence.fitted.terms + evidence.held_out.terms);
  const double wanted = kUsefulColumnsAnInput * static_cast<double>(layer.columns);
  if (columns >= wanted || columns == 0) return;
  const auto useful = static_cast<std::uint64_t>(
      std::ceil(wanted / columns * static_cast<double>(split.fitted + split.held_out)));
  if (useful <= useful_samples_) return;
  useful_samples_ = useful;
  neediest_ = name_of(layer);
}

void Reconstructor::warn_of_few_samples() const {
  if (useful_samples_ == 0) return;
  log(ADZE_LOG_WARNING, std::to_string(samples_) +
                            " calibration samples determine the weights of node '" + neediest_ +
                            "' badly; " + std::to_string(useful_samples_) + " would do");
}

Reconstructor::Split Reconstructor::split_of(const Layer& layer) const {
  const double positions = positions_of(*call_->graph, layer);
  const auto inputs = static_cast<double>(layer.columns);
  const double affordable = kGramOperations / (inputs * inputs * static_cast<double>(layer.groups));
  const double columns = std::max(affordable, kLeastColumnsAnInput * inputs);
  const auto used =
      std::min(samples_, static_cast<std::uint64_t>(
                             std::max(std::min(columns / positions, 1e9), 4.0 * kFewestHeldOut)));
  const bool judges = options_.sequential && used >= 4 * kFewestHeldOut;
  const std::uint64_t held_out = judges ? used / 4 : 0;
  return {used - held_out, held_out};
}

std::vector<Evidence> Reconstructor::collect(const std::vector<std::size_t>& pass) {
  std::vector<pruning::MomentsRequest> requests;
  std::vector<std::size_t> counts;
  for (const std::size_t index : pass) {
    const Split split = split_of(layers_[index]);
    const auto of_layer = requests_of(*call_->graph, layers_[index], options_.sequential,
                                      split.fitted, split.held_out);
    requests.insert(requests.end(), of_layer.begin(), of_layer.end());
    counts.push_back(of_layer.size());
  }
  std::vector<pruning::Moments> moments = pruning::collect_moments(call_, requests);
  std::vector<Evidence> evidence;
  for (std::size_t i = 0, at = 0; i < pass.size(); at += counts[i], ++i) {
    Evidence one;
    one.has_target = !requests[at].answers.empty();
    one.fitted = std::move(moments[at]);
    if (counts[i] > 1) one.held_out = std::move(moments[at + 1]);
    count_samples(layers_[pass[i]], one);
    evidence.push_back(std::move(one));
  }
  return evidence;
}

Refinable Reconstructor::prune_one(std::size_t index, Evidence evidence, const Goal& goal) {
  const Layer& layer = layers_[index];
  if (call_->graph->values[layer.weight]->consumer_count > 1) {
    log(ADZE_LOG_WARNING, "node '" + name_of(layer) +
                              "' shares its weight with another node: pruned by magnitude alone");
    prune_by_magnitude(index, goal);
    return {
        .layer = &layer, .problems = {}, .keep = {}, .weights = {}, .goal = goal, .earlier = {}};
  }
  std::vector<RefitProblem> all = all_of(evidence);
  const std::vector<std::uint8_t> fixed = user_mask_of(layer);
  LayerOptions mask_only = options_.layer;
  mask_only.refit = false;
  PrunedLayer pruned = prune_layer(layer, all, goal, earlier_of(layer), fixed, mask_only, threads_);
  const Corrected corrected = correct(evidence, all, pruned.keep, options_.layer.damping, threads_);
  log(ADZE_LOG_DEBUG,
      "node '" + name_of(layer) + "': " + std::to_string(pruned.iterations) + " iterations, " +
          std::to_string(pruned.factorizations) + " factorizations, correction " +
          reconstruct::name_of(corrected.correction) + " " + std::to_string(corrected.damping));
  const Split split = split_of(layer);
  Refinable done{&layer,
                 std::move(all),
                 std::move(pruned.keep),
                 corrected.weights,
                 split.fitted,
                 split.held_out,
                 goal,
                 earlier_of(layer),
                 fixed.empty() && (goal.sparsity > 0 || goal.group > 0)};
  write(done);
  if (refinements_ == 0) done.problems.clear();
  return done;
}

void Reconstructor::prune_by_magnitude(std::size_t index, const Goal& goal) {
  const Layer& layer = layers_[index];
  std::vector<double> scores = pruning::weights_of(*call_->graph, layer);
  for (double& score : scores) score = std::abs(score);
  std::vector<std::uint8_t> keep = user_mask_of(layer);
  if (keep.empty()) keep = pruning::choose_mask(layer, goal, scores, earlier_of(layer));
  adze::check(call_->edit->set_mask(call_, layer.weight, keep.data(), keep.size()));
  const auto dense = adze::f32(call_->graph->values[layer.weight]->constant);
  std::vector<float> contents(dense.begin(), dense.end());
  for (std::size_t i = 0; i < keep.size(); ++i)
    if (!keep[i]) contents[i] = 0;
  written_[index] = {&layer, std::move(contents), {}, std::move(keep), false};
}

std::span<const std::uint8_t> Reconstructor::earlier_of(const Layer& layer) const {
  const std::uint8_t* keep = call_->graph->values[layer.weight]->keep;
  return keep ? std::span(keep, static_cast<std::size_t>(layer.count()))
              : std::span<const std::uint8_t>();
}

std::vector<std::uint8_t> Reconstructor::user_mask_of(const Layer& layer) const {
  if (options_.masks.empty()) return {};
  const adze_tensor& weight = *call_->graph->values[layer.weight]->constant;
  return read_user_mask(options_.masks, name_of(layer),
                        {weight.shape, static_cast<std::size_t>(weight.ndim)})
      .value_or(std::vector<std::uint8_t>());
}

void Reconstructor::write(const Refinable& pruned) {
  const Layer& layer = *pruned.layer;
  const RowMatrix& weights = pruned.weights;
  Tunable& written = written_[static_cast<std::size_t>(&layer - layers_.data())];
  written.layer = &layer;
  written.weights.assign(static_cast<std::size_t>(layer.count()), 0);
  written.keep.resize(written.weights.size());
  written.bias.clear();
  for (std::int64_t row = 0; row < layer.rows; ++row)
    for (std::int64_t column = 0; column < layer.columns; ++column) {
      const std::size_t place = layer.index(row, column);
      written.keep[place] = pruned.keep[static_cast<std::size_t>(row * layer.columns + column)];
      if (written.keep[place]) written.weights[place] = static_cast<float>(weights(row, column));
    }
  if (layer.bias != ADZE_NONE)
    for (std::int64_t row = 0; row < layer.rows; ++row)
      written.bias.push_back(static_cast<float>(weights(row, layer.columns) / layer.bias_factor));
  edit(written);
}

void Reconstructor::edit(const Tunable& pruned) {
  const std::uint32_t weight = pruned.layer->weight;
  set_constant(weight, pruned.weights);
  if (!pruned.bias.empty()) set_constant(pruned.layer->bias, pruned.bias);
  if (!pruned.is_dense)
    adze::check(call_->edit->set_mask(call_, weight, pruned.keep.data(), pruned.keep.size()));
}

void Reconstructor::find_spared() {
  const auto* refit = static_cast<const adze_refit*>(call_->host->get_extension(call_, ADZE_REFIT));
  const adze_graph& graph = *call_->graph;
  for (std::uint32_t i = 0; refit && i < refit->node_count; ++i) {
    const std::uint32_t node = refit->nodes[i];
    if (adze::weight_of(graph, *graph.nodes[node]) == ADZE_NONE) continue;
    const std::optional<Layer> layer = pruning::layer_of(graph, node);
    if (layer && graph.values[layer->weight]->consumer_count == 1) spared_.push_back(*layer);
  }
  for (const Layer& layer : spared_) {
    const auto weights = adze::f32(graph.values[layer.weight]->constant);
    const auto earlier = earlier_of(layer);
    Tunable one{.layer = &layer,
                .weights = {weights.begin(), weights.end()},
                .bias = {},
                .keep = {earlier.begin(), earlier.end()},
                .is_dense = true};
    if (layer.bias != ADZE_NONE) {
      const auto bias = adze::f32(graph.values[layer.bias]->constant);
      one.bias.assign(bias.begin(), bias.end());
    }
    written_.push_back(std::move(one));
  }
}

/// What was not 0 may not become 0.
void Reconstructor::keep_dense(Tunable& spared) const {
  const auto restore = [&](std::vector<float>& now, std::uint32_t value) {
    const auto before = adze::f32(call_->graph->values[value]->constant);
    for (std::size_t i = 0; i < now.size(); ++i)
      if (now[i] == 0) now[i] = before[i];
  };
  restore(spared.weights, spared.layer->weight);
  if (!spared.bias.empty()) restore(spared.bias, spared.layer->bias);
}

void Reconstructor::tune_all() {
  find_spared();
  double told = 0;
  const Tuned tuned =
      tune(call_, written_, {.samples = samples_, .operations = kTuningOperations}, threads_,
           [&](double fraction) {
             progress_.advance((fraction - told) * tuning_work(), "tuning all layers together");
             told = fraction;
           });
  if (tuned.steps == 0) return;
  char text[160];
  std::snprintf(
      text, sizeof text,
      "tuning: %d steps, error of blocks and outputs on samples held out %.4g -> %.4g, %s",
      tuned.steps, tuned.error_before, tuned.error_after, tuned.accepted() ? "kept" : "not kept");
  log(ADZE_LOG_INFO, text);
  if (!tuned.accepted()) return;
  for (Tunable& layer : written_) {
    if (!layer.may_change) continue;
    if (layer.is_dense) keep_dense(layer);
    edit(layer);
  }
}

void Reconstructor::set_constant(std::uint32_t value, const std::vector<float>& contents) {
  const adze_tensor tensor = adze::with_contents(*call_->graph->values[value]->constant, contents);
  adze::check(call_->edit->set_constant(call_, value, &tensor));
}

std::string Reconstructor::name_of(const Layer& layer) const {
  return call_->graph->nodes[layer.node]->name;
}

void Reconstructor::log(int level, const std::string& text) const {
  call_->host->log(call_, level, text.c_str());
}

double Reconstructor::pass_work(const std::vector<std::size_t>& pass) const {
  // Most layers are refined in about three steps.
  const double runs = (options_.sequential ? 2.0 : 1.0) * (1 + 1.5 * std::min(refinements_, 3));
  double work = runs * model_operations_ * static_cast<double>(samples_);
  for (const std::size_t index : pass) {
    const Split split = split_of(layers_[index]);
    const auto inputs = static_cast<double>(layers_[index].columns);
    const double columns = positions_of(*call_->graph, layers_[index]) *
                           static_cast<double>(split.fitted + split.held_out);
    work += columns * inputs *
            (inputs * static_cast<double>(layers_[index].groups) +
             2.0 * static_cast<double>(layers_[index].rows));
  }
  return work;
}

double Reconstructor::tuning_work() const {
  if (!options_.sequential || !options_.tuning) return 0;
  return tuning_operations(model_operations_, kTuningOperations);
}

}  // namespace reconstruct
