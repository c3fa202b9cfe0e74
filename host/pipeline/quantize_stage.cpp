#include "host/pipeline/quantize_stage.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "host/abi/backend.hpp"
#include "host/base/error.hpp"
#include "host/base/log.hpp"
#include "host/pipeline/drop_estimate.hpp"
#include "host/pipeline/edit_records.hpp"
#include "host/pipeline/given_grids.hpp"
#include "host/pipeline/latency.hpp"

namespace adze::host {
namespace {

constexpr std::int64_t kRankingSamples = 128;

class QuantizeStage {
 public:
  explicit QuantizeStage(const QuantizeJob& job)
      : job_(job), missing_(what_is_missing(job.before, job.targets)) {}

  QuantizeOutcome run() {
    QuantizeOutcome outcome;
    if (!missing_.warning.empty())
      outcome.warnings.push_back(fmt::format("{}: {}", job_.stage.use(), missing_.warning));
    outcome.options = given_options(job_.stage);
    if (job_.stage.automatic || job_.stage.fallback)
      run_policy(outcome);
    else
      outcome.candidate = quantize(job_.stage.component, job_.stage.settings, job_.stage.use());
    return outcome;
  }

 private:
  Candidate quantize(const Component& component, const Settings& settings,
                     const std::string& step) const {
    const CallOptions options = job_.call(step);
    // A component sees a float model: given grids are not its business, and are put back below and
    // whenever it asks what the model makes of samples.
    Graph bare;
    if (missing_.given > 0) {
      bare = job_.before;
      for (Value& value : bare.values) value.quant.reset();
    }
    const Graph& shown = missing_.given > 0 ? bare : job_.before;
    StageServices::Backends backends = job_.backends;
    if (missing_.given > 0)
      backends.in_place_of = [this](Graph graph) {
        return with_given_grids(std::move(graph), job_.before);
      };
    const StageServices services(job_.loaded, shown, missing_.targets, job_.samples, backends,
                                 options);
    EditList asked =
        run_edit_component(component, settings, shown, missing_.targets, options, services.all());
    const EditList edits =
        missing_.given > 0 ? only_missing(asked, job_.before, missing_.targets) : std::move(asked);
    Candidate candidate;
    append_records(edits, job_.before, job_.stage.use(), candidate.records);
    candidate.graph = edits.commit(job_.stage.pattern);
    if (missing_.given > 0) pass_given_grids_on(candidate.graph, job_.before);
    return candidate;
  }

  PolicyOptions policy_options() const {
    PolicyOptions options;
    if (job_.metric == "output_error" && !job_.recipe.max_drop)
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("'{}' must know what may be lost: for the metric output_error there "
                              "is no usual limit, so give [accept] max_drop (percent of relative "
                              "error)",
                              job_.stage.use()));
    options.max_drop = job_.recipe.max_drop.value_or(kDefaultMaxDrop);
    options.max_float = job_.stage.spec->max_float.value_or(kDefaultMaxFloat);
    options.fallback = job_.stage.fallback;
    options.automatic = job_.stage.automatic;
    options.qat = job_.stage.spec->qat.value_or(true);
    options.qat_component = job_.stage.qat;
    options.qat_missing = job_.stage.qat_missing;
    options.settings = job_.stage.settings;
    options.qat_settings = job_.stage.qat_settings;
    return options;
  }

  std::unique_ptr<Runner> runner_for(const Graph& graph) const {
    CallOptions quiet = job_.call("");
    quiet.progress = {};
    return std::make_unique<BackendRunner>(job_.backends.run(graph), Settings{}, graph,
                                           "held-out samples", quiet, CompileOptions{.batch = 64});
  }

