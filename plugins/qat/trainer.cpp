#include "plugins/qat/trainer.hpp"

#include <adze/ext/draft/dataset.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "plugins/qat/average.hpp"
#include "plugins/qat/checkpoint.hpp"
#include "plugins/qat/fingerprint.hpp"
#include "plugins/qat/memory.hpp"
#include "plugins/qat/network.hpp"
#include "plugins/qat/optimizer.hpp"
#include "plugins/qat/options.hpp"
#include "plugins/quantization/leave_float.hpp"

namespace qat {
namespace {

constexpr std::uint64_t kMostHeldOut = 2048;  // samples a score is made of
constexpr std::uint64_t kObservedBatches = 8;
constexpr double kWarmUp = 0.02;        // share of the steps in which the rate rises
constexpr double kShareOfScales = 0.5;  // of the learning rate, for scales

using Clock = std::chrono::steady_clock;

/// Held-out samples: higher is better.
struct Score {
  double value = -std::numeric_limits<double>::infinity();
  bool is_accuracy = false;
};

std::string text_of(const Score& score) {
  char text[64];
  if (score.is_accuracy)
    std::snprintf(text, sizeof text, "%.2f %% right", score.value * 100);
  else
    std::snprintf(text, sizeof text, "loss %.4g", -score.value);
  return text;
}

ptq::Plan plan_of(const adze_graph& graph, const Options& options) {
  if (!options.quantizes) return {};
  return ptq::make_plan(graph, ptq::named_nodes(graph, options.leave_float),
                        options.float_heads ? ptq::decoding_nodes(graph) : std::vector<bool>());
}

class Trainer {
 public:
  explicit Trainer(adze_call* call)
      : call_(call),
        options_(read_options(*call)),
        dataset_(adze::need<adze_dataset>(call, ADZE_DATASET)),
        plan_(plan_of(*call->graph, options_)),
        network_(*call->graph,
                 {.plan = options_.quantizes ? &plan_ : nullptr, .grids = options_.grids}),
        moments_(network_.parameters().size()),
        average_(options_.averaging) {}

  void run() {
    check();
    tell_what_is_trained();
    plan_steps();
    resume();
    while (!done_) advance();
    take_best();
    write_edits();
    adze::progress(call_, 1, ("trained, " + text_of(best_)).c_str());
  }

 private:
  void check() {
    if (dataset_.train_count == 0)
      throw adze::Error(ADZE_FAILED_PRECONDITION, "there is no sample to train on");
    const bool has_weight =
        std::any_of(network_.parameters().begin(), network_.parameters().end(),
                    [](const Parameter& one) { return one.kind == Parameter::Kind::constant; });
    if (!has_weight)
      throw adze::Error(ADZE_FAILED_PRECONDITION,
                        "none of the nodes this stage may change has a weight to train");
    for (std::uint32_t i = 0; i < call_->graph->value_count; ++i)
      for (const float element : adze::f32(call_->graph->values[i]->constant))
        if (!std::isfinite(element) && call_->graph->values[i]->rank > 0)
          throw adze::Error(ADZE_FAILED_PRECONDITION,
                            "'" + std::string(call_->graph->values[i]->name) +
                                "' holds NaN or infinity, which no training mends: the model is "
                                "broken");
    loss_ = {.labels = dataset_.labeled ? 1 - options_.distillation : 0,
             .distillation = dataset_.labeled ? options_.distillation : 1,
             .temperature = options_.temperature};
  }

  void tell_what_is_trained() {
    std::size_t weights = 0, zeros = 0, norms = 0;
    for (const Parameter& one : network_.parameters()) {
      if (one.kind != Parameter::Kind::constant) continue;
      weights += one.elements.size();
      zeros += static_cast<std::size_t>(std::count(one.keep.begin(), one.keep.end(), 0));
    }
    for (std::uint32_t i = 0; i < call_->graph->node_count; ++i)
      norms += std::string_view(call_->graph->nodes[i]->op) == "BatchNormalization";
    log("trains " + std::to_string(weights) + " numbers, of which " + std::to_string(zeros) +
        " are pruned and stay 0; " + std::to_string(dataset_.train_count) + " samples, " +
        std::to_string(dataset_.held_out_count) + " held out, " +
        (dataset_.labeled ? "labeled" : "no labels: the outputs of the float model are imitated") +
        "; batch normalization: " +
        (norms ? std::to_string(norms) + " left, their statistics stay as they are"
               : "folded into the weights, nothing left to do"));
  }

