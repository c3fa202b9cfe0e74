#include "plugins/channel/pruner.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "plugins/channel/allocation.hpp"
#include "plugins/channel/correction.hpp"
#include "plugins/channel/model.hpp"
#include "plugins/channel/ranking.hpp"
#include "plugins/channel/samples.hpp"
#include "plugins/channel/weights.hpp"

namespace channel {
namespace {

/// Multiply-accumulates that trials may take together, and the fewest samples that tell something.
constexpr double kMostTrialMacs = 4e12;
constexpr double kFewestTrialSamples = 16;
constexpr std::size_t kMeasuredLevels = 6;
// Shares of the progress.
constexpr double kRanked = 0.3, kMeasured = 0.45, kAllocated = 0.65;

std::string percent(double share) {
  const std::string tenths = std::to_string(std::lround(share * 1000));
  return (tenths.size() > 1 ? tenths.substr(0, tenths.size() - 1) : "0") + "." + tenths.back() +
         " %";
}

class Pruner {
 public:
  Pruner(adze_call* call, const Options& options)
      : call_(call), options_(options), model_(read_model(call, options.multiple)) {}

  void prune() {
    choose_counts();
    set_budget();
    ranking_ = rank_channels(
        call_, options_, model_, choices_,
        [&](double share, const char* doing) { adze::progress(call_, kRanked * share, doing); });
    const Counts leaving = allocate_channels();
    const Leaving channels = channels_of(leaving);
    const std::vector<Remains> remains = remains_of(model_, channels);
    if (options_.refit) {
      Weights weights(call_, model_);
      take_over(leaving, weights);
      correct(call_, model_, remains,
              {.damping = options_.damping, .sequential = options_.sequential}, weights,
              [&](double share, const char* doing) {
                adze::progress(call_, kAllocated + (1 - kAllocated) * share, doing);
              });
    }
    for (std::size_t g = 0; g < channels.size(); ++g)
      if (!channels[g].empty())
        adze::check(call_->edit->remove_channels(call_, static_cast<std::uint32_t>(g),
                                                 channels[g].data(), channels[g].size()));
    report(leaving);
    adze::progress(call_, 1, "pruned");
  }

 private:
  void log(std::int32_t level, const std::string& text) const {
    call_->host->log(call_, level, text.c_str());
  }

  /// What each group may lose: all that leaves a multiple.
  void choose_counts() {
    bool any = false;
    std::uint32_t largest_group = 0;
    for (const Group& group : model_.groups) {
      Choices choices{.leaving = {0}, .error = {0}};
      std::uint32_t left = (group.channels - 1) / group.multiple * group.multiple;
      for (; left > 0; left -= group.multiple) choices.leaving.push_back(group.channels - left);
      any = any || choices.leaving.size() > 1;
      largest_group = std::max(largest_group, group.channels);
      choices_.push_back(std::move(choices));
    }
    if (!any)
      throw adze::Error(options_.multiple ? ADZE_INVALID_ARGUMENT : ADZE_FAILED_PRECONDITION,
                        "no channel can leave: what stays must be a multiple of " +
                            std::to_string(model_.groups.front().multiple) +
                            ", and the largest of the " + std::to_string(model_.groups.size()) +
                            " groups has " + std::to_string(largest_group) +
                            " channels; set a smaller `multiple`");
  }

  void set_budget() {
    macs_ = model_.cost.of(Counts(model_.groups.size(), 0));
    const bool by_channels = options_.channels != kNotSaid;
    if (by_channels && options_.macs != kNotSaid)
      throw adze::Error(ADZE_INVALID_ARGUMENT,
                        "`macs` and `channels` both say how much leaves; give one of them");
    for (const double share : {options_.macs, options_.channels})
      if (share != kNotSaid && !(share >= 0 && share < 1))
        throw adze::Error(
            ADZE_INVALID_ARGUMENT,
            "`macs` and `channels` are shares of what leaves, from 0 up to but not 1");
    if (by_channels) model_.cost = channel_cost();
    all_ = model_.cost.of(Counts(model_.groups.size(), 0));
    const double least = model_.cost.of(largest(choices_));
    const double most_gone = all_ > 0 ? 1 - least / all_ : 0;
    double wanted = by_channels ? options_.channels : options_.macs;
    if (wanted == kNotSaid) {
      wanted = kDefaultMacs;
      if (wanted > most_gone) {
        log(ADZE_LOG_WARNING, percent(wanted) + " of the multiply-accumulates cannot leave; " +
                                  percent(most_gone) + " do");
        wanted = most_gone;
      }
    } else if (wanted > most_gone) {
      throw adze::Error(
          ADZE_INVALID_ARGUMENT,
          std::string(by_channels ? "`channels` = " : "`macs` = ") + percent(wanted) +
              " cannot be reached: from 0 to " + percent(most_gone) +
              (by_channels ? " of the channels" : " of the multiply-accumulates") +
              " can leave when each group keeps a multiple of what it must; `include` more layers, "
              "or set a smaller `multiple`");
    }
    budget_ = all_ * (1 - wanted) * (1 + 1e-12);
  }

  /// A channel costs 1.
  Cost channel_cost() const {
    Cost cost;
    for (std::uint32_t g = 0; g < model_.groups.size(); ++g)
      cost.layers.push_back(
          {.macs_of_weight = 1,
           .axes = {{.size = model_.groups[g].channels, .shares = {{.group = g, .span = 1}}}}});
    return cost;
  }