  PolicyTools tools_for(const DropEstimator& estimator, QuantizeOutcome& outcome) {
    PolicyTools tools;
    const std::string use = job_.stage.use();
    tools.quantize = [this, use](const Component& component, const Settings& settings,
                                 const std::string& step) {
      step_ = fmt::format("{}: {}", use, step);
      return quantize(component, settings, step_);
    };
    tools.fallback.estimate = [this, &estimator](const Graph& graph) {
      job_.report(step_, 1, "estimating the drop");
      return estimator.of(graph);
    };
    tools.fallback.output_error = [&estimator](const Graph& graph) {
      return estimator.output_error(graph, kRankingSamples);
    };
    tools.fallback.predict_ms = [this](const Graph& graph) {
      CallOptions quiet = job_.call("");
      quiet.progress = {};
      return predict(job_.backends.predict, graph, quiet).total_ms;
    };
    tools.fallback.progress = [this, use](double fraction, const std::string& doing) {
      step_ = use + ": fallback";
      job_.report(step_, fraction, doing);
    };
    tools.ended = [use, &outcome, measure = std::string(measure_name(estimator.samples().measure))](
                      const PolicyStep& step) {
      outcome.times.push_back({fmt::format("{}: {}", use, step.name), step.seconds});
      std::string text = fmt::format("{}: {}: {}", use, step.name, step.outcome);
      if (step.estimate)
        text += fmt::format(
            ", estimated drop {}, output error {:.4g}, {:.1f} % of MACs INT8, "
            "predicted {:.4f} ms, {:.1f} s",
            drop_text(*step.estimate, measure), step.estimate->output_error,
            step.int8_mac_share * 100, step.predicted_ms, step.seconds);
      if (!step.reason.empty()) text += " (" + step.reason + ")";
      log(LogLevel::info, text);
    };
    return tools;
  }

  void warn_if_uncertain(const PolicyReport& report, QuantizeOutcome& outcome) const {
    for (const PolicyStep& step : report.steps)
      if (step.chosen && step.estimate && step.estimate->standard_error > report.max_drop)
        outcome.warnings.push_back(fmt::format(
            "{}: the estimated drop is uncertain by {:.2f} points, more than the {:g} that may be "
            "lost; more labelled samples in [train] would tell",
            job_.stage.use(), step.estimate->standard_error, report.max_drop));
  }

  void run_policy(QuantizeOutcome& outcome) {
    const PolicyOptions options = policy_options();
    const std::string use = job_.stage.use();
    if (!job_.recipe.max_drop)
      outcome.warnings.push_back(
          fmt::format("{}: the recipe has no [accept] max_drop; {:g} points are taken as allowed",
                      use, options.max_drop));
    job_.report(use + ": references", 0, "");
    const DropEstimator estimator(
        choose_estimate_samples(job_.samples, job_.metric, most_estimate_samples(job_.before)),
        job_.loaded, job_.before, [this](const Graph& graph) { return runner_for(graph); });
    const EstimateSamples& samples = estimator.samples();
    const PolicyTools tools = tools_for(estimator, outcome);
    PolicyOutcome decided = host::run_policy(job_.stage.component, job_.before, options, tools);
    PolicyReport& report = decided.report;
    report.max_drop_given = job_.recipe.max_drop.has_value();
    report.measure = measure_name(samples.measure);
    report.source = samples.source;
    report.metric = samples.metric;
    report.samples = samples.samples->size();
    log(LogLevel::info, fmt::format("{}: {}", use, report.decision));
    warn_if_uncertain(report, outcome);
    const bool trained = std::ranges::any_of(report.steps, [](const PolicyStep& step) {
      return step.name == "qat" && step.estimate.has_value();
    });
    for (GivenOption& option : outcome.options)
      if (option.by == kQat && !trained) {
        option.applied = false;
        option.reason = "QAT was not reached";
      }
    outcome.candidate = std::move(decided.candidate);
    outcome.policy = std::move(report);
  }

  const QuantizeJob& job_;
  Missing missing_;
  std::string step_;
};

}  // namespace

QuantizeOutcome quantize_stage(const QuantizeJob& job) { return QuantizeStage(job).run(); }

std::vector<GivenOption> given_options(const Stage& stage) {
  std::vector<GivenOption> options;
  const auto add = [&](const std::string& name, const std::string& value, const std::string& by) {
    options.push_back({.name = name, .value = value, .by = by, .reason = ""});
  };
  const StageSpec& spec = *stage.spec;
  if (!spec.include.empty()) add("include", text_of(spec.include), "adze");
  if (!spec.exclude.empty()) add("exclude", text_of(spec.exclude), "adze");
  if (spec.fallback) add("fallback", text_of(*spec.fallback), "adze");
  if (spec.max_float) add("max_float", text_of(*spec.max_float), "adze");
  if (spec.qat) add("qat", text_of(*spec.qat), "adze");
  for (const auto& [name, setting] : stage.settings)
    add(name, text_of(setting), stage.component.component->id);
  for (const auto& [name, setting] : stage.qat_settings) add(name, text_of(setting), kQat);
  return options;
}

}  // namespace adze::host
