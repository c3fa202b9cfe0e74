// Runs a recipe: load, measure, prune, quantize, measure again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/graph/graph.hpp"
#include "host/pipeline/calibration_guard.hpp"
#include "host/pipeline/edit_records.hpp"
#include "host/pipeline/error_curves.hpp"
#include "host/pipeline/keep_on_accelerator.hpp"
#include "host/pipeline/memory_need.hpp"
#include "host/pipeline/policy.hpp"
#include "host/pipeline/recipe.hpp"
#include "host/pipeline/targets.hpp"
#include "host/pipeline/tensor_quality.hpp"
#include "host/plugin/registry.hpp"

namespace adze::host {

/// The task metric of a model on the evaluation set.
struct Measured {
  std::string metric;
  double value = 0;  ///< top-k: share 0..1
  std::string backend;
  /// Share of samples with the same top-1 as the model as loaded; nullopt without labels.
  std::optional<double> agreement;
};

/// How the model as loaded does, for runs of the same model, data and samples to share.
struct Baseline {
  Measured measured;
  std::vector<std::int64_t> predictions;  ///< by sample; empty without labels
};

struct OptimizeOptions {
  std::uint32_t threads = 1;
  std::uint32_t batch = 64;  ///< samples in one run of a backend
  std::int64_t samples = 0;  ///< of the evaluation set; 0: all
  /// Where pruners keep their error database unless the recipe says; empty: where they like.
  std::filesystem::path database;
  /// Filled by the first run and read by the later ones; NULL: each evaluates for itself.
  std::optional<Baseline>* baseline = nullptr;
  /// Called often; `fraction` is that of the step. True: stop.
  std::function<bool(const std::string& step, double fraction, const std::string& doing)> progress;
};

/// What became of something that the recipe says of a stage. What is refused is an error.
struct GivenOption {
  std::string name, value;
  bool applied = true;
  std::string by;      ///< the component, or "adze"
  std::string reason;  ///< why it had no effect
};

struct StageResult {
  std::string use;
  Measured measured;    ///< after this stage
  double sparsity = 0;  ///< zeros among all Conv, Gemm and MatMul weights left after this stage
  double target_sparsity = 0;  ///< zeros among the weights of this stage's target layers
  std::vector<Excluded> excluded;
  std::vector<GivenOption> options;
  std::optional<PolicyReport> policy;  ///< of `use = "auto"` and `fallback = true`
};

/// One node of the model, before and after.
struct LayerChange {
  std::string name, op, unit, reason;  ///< reason: why not on DRP-AI; empty when it is
  std::optional<double> sparsity;      ///< of nodes with a weight
  double before_ms = 0, after_ms = 0;  ///< predicted
  std::uint32_t piece = 0;        ///< nodes of one unit that run together have one number, in order
  std::uint32_t handed_over = 0;  ///< results that the other unit reads
};

struct StepTime {
  std::string name;
  double seconds = 0;
};

struct OptimizeResult {
  std::string model, board_type;  ///< model: file name
  std::uint64_t seed = 0;
  Measured baseline, optimized;
  std::vector<StageResult> stages;
  double sparsity = 0;
  std::vector<LeavingNode> rewrites;  ///< applied before the first stage
  std::optional<MemoryNeed> memory;   ///< of the result
  std::vector<LayerChange> layers;
  std::vector<ErrorCurve>
      error_curves;                    ///< of the pruned layers, in the graph's order; may be empty
  double before_ms = 0, after_ms = 0;  ///< predicted latency of the whole model
  std::uint64_t before_bytes = 0;
  std::int64_t before_parameters = 0, after_parameters = 0;  ///< removed channels are gone
  std::optional<CalibrationCheck> calibration;               ///< when a stage quantizes
  std::optional<QuantizationQuality> quantization;           ///< of a quantized result
  std::vector<EditRecord> edits;
  std::vector<StepTime> times;
  std::vector<std::string> warnings;
  std::optional<double> max_drop;
  double drop = 0;     ///< percentage points of the metric that were lost; negative: gained
  bool passed = true;  ///< drop <= max_drop, or no max_drop
  Graph graph;
  std::vector<std::byte> onnx;  ///< `graph` as a file
};

/// Errors: INVALID_ARGUMENT (with the place in the recipe where there is one) for a component that
/// is neither pruner nor quantizer or not for the board type, and for arguments it does not take;
/// NOT_FOUND for a component or board type; CANCELLED; those of loading, datasets and plugins. An
/// accuracy below what [accept] allows is no error: see `passed`.
OptimizeResult optimize(const Recipe& recipe, const Registry& registry,
                        const OptimizeOptions& options);

}  // namespace adze::host