  void log(const std::string& text) { call_->host->log(call_, ADZE_LOG_INFO, text.c_str()); }

  /// A model whose batch is fixed is trained sample by sample.
  std::uint32_t batch_size() const {
    for (std::uint32_t i = 0; i < call_->graph->input_count; ++i)
      if (call_->graph->values[call_->graph->inputs[i]]->batch_axis < 0) return 1;
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(static_cast<std::uint64_t>(options_.batch), dataset_.train_count));
  }

  void plan_steps() {
    batch_ = batch_size();
    // The last batch of an epoch is left out when it is not full: its gradient would be noise.
    epoch_steps_ = std::max<std::uint64_t>(dataset_.train_count / batch_, 1);
    total_ = options_.steps ? static_cast<std::uint64_t>(options_.steps)
                            : static_cast<std::uint64_t>(options_.epochs) * epoch_steps_;
    const auto rounding_from = static_cast<std::uint64_t>(
        std::llround(options_.float_share * static_cast<double>(total_)));
    float_steps_ = options_.quantizes ? std::min(rounding_from, total_ - 1) : total_;
    training_ = fingerprint(*call_, options_, dataset_);
    begin_ = written_ = Clock::now();
  }

  double seconds() const {
    return seconds_before_ + std::chrono::duration<double>(Clock::now() - begin_).count();
  }

  /// 0 at the start, 1 at the end: by steps, or by the clock where that is further.
  double share_done() const {
    const double by_steps = static_cast<double>(step_) / static_cast<double>(total_);
    return options_.seconds > 0 ? std::max(by_steps, seconds() / options_.seconds) : by_steps;
  }

  double learning_rate() const {
    const double share = std::min(share_done(), 1.0);
    return options_.learning_rate * std::min(1.0, (share + 1e-3) / kWarmUp) *
           (1 + std::cos(std::numbers::pi * share)) / 2;
  }

  const adze_batch& batch(std::uint32_t split, std::uint64_t epoch, std::uint64_t index) {
    const adze_batch* found = nullptr;
    adze::check(dataset_.batch(call_, split, batch_, epoch, index, &found));
    return *found;
  }

  /// What the last batch is to be like; empty when the host has no answer.
  std::span<const adze_tensor* const> reference() {
    if (loss_.distillation == 0 || !ADZE_HAS(&dataset_, adze_dataset, reference)) return {};
    std::uint32_t count = 0;
    const adze_tensor* const* found = nullptr;
    adze::check(dataset_.reference(call_, &count, &found));
    return {found, count};
  }

  bool rounding_is_due() const {
    if (!options_.quantizes || network_.quantizes()) return false;
    return step_ >= float_steps_ || share_done() >= options_.float_share;
  }

  /// One step, with what is due before and after it.
  void advance() {
    if (rounding_is_due()) start_rounding();
    const std::uint64_t epoch = step_ / epoch_steps_, index = step_ % epoch_steps_;
    const adze_batch& samples = batch(ADZE_SPLIT_TRAIN, epoch, index);
    const Sums sums = network_.learn(samples, reference(), loss_);
    const double loss = sums.loss / static_cast<double>(sums.samples);
    if (!std::isfinite(loss)) diverged();
    ++step_;
    change();
    if (is_final_phase()) average_.add(network_.parameters());
    recent_loss_ = step_ == 1 ? loss : recent_loss_ + 0.05 * (loss - recent_loss_);
    const bool late = options_.seconds > 0 && seconds() >= options_.seconds;
    done_ = step_ >= total_ || late;
    if (late && step_ < total_)
      log("stopped after " + std::to_string(step_) + " of " + std::to_string(total_) +
          " steps: the seconds are over");
    if (done_ && rounding_is_due()) start_rounding();
    if (done_ || step_ % epoch_steps_ == 0) end_epoch();
    report();
    save_if_due();
  }

  [[noreturn]] void diverged() const {
    char rate[32];
    std::snprintf(rate, sizeof rate, "%g", options_.learning_rate);
    throw adze::Error(ADZE_INVALID_ARGUMENT,
                      "the training diverged after " + std::to_string(step_) +
                          " steps: set a lower learning_rate (it is " + rate + ")");
  }

  void change() {
    const double rate = learning_rate();
    std::vector<Parameter>& all = network_.parameters();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool is_scale = all[i].kind == Parameter::Kind::log_scale;
      update(options_.rule, all[i].elements, all[i].gradients, all[i].keep, moments_[i], step_,
             is_scale ? rate * kShareOfScales : rate);
    }
  }

