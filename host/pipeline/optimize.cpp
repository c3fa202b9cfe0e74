#include "host/pipeline/optimize.hpp"

#include <adze/ext/draft/structure.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <span>
#include <string_view>

#include "host/abi/backend.hpp"
#include "host/base/error.hpp"
#include "host/base/log.hpp"
#include "host/evaluate/evaluate.hpp"
#include "host/graph/precision.hpp"
#include "host/graph/simplify.hpp"
#include "host/graph/statistics.hpp"
#include "host/onnx/model.hpp"
#include "host/pipeline/board_type.hpp"
#include "host/pipeline/edit_records.hpp"
#include "host/pipeline/latency.hpp"
#include "host/pipeline/pruning_gain.hpp"
#include "host/pipeline/quantize_stage.hpp"
#include "host/pipeline/sample_sets.hpp"
#include "host/pipeline/stage_services.hpp"
#include "host/pipeline/stages.hpp"

namespace adze::host {
namespace {

constexpr const char* kFloatBackend = "adze.cpu";
constexpr const char* kIntegerBackend = "adze.drpai";
constexpr std::int64_t kGridSamples = 128;  ///< that the figures of the grids rest on

std::optional<double> share_of_equal(const std::vector<std::int64_t>& a,
                                     const std::vector<std::int64_t>& b) {
  if (a.empty() || a.size() != b.size()) return std::nullopt;
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0, std::plus<>(), std::equal_to<>()) /
         static_cast<double>(a.size());
}

bool needs_structure(const Component& component) {
  for (const char* const* id = component.component->needs; id && *id; ++id)
    if (std::string_view(*id) == ADZE_STRUCTURE) return true;
  return false;
}

class Optimizer {
 public:
  Optimizer(const Recipe& recipe, const Registry& registry, const OptimizeOptions& options)
      : recipe_(recipe),
        registry_(registry),
        options_(options),
        stages_(resolve_stages(recipe, registry)),
        target_(load_target(recipe.board_type)) {
    result_.model = recipe.model.filename();
    result_.board_type = recipe.board_type;
    result_.seed = recipe.seed;
    result_.max_drop = recipe.max_drop;
  }

  OptimizeResult run() {
    timed("load", [&] { load(); });
    check_memory();
    timed("predict", [&] { before_ = predict(integer_backend(), graph_, call("predict")); });
    result_.before_ms = before_.total_ms;
    timed("evaluate baseline", [&] { evaluate_baseline(); });
    if (recipe_.rewrite) timed("rewrite", [&] { rewrite(); });
    check_calibration_set();
    for (const Stage& stage : stages_) run_stage(stage);
    finish();
    return std::move(result_);
  }

 private:
  template <class Work>
  void timed(const std::string& step, Work&& work) {
    const auto begin = std::chrono::steady_clock::now();
    report(step, 0, "");
    work();
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
    result_.times.push_back({step, passed.count()});
    report(step, 1, "");
  }

  bool report(const std::string& step, double fraction, const std::string& doing) {
    if (!options_.progress || !options_.progress(step, fraction, doing)) return false;
    throw Error(ADZE_CANCELLED, step + ": stopped");
  }

  CallOptions call(const std::string& step) {
    CallOptions made{
        .threads = options_.threads, .seed = recipe_.seed, .target = target_.get(), .progress = {}};
    if (options_.progress)
      made.progress = [this, step](double fraction, const std::string& doing) {
        return options_.progress(step, fraction, doing);
      };
    return made;
  }

  Component integer_backend() const { return registry_.find(kIntegerBackend); }
  Component backend_for(const Graph& graph) const {
    return registry_.find(is_quantized(graph) ? kIntegerBackend : kFloatBackend);
  }

  void load() {
    graph_ = load_model(recipe_.model);
    simplify(graph_);
    dense_ = graph_;
    result_.before_bytes = std::filesystem::file_size(recipe_.model);
    const std::vector<InputSpec> inputs = input_specs(graph_);
    evaluation_ = open_dataset(recipe_.data, inputs);
    samples_ = std::make_unique<SampleSets>(recipe_, inputs);
  }

