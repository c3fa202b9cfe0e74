#include "plugins/reconstruct/reconstructor.hpp"

#include <adze/ext/calibration.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "plugins/pruning/mask.hpp"
#include "plugins/reconstruct/block.hpp"
#include "plugins/reconstruct/user_mask.hpp"

namespace reconstruct {
namespace {

/// What passes over the samples may take together: a few minutes on two cores.
constexpr double kPassOperations = 4e12;
constexpr std::size_t kFewestPasses = 2;
constexpr double kMostRefinements = 8;
/// What the Gram matrix of one layer may take. Layers with many output positions reach it on a part
/// of the samples, which then is more than enough for them.
constexpr double kGramOperations = 4e11;
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

Reconstructor::Reconstructor(adze_call* call, std::vector<Layer> layers, const Options& options)
    : call_(call),
      layers_(std::move(layers)),
      options_(options),
      threads_(pruning::on_host_threads(call)),
      start_(std::chrono::steady_clock::now()) {
  samples_ = adze::need<adze_calibration>(call, ADZE_CALIBRATION).sample_count;
  if (options.samples > 0)
    samples_ = std::min(samples_, static_cast<std::uint64_t>(options.samples));
  for (std::uint32_t node = 0; node < call->graph->node_count; ++node)
    if (adze::weight_of(*call->graph, *call->graph->nodes[node]) != ADZE_NONE)
      if (const auto layer = pruning::layer_of(*call->graph, node))
        model_operations_ += operations_of(*call->graph, *layer);
}

void Reconstructor::prune(const std::vector<Goal>& goals) {
  std::size_t most = 1;
  double affordable = 0;
  if (options_.sequential && options_.passes > 0) {
    affordable = static_cast<double>(options_.passes);
    most = static_cast<std::size_t>(options_.passes);
  } else if (options_.sequential) {
    affordable =
        kPassOperations / (2 * std::max(model_operations_, 1.0) * static_cast<double>(samples_));
    most = std::max(static_cast<std::size_t>(std::min(affordable, 1e6)), kFewestPasses);
  }
  const auto passes = passes_of(*call_->graph, layers_, most);
  refinements_ = static_cast<int>(
      std::clamp((affordable / static_cast<double>(passes.size()) - 2) / 2, 0.0, kMostRefinements));
  for (const auto& pass : passes) work_ += pass_work(pass);
  for (std::size_t i = 0; i < layers_.size(); ++i) work_ += layer_work(layers_[i], goals[i]);

  for (const auto& pass : passes) {
    advance(0, "calibrating");
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
        advance(layer_work(layers_[index], goals[index]), name);
      }
      if (refinements_ > 0)
        refine(
            call_, pruned, refinements_, options_.layer,
            [&](const Refinable& layer) { write(layer); }, threads_);
      advance(pass_work(pass) * static_cast<double>(part.size()) / static_cast<double>(pass.size()),
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
  Refinable done{&layer,       std::move(all), std::move(pruned.keep), corrected.weights,
                 split.fitted, split.held_out};
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
  std::vector<float> contents(static_cast<std::size_t>(layer.count()));
  std::vector<std::uint8_t> mask(contents.size());
  for (std::int64_t row = 0; row < layer.rows; ++row)
    for (std::int64_t column = 0; column < layer.columns; ++column) {
      const std::size_t place = layer.index(row, column);
      mask[place] = pruned.keep[static_cast<std::size_t>(row * layer.columns + column)];
      contents[place] = mask[place] ? static_cast<float>(weights(row, column)) : 0.0f;
    }
  set_constant(layer.weight, contents);
  if (layer.bias != ADZE_NONE) {
    std::vector<float> bias;
    for (std::int64_t row = 0; row < layer.rows; ++row)
      bias.push_back(static_cast<float>(weights(row, layer.columns) / layer.bias_factor));
    set_constant(layer.bias, bias);
  }
  adze::check(call_->edit->set_mask(call_, layer.weight, mask.data(), mask.size()));
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

double Reconstructor::layer_work(const Layer& layer, const Goal& goal) const {
  const auto rows = static_cast<double>(layer.rows), columns = static_cast<double>(layer.columns);
  const double kept = (1 - goal.sparsity) * columns;
  constexpr double kIterations = 50, kFactorizations = 12, kRefits = 4;
  return kIterations * 2 * rows * columns * columns +
         kFactorizations * std::pow(columns, 3) / 3 * static_cast<double>(layer.groups) +
         kRefits * rows * std::pow(kept, 3) / 3;
}

void Reconstructor::advance(double work, const std::string& doing) {
  done_ += work;
  const double fraction = work_ > 0 ? std::min(done_ / work_, 1.0) : 1.0;
  const double elapsed_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  std::string text = doing;
  if (fraction > 0.02 && elapsed_s > 1)
    text +=
        ", about " + std::to_string(std::lround(elapsed_s * (1 - fraction) / fraction)) + " s left";
  adze::progress(call_, fraction, text.c_str());
}

}  // namespace reconstruct
