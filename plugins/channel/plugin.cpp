// adze.prune.channel: whole channels leave a model, which is smaller and faster on every target
// then. What other channels can stand in for leaves first, and what stays is fitted to the answers
// of the model as it was.
#include <adze/ext/draft/structure.h>

#include <adze/adze.hpp>
#include <string_view>

#include "plugins/channel/pruner.hpp"

namespace channel {
namespace {

enum { kMacs, kChannels, kMultiple, kScore, kAllocation, kTrials, kRefit, kSequential, kDamping };

constexpr const char* kScores[] = {"reconstruction", "norm", nullptr};
constexpr const char* kAllocations[] = {"search", "error", "uniform", nullptr};

constexpr adze_param kParams[] = {
    adze::f64("macs",
              "Share of the model's multiply-accumulates to remove, 0 up to but not 1; -1: not "
              "said, which is 0.5 or what `channels` gives.",
              kNotSaid, kNotSaid, 1),
    adze::f64("channels",
              "Share of the channels that may leave to remove, in place of `macs`; -1: not said.",
              kNotSaid, kNotSaid, 1),
    adze::i64("multiple",
              "The channels left in each layer are a multiple of this; 0: what the board type says "
              "(channels.multiple), or any number.",
              0, 0, 4096),
    adze::text("score",
               "By what a channel is ranked: the error that the layers reading it cannot make up "
               "for, or the norm of their weights.",
               "reconstruction", kScores),
    adze::text("allocation",
               "How many channels leave each group: what trials find best for the model's answers, "
               "what the readers' errors say, or the same share.",
               "search", kAllocations),
    adze::i64("trials", "Allocations to try beyond the first, with `search`.", 64, 0, 10000),
    adze::flag("refit",
               "Fit what stays to the answers of the model as it was, on the calibration samples.",
               true),
    adze::flag("sequential",
               "Fit each layer from the inputs that the layers before it now deliver, and keep the "
               "fit where held-out samples agree; off: from the inputs as they were.",
               true),
    adze::f64("damping",
              "Pull of the fit towards the weights as they were, as a share of the inputs' mean "
              "power.",
              1e-3, 0, 10)};

adze_status prune(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    const auto number = [&](int i) { return call->arguments[i]->f64[0]; };
    const auto integer = [&](int i) { return call->arguments[i]->i64[0]; };
    const std::string_view allocation = call->arguments[kAllocation]->text[0];
    const bool by_norm = std::string_view(call->arguments[kScore]->text[0]) == "norm";
    prune_channels(call, {.macs = number(kMacs),
                          .channels = number(kChannels),
                          .multiple = integer(kMultiple),
                          .score = by_norm ? Score::norm : Score::reconstruction,
                          .allocation = allocation == "uniform" ? Allocation::uniform
                                        : allocation == "error" ? Allocation::error
                                                                : Allocation::search,
                          .trials = integer(kTrials),
                          .refit = integer(kRefit) != 0,
                          .sequential = integer(kSequential) != 0,
                          .damping = number(kDamping)});
  });
}

// The calibration service is not in `needs`: by norm and without a refit it goes without samples.
constexpr const char* kNeeds[] = {ADZE_STRUCTURE, nullptr};
constexpr adze_pruner kPruner = {sizeof(adze_pruner), 0, prune};
constexpr adze_component kComponent = adze::component(
    "adze.prune.channel", "Removes whole channels and fits what stays.", kParams, kNeeds, &kPruner);
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin =
    adze::plugin("adze.channel", "0.1.0", "The Adze authors", "Apache-2.0", kComponents);

}  // namespace
}  // namespace channel

const adze_plugin* adze_plugin_v1(void) noexcept { return &channel::kPlugin; }