  void start_rounding() {
    const std::uint64_t batches =
        std::min<std::uint64_t>((dataset_.train_count + batch_ - 1) / batch_, kObservedBatches);
    for (std::uint64_t i = 0; i < batches; ++i) network_.observe(batch(ADZE_SPLIT_TRAIN, 0, i));
    network_.start_quantizing();
    // Adam's moments of the float phase say nothing about the rounded one's scales, which have none
    // yet; those of weights stay.
    consider(judge(), "as rounding starts");
    worse_epochs_ = 0;
  }

  Score judge() {
    Sums sums;
    consistent_ = false;  // between a step and its score, there is nothing to continue from
    const std::uint64_t held_out = std::min(dataset_.held_out_count, kMostHeldOut);
    const std::uint32_t split = held_out ? ADZE_SPLIT_HELD_OUT : ADZE_SPLIT_TRAIN;
    const std::uint64_t wanted = held_out ? held_out : std::min(dataset_.train_count, kMostHeldOut);
    for (std::uint64_t index = 0; sums.samples < wanted; ++index) {
      const adze_batch& samples = batch(split, 0, index);
      const Sums one = network_.judge(samples, reference(), loss_);
      sums.loss += one.loss;
      sums.right += one.right;
      sums.samples += one.samples;
      if (call_->host->progress(call_, fraction(), doing_.c_str())) cancel();
    }
    consistent_ = true;
    const auto count = static_cast<double>(sums.samples);
    if (!dataset_.labeled) return {-sums.loss / count, false};
    return {static_cast<double>(sums.right) / count, true};
  }

  /// That whose result is handed back.
  bool is_final_phase() const { return !options_.quantizes || network_.quantizes(); }

  void end_epoch() {
    const Score score = judge();
    if (std::isnan(score.value)) diverged();
    const double best_before = best_.value;
    consider(score, "after " + std::to_string(step_) + " steps");
    if (is_final_phase() && !average_.empty()) {
      average_.exchange(network_.parameters());
      consider(judge(), "the mean of the last steps");
      average_.exchange(network_.parameters());
    }
    worse_epochs_ = best_.value > best_before ? 0 : worse_epochs_ + 1;
    if (is_final_phase() && options_.patience && worse_epochs_ >= options_.patience && !done_) {
      log("stopped early: " + std::to_string(worse_epochs_) + " epochs without a better score");
      done_ = true;
    }
  }

  /// Keeps the state when it is the best one of the phase whose result is handed back.
  void consider(const Score& score, const std::string& when) {
    log(when + ": held out " + text_of(score) + ", training loss " + std::to_string(recent_loss_) +
        (network_.quantizes() ? ", rounded" : ""));
    last_ = score;
    if (!is_final_phase()) return;
    if (!best_state_.empty() && score.value <= best_.value) return;
    best_ = score;
    best_state_.clear();
    for (const Parameter& one : network_.parameters())
      best_state_.emplace_back(one.elements.begin(), one.elements.end());
  }

  void take_best() {
    std::vector<Parameter>& all = network_.parameters();
    for (std::size_t i = 0; i < all.size(); ++i)
      std::copy(best_state_[i].begin(), best_state_[i].end(), all[i].elements.begin());
    if (network_.quantizes()) network_.continue_quantizing();
  }

  double fraction() const { return std::min(share_done(), 1.0) * 0.999; }

  void report() {
    char text[160];
    std::snprintf(text, sizeof text, "%s, step %llu of %llu, loss %.4f",
                  network_.quantizes() ? "rounded" : "floats",
                  static_cast<unsigned long long>(step_), static_cast<unsigned long long>(total_),
                  recent_loss_);
    doing_ = text;
    if (last_.value > -std::numeric_limits<double>::infinity())
      doing_ += ", held out " + text_of(last_);
    if (call_->host->progress(call_, fraction(), doing_.c_str())) cancel();
  }

  [[noreturn]] void cancel() {
    if (!options_.checkpoint.empty() && consistent_) save(state(), options_.checkpoint);
    throw adze::HostError{ADZE_CANCELLED};
  }

  void save_if_due() {
    if (options_.checkpoint.empty()) return;
    const std::chrono::duration<double> since = Clock::now() - written_;
    if (!done_ && since.count() < options_.checkpoint_seconds) return;
    save(state(), options_.checkpoint);
    written_ = Clock::now();
  }

