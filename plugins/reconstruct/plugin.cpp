// adze.prune.reconstruct: prunes so that each layer answers its calibration inputs as before, as
// far as the weights that stay can: masks by ADMM, weights by exact least squares.
#include <adze/ext/calibration.h>

#include <adze/adze.hpp>
#include <string_view>
#include <vector>

#include "plugins/reconstruct/reconstructor.hpp"

namespace reconstruct {
namespace {

enum { kSparsity, kPattern, kMasks, kFast, kSequential, kDamping, kSamples, kPasses };

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
              0, 0, 1e6)};

adze_status prune(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    const Goal goal =
        pruning::parse_goal(call->arguments[kSparsity]->f64[0], call->arguments[kPattern]->text[0]);
    Options options;
    options.layer.search = call->arguments[kFast]->i64[0] != 0 ? Search::sweep : Search::admm;
    options.layer.damping = call->arguments[kDamping]->f64[0];
    options.sequential = call->arguments[kSequential]->i64[0] != 0;
    options.samples = call->arguments[kSamples]->i64[0];
    options.passes = call->arguments[kPasses]->i64[0];
    options.masks = call->arguments[kMasks]->text[0];
    const std::vector<Layer> layers = pruning::layers_of(*call->graph);
    const std::vector<Goal> goals(layers.size(), goal);
    Reconstructor(call, layers, options).prune(goals);
  });
}

constexpr const char* kNeeds[] = {ADZE_CALIBRATION, nullptr};
constexpr adze_pruner kPruner = {sizeof(adze_pruner), 0, prune};
constexpr adze_component kComponent =
    adze::component("adze.prune.reconstruct",
                    "Prunes so that layers answer as before: ADMM masks, exact least squares.",
                    kParams, kNeeds, &kPruner);
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin = {
    sizeof(adze_plugin), ADZE_ABI_MINOR, 0,          1, "adze.reconstruct", "0.1.0",
    "The Adze authors",  "Apache-2.0",   kComponents};

}  // namespace
}  // namespace reconstruct

const adze_plugin* adze_plugin_v1(void) noexcept { return &reconstruct::kPlugin; }