  std::optional<MemoryNeed> count_memory(const Graph& graph) const {
    CallOptions quiet{.threads = options_.threads, .seed = recipe_.seed, .target = target_.get()};
    return memory_need(graph, place(integer_backend(), {}, graph, quiet),
                       load_facts(recipe_.board_type));
  }

  /// Weights may leave, results do not: a model that is too large without weights stays so.
  void check_memory() const {
    std::optional<MemoryNeed> need = count_memory(graph_);
    if (!need) return;
    need->weight_bytes = 0;
    require_fit(*need, result_.model, recipe_.board_type);
  }

  void rewrite() {
    CallOptions quiet = call("");
    quiet.progress = {};
    KeptOnAccelerator kept = keep_on_accelerator(integer_backend(), graph_, quiet, Weights::exact);
    for (LeavingNode& node : kept.leaving)
      if (node.helps) result_.rewrites.push_back(std::move(node));
    if (result_.rewrites.empty()) return;
    graph_ = std::move(kept.graph);
    dense_ = graph_;
    before_ = predict(integer_backend(), graph_, quiet);
  }

  void evaluate_baseline() {
    std::optional<Baseline>* shared = options_.baseline;
    if (shared && *shared) {
      result_.baseline = (*shared)->measured;
      loaded_predictions_ = (*shared)->predictions;
      return;
    }
    result_.baseline = measure(graph_, "evaluate baseline");
    if (shared) *shared = Baseline{result_.baseline, loaded_predictions_};
  }

  void check_calibration_set() {
    const bool quantizes = std::ranges::any_of(stages_, [](const Stage& stage) {
      return stage.component.kind() == ComponentKind::quantizer;
    });
    if (!quantizes || !samples_->calibration()) return;
    timed("check calibration set", [&] {
      result_.calibration =
          check_calibration(graph_, *samples_->calibration(), samples_->collected(), *evaluation_);
    });
    for (const std::string& warning : result_.calibration->warnings)
      result_.warnings.push_back("calibration samples: " + warning);
  }

  std::unique_ptr<Runner> runner_for(const Graph& graph) {
    const Component backend = backend_for(graph);
    CallOptions quiet = call("");
    quiet.progress = {};
    return std::make_unique<BackendRunner>(backend, Settings{}, graph, backend.component->id, quiet,
                                           CompileOptions{.batch = options_.batch});
  }

  Measured measure(const Graph& graph, const std::string& step) {
    const std::string metric = metric_of(recipe_.data, *evaluation_);
    const std::unique_ptr<Runner> runner = runner_for(graph);
    std::unique_ptr<Runner> reference;
    if (metric == "output_error") reference = runner_for(dense_);
    const Evaluation evaluation =
        evaluate(*runner, *evaluation_, metric, options_.samples, reference.get(), options_.batch,
                 [&](double fraction) { report(step, fraction, runner->name()); });
    if (loaded_predictions_.empty()) loaded_predictions_ = evaluation.predictions;
    return {evaluation.metric, evaluation.value, runner->name(),
            share_of_equal(evaluation.predictions, loaded_predictions_)};
  }