  Checkpoint state() {
    Checkpoint made;
    made.training = training_;
    made.counters = {{"step", step_},
                     {"done", done_},
                     {"rounds", network_.quantizes()},
                     {"worse_epochs", static_cast<std::uint64_t>(worse_epochs_)}};
    made.numbers = {{"seconds", seconds()},
                    {"recent_loss", recent_loss_},
                    {"best", best_.value},
                    {"last", last_.value}};
    const std::vector<Parameter>& all = network_.parameters();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::string name = std::to_string(i);
      made.arrays["now." + name] = {all[i].elements.begin(), all[i].elements.end()};
      made.arrays["first." + name] = moments_[i].first;
      made.arrays["second." + name] = moments_[i].second;
      if (!best_state_.empty()) made.arrays["best." + name] = best_state_[i];
      if (!average_.empty()) made.arrays["mean." + name] = average_.means()[i];
    }
    return made;
  }

  void resume() {
    if (options_.checkpoint.empty()) return;
    const auto found = load(options_.checkpoint);
    if (!found) return;
    if (found->training != training_)
      throw adze::Error(ADZE_FAILED_PRECONDITION,
                        "checkpoint '" + options_.checkpoint +
                            "' is of another training (model, samples, seed or parameters differ): "
                            "delete it or name another file");
    std::vector<Parameter>& all = network_.parameters();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::string name = std::to_string(i);
      const std::vector<float>& now = found->arrays.at("now." + name);
      if (now.size() != all[i].elements.size())
        throw adze::Error(ADZE_DATA_LOSS, "checkpoint '" + options_.checkpoint + "' does not fit");
      std::copy(now.begin(), now.end(), all[i].elements.begin());
      moments_[i] = {found->arrays.at("first." + name), found->arrays.at("second." + name)};
      if (found->arrays.contains("best." + name))
        best_state_.push_back(found->arrays.at("best." + name));
      if (found->arrays.contains("mean." + name))
        average_.means().push_back(found->arrays.at("mean." + name));
    }
    step_ = found->counters.at("step");
    done_ = found->counters.at("done") != 0;
    worse_epochs_ = static_cast<std::int64_t>(found->counters.at("worse_epochs"));
    seconds_before_ = found->numbers.at("seconds");
    recent_loss_ = found->numbers.at("recent_loss");
    best_ = {found->numbers.at("best"), dataset_.labeled != 0};
    last_ = {found->numbers.at("last"), dataset_.labeled != 0};
    if (found->counters.at("rounds")) network_.continue_quantizing();
    log("continues after " + std::to_string(step_) + " of " + std::to_string(total_) +
        " steps, from '" + options_.checkpoint + "'");
  }

  void write_edits() {
    for (const Parameter& one : network_.parameters()) {
      if (one.kind != Parameter::Kind::constant) continue;
      const std::vector<float> contents = network_.contents(one);
      const adze_tensor tensor =
          adze::with_contents(*call_->graph->values[one.value]->constant, contents);
      for (const float element : contents)
        if (!std::isfinite(element)) diverged();
      adze::check(call_->edit->set_constant(call_, one.value, &tensor));
    }
    for (const Quantized& one : network_.quantized()) {
      const adze_quant quant = {.struct_size = sizeof quant,
                                .flags = 0,
                                .axis = one.axis,
                                .code = one.code,
                                .bits = static_cast<std::uint8_t>(one.bits),
                                .reserved = 0,
                                .count = one.scales.size(),
                                .scale = one.scales.data(),
                                .zero_point = one.code == ADZE_UINT ? &one.zero_point : nullptr};
      adze::check(call_->edit->set_quant(call_, one.value, &quant));
    }
  }

  adze_call* call_;
  Options options_;
  const adze_dataset& dataset_;
  ptq::Plan plan_;
  Network network_;
  std::vector<Moments> moments_;
  Average average_;
  Loss loss_;
  std::uint32_t batch_ = 1;
  std::uint64_t epoch_steps_ = 1, total_ = 1, float_steps_ = 0, step_ = 0, training_ = 0;
  bool done_ = false, consistent_ = true;
  std::int64_t worse_epochs_ = 0;
  double recent_loss_ = 0, seconds_before_ = 0;
  Score best_, last_;
  std::vector<std::vector<float>> best_state_;
  Clock::time_point begin_, written_;
  std::string doing_ = "starts";
};

}  // namespace

void train(adze_call* call) {
  const ThreadCount threads(call->threads);
  const KeptMemory memory;
  Trainer(call).run();
}

}  // namespace qat
