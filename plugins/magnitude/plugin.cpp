// adze.prune.magnitude: small weights leave; what stays is refitted, layer by layer, so that each
// layer answers its calibration inputs as before. Without the refit, 70 % costs a small residual
// network about 15 points of top-1, with it less than one.
#include <adze/adze.hpp>
#include <string>
#include <vector>

#include "plugins/magnitude/layer_pruner.hpp"

namespace magnitude {
namespace {

enum { kSparsity, kPattern, kScore, kRefit, kSteps, kDamping, kSequential };

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
        pruning::kNotSaid, pruning::kNotSaid, 1),
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
    adze::i64("steps",
              "Prune in this many steps, each with a refit, after which other weights are small.",
              4, 1, 64),
    adze::f64("damping",
              "Pull of the refit towards the weights as they were, as a share of the inputs' mean "
              "power.",
              1e-3, 0, 10),
    flag("sequential",
         "Fit each layer to what it answered before anything was pruned, from the inputs that the "
         "pruned layers before it deliver; off: from the inputs as they were.",
         true)};

adze_status prune(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    const Goal goal =
        pruning::parse_goal(call->arguments[kSparsity]->f64[0], call->arguments[kPattern]->text[0]);
    const Options options = {
        .by_activation = std::string_view(call->arguments[kScore]->text[0]) == "activation",
        .refit = call->arguments[kRefit]->i64[0] != 0,
        .steps = call->arguments[kSteps]->i64[0],
        .damping = call->arguments[kDamping]->f64[0],
        .sequential = call->arguments[kSequential]->i64[0] != 0};
    const std::vector<Layer> layers = pruning::layers_of(*call->graph);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const char* name = call->graph->nodes[layers[i].node]->name;
      adze::progress(call, static_cast<double>(i) / static_cast<double>(layers.size()), name);
      try {
        LayerPruner(call, layers[i], options).prune(goal);
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
constexpr adze_plugin kPlugin =
    adze::plugin("adze.magnitude", "0.1.0", "The Adze authors", "Apache-2.0", kComponents);

}  // namespace
}  // namespace magnitude

const adze_plugin* adze_plugin_v1(void) noexcept { return &magnitude::kPlugin; }