  void run_stage(const Stage& stage) {
    const std::string use = stage.use();
    StageResult done;
    done.use = use;
    done.options = given_options(stage);
    std::vector<std::uint32_t> targets;
    timed(use, [&] {
      try {
        const Targets chosen =
            choose_targets(graph_, stage.component.kind(), stage.spec->include, stage.spec->exclude,
                           needs_structure(stage.component));
        targets = chosen.nodes;
        done.excluded = chosen.excluded;
        if (stage.component.kind() == ComponentKind::quantizer)
          quantize(stage, targets, done);
        else
          apply(stage, chosen, use);
      } catch (const PluginError&) {
        throw;
      } catch (const Error& error) {
        if (stage.spec->where.empty()) throw;
        throw Error(error.code, fmt::format("{}: {}", stage.spec->where, error.what()));
      }
    });
    ZeroCount zeros;
    for (const std::uint32_t node : targets) {
      const ZeroCount one = zeros_of(graph_, graph_.nodes[node]);
      zeros.zeros += one.zeros;
      zeros.weights += one.weights;
    }
    done.target_sparsity = zeros.sparsity();
    done.sparsity = zeros_of(graph_).sparsity();
    const std::string step = "evaluate after " + use;
    timed(step, [&] { done.measured = measure(graph_, step); });
    if (stage.component.kind() == ComponentKind::pruner) warn_if_little(done, targets);
    result_.stages.push_back(std::move(done));
  }

  void quantize(const Stage& stage, const std::vector<std::uint32_t>& targets, StageResult& done) {
    QuantizeOutcome outcome = quantize_stage(
        {.recipe = recipe_,
         .stage = stage,
         .loaded = dense_,
         .before = graph_,
         .targets = targets,
         .samples = *samples_,
         .backends = {.run = [this](const Graph& graph) { return backend_for(graph); },
                      .predict = integer_backend()},
         .metric = metric_of(recipe_.data, *evaluation_),
         .call = [this](const std::string& step) { return call(step); },
         .report = [this](const std::string& step, double fraction,
                          const std::string& doing) { report(step, fraction, doing); }});
    done.policy = std::move(outcome.policy);
    done.options = std::move(outcome.options);
    for (std::string& warning : outcome.warnings) result_.warnings.push_back(std::move(warning));
    for (StepTime& time : outcome.times) result_.times.push_back(std::move(time));
    for (EditRecord& record : outcome.candidate.records) result_.edits.push_back(std::move(record));
    if (!is_quantized(graph_)) unquantized_ = graph_;
    graph_ = std::move(outcome.candidate.graph);
  }

  void apply(const Stage& stage, const Targets& chosen, const std::string& use) {
    const std::vector<std::uint32_t>& targets = chosen.nodes;
    const CallOptions options = call(use);
    const StageServices services(dense_, graph_, targets, *samples_,
                                 {.run = [this](const Graph& graph) { return backend_for(graph); },
                                  .predict = integer_backend()},
                                 options);
    Settings settings = stage.settings;
    const bool has_database = keeps_database(*stage.component.component);
    if (has_database && !options_.database.empty())
      settings.try_emplace(kDatabaseParameter,
                           std::filesystem::absolute(options_.database).string());
    const auto begin = std::filesystem::file_time_type::clock::now();
    const EditList edits = run_edit_component(stage.component, settings, graph_, targets, options,
                                              services.all(), chosen.refits);
    if (has_database) read_curves(settings, begin, targets);
    append_records(edits, graph_, use, result_.edits);
    // `edits` looks at graph_ until it is committed.
    Graph edited = edits.commit(stage.pattern);
    graph_ = std::move(edited);
  }

  void read_curves(const Settings& settings, std::filesystem::file_time_type since,
                   const std::vector<std::uint32_t>& targets) {
    const auto folder = settings.find(kDatabaseParameter);
    if (folder == settings.end() || !std::holds_alternative<std::string>(folder->second)) return;
    // Times of files are coarser than the clock's.
    std::vector<ErrorCurve> found = read_error_curves(std::get<std::string>(folder->second),
                                                      since - std::chrono::milliseconds(50));
    for (const std::uint32_t node : targets)
      for (ErrorCurve& curve : found)
        if (curve.layer == graph_.nodes[node].name)
          result_.error_curves.push_back(std::move(curve));
  }

