// adze.prune.reconstruct: prunes so that each layer answers its calibration inputs as before, as
// far as the weights that stay can: masks by ADMM, weights by exact least squares.
#include <adze/ext/calibration.h>

#include <adze/adze.hpp>
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/reconstruct/allocation_search.hpp"
#include "plugins/reconstruct/reconstructor.hpp"

namespace reconstruct {
namespace {

enum {
  kSparsity,
  kPattern,
  kMasks,
  kFast,
  kSequential,
  kDamping,
  kSamples,
  kPasses,
  kAllocation,
  kBudget,
  kSizeBytes,
  kLatencyMs,
  kLevels,
  kDatabase,
  kTuning
};

constexpr const char* kMethods[] = {"auto", "error", "uniform", "erk", "global", nullptr};
constexpr const char* kBudgets[] = {"sparsity", "size", "latency", nullptr};

constexpr adze_param kParams[] = {
    adze::f64(
        "sparsity",
        "Share of the weights to prune, 0 up to but not 1; -1: not said, which is 0.7 or what the "
        "pattern N:M gives.",
        pruning::kNotSaid, pruning::kNotSaid, 1),
    adze::text("pattern",
               "N:M keeps at most N weights of each M (2 to 16) consecutive input channels at one "
               "kernel position; :M lets N follow from the sparsity; 1xK and Kx1 prune K "
               "consecutive input channels or outputs together; empty: no pattern.",
               ""),
    {sizeof(adze_param), ADZE_PATH, 0, "masks",
     "Folder with masks to use instead of searching: NODE.npy, of the weight's shape, 0 = pruned "
     "('/' in a node's name is '_').",
     0, 0, 0, nullptr, nullptr},
    adze::flag("fast",
               "Choose masks column by column instead of by ADMM: faster, and about twice the "
               "layer error.",
               false),
    adze::flag(
        "sequential",
        "Fit each layer to what its block answered before anything was pruned, from what the "
        "pruned layers before it deliver; a correction is kept where it lowers the error on "
        "calibration samples held out. Off: each layer for itself, one pass over the "
        "samples.",
        true),
    adze::f64("damping",
              "Pull towards the weights as they were, as a share of the inputs' mean power.", 1e-3,
              0, 10),
    adze::i64("samples", "Use at most so many calibration samples; 0: all.", 0, 0, 1e9),
    adze::i64("passes",
              "Most passes over the samples with `sequential`; 0: as many as take a few minutes.",
              0, 0, 1e6),
    adze::text("allocation",
               "How sparsity is shared out over the layers: error (the least sum of their errors, "
               "searched once and kept in a database), uniform, erk (by their sizes), global (the "
               "smallest weights of all layers); auto: error, and uniform where a pattern N:M or "
               "`masks` leave no choice.",
               "auto", kMethods),
    adze::text("budget",
               "What `sparsity` limits: the weights left (sparsity), or the size on the board or "
               "the predicted latency that it would give if it were the same in every layer.",
               "sparsity", kBudgets),
    adze::f64("size_bytes",
              "Instead of `sparsity`: weights and biases of the whole model as the board type "
              "stores them; 0: not said.",
              0, 0, 1e15),
    adze::f64("latency_ms",
              "Instead of `sparsity`: predicted latency of the whole model on the board type, "
              "milliseconds; 0: not said.",
              0, 0, 1e9),
    adze::f64("levels", "Sparsities at which the error database knows each layer; empty: seven.", 0,
              0, 0.999, ADZE_PARAM_LIST),
    adze::text("database",
               "Folder that keeps the error database too, besides the user's cache; empty: the "
               "cache alone.",
               ""),
    adze::flag(
        "tuning",
        "With `sequential`: at the end, tune the weights that stay in all layers together, so "
        "that blocks and outputs answer as before; kept where that lowers the error on "
        "calibration samples held out. Models for which it would take more than about a "
        "minute go without.",
        true)};

/// What the parameters ask of the allocation. Errors: adze::Error INVALID_ARGUMENT for two budgets.
AllocationOptions allocation_of(adze_call* call, const Options& options) {
  const auto number = [&](int index) { return call->arguments[index]->f64[0]; };
  const auto is = [&](int index, const char* choice) {
    return std::string_view(call->arguments[index]->text[0]) == choice;
  };
  AllocationOptions allocation;
  allocation.method = is(kAllocation, "uniform")  ? Method::uniform
                      : is(kAllocation, "erk")    ? Method::erk
                      : is(kAllocation, "global") ? Method::global
                                                  : Method::error;
  allocation.unit = is(kBudget, "size")      ? BudgetUnit::bytes
                    : is(kBudget, "latency") ? BudgetUnit::latency_ms
                                             : BudgetUnit::weights;
  const double size_bytes = number(kSizeBytes), latency_ms = number(kLatencyMs);
  const int said = (number(kSparsity) != pruning::kNotSaid) + (size_bytes > 0) + (latency_ms > 0);
  if (said > 1)
    throw adze::Error(ADZE_INVALID_ARGUMENT,
                      "`sparsity`, `size_bytes` and `latency_ms` are each a budget: give one of "
                      "them (`budget` = \"latency\" lets a `sparsity` stand for the latency it "
                      "would give)");
  if ((size_bytes > 0 || latency_ms > 0) && !is(kBudget, "sparsity"))
    throw adze::Error(ADZE_INVALID_ARGUMENT,
                      "`budget` says what a `sparsity` limits; leave it out beside `size_bytes` or "
                      "`latency_ms`");
  if (size_bytes > 0) allocation.unit = BudgetUnit::bytes;
  if (latency_ms > 0) allocation.unit = BudgetUnit::latency_ms;
  allocation.budget = std::max(size_bytes, latency_ms);
  const adze_property& levels = *call->arguments[kLevels];
  allocation.levels.assign(levels.f64, levels.f64 + levels.count);
  allocation.database = call->arguments[kDatabase]->text[0];
  allocation.samples = options.samples;
  allocation.layer = options.layer;
  allocation.layer.exchange = 0;  // levels are compared, and all gain alike
  return allocation;
}

/// Errors: adze::Error INVALID_ARGUMENT for an allocation or a budget where there is nothing to
/// share out.
void refuse_without_choice(adze_call* call, const Goal& goal, std::string_view pattern) {
  const bool has_masks = *call->arguments[kMasks]->text[0] != 0;
  const bool is_fixed = goal.group > 0 && !pattern.starts_with(':');
  if (!has_masks && !is_fixed) return;
  const std::string_view method = call->arguments[kAllocation]->text[0];
  const std::string_view unit = call->arguments[kBudget]->text[0];
  const std::string why = has_masks
                              ? "`masks` say already how far each layer is pruned"
                              : "pattern \"" + std::string(pattern) + "\" prunes every layer alike";
  const std::string instead =
      has_masks
          ? "leave it out"
          : "leave it out, or give a `sparsity` and the pattern \":" + std::to_string(goal.group) +
                "\", which lets N differ by layer";
  if (method != "auto" && method != "uniform")
    throw adze::Error(ADZE_INVALID_ARGUMENT, "`allocation` = \"" + std::string(method) +
                                                 "\" has nothing to share out: " + why + "; " +
                                                 instead);
  for (const int budget : {kSizeBytes, kLatencyMs})
    if (call->arguments[budget]->f64[0] > 0)
      throw adze::Error(ADZE_INVALID_ARGUMENT, "`" + std::string(call->arguments[budget]->name) +
                                                   "` cannot be met: " + why + "; " + instead);
  if (unit != "sparsity")
    throw adze::Error(ADZE_INVALID_ARGUMENT, "`budget` = \"" + std::string(unit) +
                                                 "\" cannot be met: " + why + "; " + instead);
}

adze_status prune(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    const std::string_view pattern = call->arguments[kPattern]->text[0];
    const Goal goal = pruning::parse_goal(call->arguments[kSparsity]->f64[0], pattern);
    Options options;
    options.layer.search = call->arguments[kFast]->i64[0] != 0 ? Search::sweep : Search::admm;
    options.layer.damping = call->arguments[kDamping]->f64[0];
    options.sequential = call->arguments[kSequential]->i64[0] != 0;
    options.tuning = call->arguments[kTuning]->i64[0] != 0;
    options.samples = call->arguments[kSamples]->i64[0];
    options.passes = call->arguments[kPasses]->i64[0];
    options.masks = call->arguments[kMasks]->text[0];
    const std::vector<Layer> layers = pruning::layers_of(*call->graph);
    const AllocationOptions allocation = allocation_of(call, options);
    refuse_without_choice(call, goal, pattern);
    Progress progress(call);
    Reconstructor reconstructor(call, layers, options, goal, progress);
    // Masks of the user have their sparsity already.
    const std::vector<Goal> goals =
        options.masks.empty()
            ? choose_goals(call, layers, goal, pattern.starts_with(':'), allocation, progress)
            : std::vector<Goal>(layers.size(), goal);
    reconstructor.prune(goals);
  });
}

constexpr const char* kNeeds[] = {ADZE_CALIBRATION, nullptr};
constexpr adze_pruner kPruner = {sizeof(adze_pruner), 0, prune};
constexpr adze_component kComponent =
    adze::component("adze.prune.reconstruct",
                    "Prunes so that layers answer as before: ADMM masks, exact least squares.",
                    kParams, kNeeds, &kPruner);
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin =
    adze::plugin("adze.reconstruct", "0.1.0", "The Adze authors", "Apache-2.0", kComponents);

}  // namespace
}  // namespace reconstruct

const adze_plugin* adze_plugin_v1(void) noexcept { return &reconstruct::kPlugin; }