  Counts allocate_channels() {
    if (options_.allocation == Allocation::uniform)
      return allocate_uniformly(choices_, model_.cost, budget_);
    if (!ranking_.keeps_trials) return allocate(choices_, model_.cost, budget_);
    const Split split(adze::need<adze_calibration>(call_, ADZE_CALIBRATION).sample_count);
    double measured = 0;
    for (const auto& levels : ranking_.levels)
      measured += static_cast<double>(std::min(levels.size(), kMeasuredLevels));
    const double runs = measured + static_cast<double>(options_.trials);
    const double samples = std::min(kMostTrialMacs / runs / std::max(macs_, 1.0),
                                    static_cast<double>(split.judging.count));
    if (samples < std::min(kFewestTrialSamples, static_cast<double>(split.judging.count))) {
      log(ADZE_LOG_INFO,
          "the model is too large to try allocations: they follow from the error of "
          "the layers that read the channels");
      return allocate(choices_, model_.cost, budget_);
    }
    const Judge judge(call_, {split.judging.first, static_cast<std::uint64_t>(samples)});
    Weights weights(call_, model_);
    const auto loss = [&](const Counts& leaving) {
      weights.reset();
      take_over(leaving, weights);
      weights.clear(remains_of(model_, channels_of(leaving)));
      weights.hand_over();
      return judge.loss();
    };
    const std::vector<Choices> told = measure(loss);
    std::vector<Counts> starts = {allocate(told, model_.cost, budget_),
                                  allocate(choices_, model_.cost, budget_)};
    double best = std::numeric_limits<double>::infinity();
    Counts chosen = starts.front();
    for (const Counts& start : starts)
      if (const double now = loss(start); now < best) best = now, chosen = start;
    double done = 0;
    chosen = improve(told, model_.cost, budget_, chosen, best, static_cast<int>(options_.trials),
                     [&](const Counts& leaving) {
                       adze::progress(call_,
                                      kMeasured + (kAllocated - kMeasured) * done++ /
                                                      static_cast<double>(options_.trials + 1),
                                      "trying allocations");
                       return loss(leaving);
                     });
    weights.reset();
    weights.hand_over();
    return chosen;
  }

  /// What the model's answers lose with each group pruned alone, at all its choices: measured at
  /// some, and between them in proportion to the readers' error.
  std::vector<Choices> measure(const std::function<double(const Counts&)>& loss) const {
    constexpr double kTiny = 1e-9;
    std::vector<Choices> told = choices_;
    for (std::size_t g = 0; g < told.size(); ++g) {
      adze::progress(call_,
                     kRanked + (kMeasured - kRanked) * static_cast<double>(g) /
                                   static_cast<double>(told.size()),
                     model_.groups[g].name.c_str());
      if (ranking_.levels[g].empty()) continue;
      const std::vector<std::uint32_t> levels = thinned(ranking_.levels[g], kMeasuredLevels);
      std::vector<double> ratios;  // by level, as logarithms
      for (const std::uint32_t level : levels) {
        Counts leaving(told.size(), 0);
        leaving[g] = level;
        ratios.push_back(
            std::log((loss(leaving) + kTiny) / (ranking_.removals[g].error[level] + kTiny)));
      }
      for (std::size_t i = 1; i < told[g].leaving.size(); ++i) {
        const std::uint32_t leaving = told[g].leaving[i];
        const auto above =
            static_cast<std::size_t>(std::ranges::lower_bound(levels, leaving) - levels.begin());
        const std::size_t below = above ? above - 1 : 0;
        const double low = levels[below], high = levels[above];
        const double part = high > low ? std::clamp((leaving - low) / (high - low), 0.0, 1.0) : 1.0;
        told[g].error[i] = (ranking_.removals[g].error[leaving] + kTiny) *
                           std::exp(ratios[below] * (1 - part) + ratios[above] * part);
      }
    }
    return told;
  }

  /// Readers take over what leaves.
  void take_over(const Counts& leaving, Weights& weights) const {
    for (std::size_t g = 0; g < leaving.size(); ++g) {
      if (leaving[g] == 0 || ranking_.removals[g].weights.empty()) continue;
      const auto level =
          std::ranges::lower_bound(ranking_.levels[g], leaving[g]) - ranking_.levels[g].begin();
      const auto& of_readers = ranking_.removals[g].weights[static_cast<std::size_t>(level)];
      for (std::size_t r = 0; r < of_readers.size(); ++r) {
        if (of_readers[r].size() == 0) continue;
        const std::size_t layer = model_.groups[g].readings[r].layer;
        // A layer may read channels of several groups.
        weights.set(layer,
                    weights.of(layer) + of_readers[r].cast<double>() - model_.layers[layer].weight);
      }
    }
  }

  Leaving channels_of(const Counts& leaving) const {
    Leaving channels;
    for (std::size_t g = 0; g < leaving.size(); ++g) {
      const auto& order = ranking_.removals[g].order;
      channels.emplace_back(order.begin(), order.begin() + leaving[g]);
      std::ranges::sort(channels.back());
    }
    return channels;
  }

  void report(const Counts& leaving) const {
    for (std::size_t g = 0; g < leaving.size(); ++g)
      if (leaving[g])
        log(ADZE_LOG_INFO, "'" + model_.groups[g].name + "': " +
                               std::to_string(model_.groups[g].channels - leaving[g]) + " of " +
                               std::to_string(model_.groups[g].channels) + " channels stay");
    log(ADZE_LOG_INFO,
        percent(1 - model_.cost.of(leaving) / std::max(all_, 1.0)) +
            (options_.channels != kNotSaid ? " of the channels" : " of the multiply-accumulates") +
            " leave");
  }

  adze_call* call_;
  Options options_;
  Model model_;
  std::vector<Choices> choices_;  // with what the readers lose
  Ranking ranking_;
  double all_ = 0, budget_ = 0, macs_ = 0;
};

}  // namespace

void prune_channels(adze_call* call, const Options& options) { Pruner(call, options).prune(); }

}  // namespace channel