  void warn_if_little(const StageResult& done, const std::vector<std::uint32_t>& targets) {
    const ZeroCount before = zeros_of(dense_), after = zeros_of(graph_);
    const double gone = before.weights ? 1 - static_cast<double>(after.weights - after.zeros) /
                                                 static_cast<double>(before.weights)
                                       : 0.0;
    if (gone >= kWorthwhileSparsity) return;
    const std::string what = after.weights < before.weights
                                 ? "zero or gone"
                                 : fmt::format("zero ({:.1f} % in the layers it may change)",
                                               done.target_sparsity * 100);
    CallOptions quiet = call("");
    quiet.progress = {};
    const PruningGain gain =
        predict_gain(integer_backend(), dense_, targets, quiet, kTellingSparsities);
    result_.warnings.push_back(fmt::format(
        "{}: {:.1f} % of all weights are {}; below {:.0f} % a DRP-AI board gains little; {}",
        done.use, gone * 100, what, kWorthwhileSparsity * 100,
        gain_text(gain, recipe_.board_type)));
  }

  void finish() {
    timed("predict result", [&] {
      const CallOptions options = call("predict result");
      const Prediction after = predict(integer_backend(), graph_, options);
      result_.layers = compare_layers(integer_backend(), graph_, before_, after, options);
      result_.after_ms = after.total_ms;
      result_.memory = count_memory(graph_);
      if (result_.memory && !result_.memory->fits())
        result_.warnings.push_back(fmt::format(
            "the result needs {} MB of the memory area of DRP-AI on '{}': it will not load there",
            memory_text(*result_.memory), recipe_.board_type));
    });
    measure_grids();
    timed("serialize", [&] { result_.onnx = serialize_model(graph_); });
    result_.optimized = result_.stages.back().measured;
    result_.sparsity = zeros_of(graph_).sparsity();
    result_.before_parameters = parameters_of(dense_);
    result_.after_parameters = parameters_of(graph_);
    const double change = (result_.optimized.value - result_.baseline.value) * 100;
    // Rounded: a drop of 1.5 points must not fail, nor be shown as 1.4999999999999902.
    constexpr double kDigits = 1e6;
    result_.drop =
        std::round((higher_is_better(result_.baseline.metric) ? -change : change) * kDigits) /
            kDigits +
        0.0;  // no negative zero
    result_.passed = !result_.max_drop || result_.drop <= *result_.max_drop;
    result_.graph = std::move(graph_);
  }

  void measure_grids() {
    if (!is_quantized(graph_) || !samples_->calibration()) return;
    timed("measure grids", [&] {
      const auto& collected = samples_->collected();
      const auto most = static_cast<std::size_t>(
          std::clamp<std::int64_t>(most_estimate_samples(graph_) / 8, 8, kGridSamples));
      CallOptions quiet = call("measure grids");
      quiet.progress = {};
      result_.quantization = measure_quality(
          graph_, unquantized_, *samples_->calibration(),
          std::span(collected).first(std::min(collected.size(), most)),
          [&](const Graph& graph, const std::vector<std::string>& extra, std::uint32_t batch) {
            return std::make_unique<BackendRunner>(backend_for(graph), Settings{}, graph,
                                                   "calibration", quiet,
                                                   CompileOptions{batch, extra});
          },
          [&](double fraction) { report("measure grids", fraction, ""); });
    });
  }

  const Recipe& recipe_;
  const Registry& registry_;
  const OptimizeOptions& options_;
  std::vector<Stage> stages_;
  std::unique_ptr<Target> target_;
  Graph graph_, dense_;
  Graph unquantized_;  ///< before the first stage that quantized; empty without one
  Prediction before_;
  std::unique_ptr<Dataset> evaluation_;
  std::unique_ptr<SampleSets> samples_;
  std::vector<std::int64_t> loaded_predictions_;
  OptimizeResult result_;
};

}  // namespace

OptimizeResult optimize(const Recipe& recipe, const Registry& registry,
                        const OptimizeOptions& options) {
  if (recipe.stages.empty())
    throw Error(ADZE_INVALID_ARGUMENT, "there is no stage, so nothing would be done to the model");
  return Optimizer(recipe, registry, options).run();
}

}  // namespace adze::host
