#include "host/cli/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "host/base/file.hpp"
#include "host/base/log.hpp"
#include "host/graph/statistics.hpp"
#include "host/pipeline/artifacts.hpp"
#include "host/pipeline/policy.hpp"
#include "host/plugin/descriptor.hpp"
#include "host/report/report.hpp"
#include "host/report/sweep_report.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

constexpr const char* kSparsity = "sparsity";

bool has_sparsity(const adze_component& component) {
  for (std::uint64_t i = 0; i < component.param_count; ++i)
    if (param_at(component, i).name == std::string_view(kSparsity)) return true;
  return false;
}

/// The one stage whose sparsity is swept.
std::size_t swept_stage(const Recipe& recipe, const Registry& registry) {
  std::vector<std::size_t> found;
  for (std::size_t s = 0; s < recipe.stages.size(); ++s) {
    if (recipe.stages[s].use == kAutomatic) continue;
    const Component component = registry.find(recipe.stages[s].use);
    if (component.kind() == ComponentKind::pruner && has_sparsity(*component.component))
      found.push_back(s);
  }
  if (found.size() != 1)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("--sweep sparsity: {} stages of the recipe prune to a `sparsity`, and "
                            "it must be exactly one, whose sparsity is then replaced",
                            found.size()));
  return found.front();
}

Recipe with_sparsity(Recipe recipe, std::size_t stage, double sparsity) {
  StageSpec& spec = recipe.stages[stage];
  spec.settings[kSparsity] = sparsity;
  // Complaints about the value are about the command line, not about a place in the file.
  spec.places.erase(kSparsity);
  return recipe;
}

std::string folder_of(double sparsity) { return fmt::format("sparsity-{:.4g}", sparsity); }

json target_json(const OptimizeResult& result, const json& metrics, std::size_t stage,
                 double sparsity) {
  return {{"sparsity", sparsity},
          {"folder", folder_of(sparsity)},
          {"optimized", metrics.at("optimized")},
          {"drop", result.drop},
          {"passed", result.passed},
          {"target_sparsity", result.stages[stage].target_sparsity},
          {"all_sparsity", result.sparsity},
          {"predicted_ms", result.after_ms},
          {"size_bytes", result.onnx.size()},
          {"optimized_sha256", metrics.at("optimized_sha256")},
          {"sparsity_by_layer", metrics.at("sparsity_by_layer")},
          {"warnings", result.warnings}};
}

json sweep_json(const OptimizeResult& result, const json& metrics, const std::string& use) {
  json layers = json::array();
  for (const Node& node : result.graph.nodes)
    if (const ZeroCount zeros = zeros_of(result.graph, node); zeros.weights)
      layers.push_back({{"name", node.name}, {"weights", zeros.weights}});
  return {{"model", result.model},
          {"board_type", result.board_type},
          {"seed", result.seed},
          {"stage", use},
          {"complete", false},
          {"baseline", metrics.at("baseline")},
          {"predicted_ms", result.before_ms},
          {"size_bytes", result.before_bytes},
          {"layers", std::move(layers)},
          {"targets", json::array()},
          {"error_curves", curves_json(result.error_curves)}};
}

void write_sweep(const json& sweep, const std::filesystem::path& folder) {
  write_file(folder / "report.html", std::string_view(render_sweep(sweep)));
  write_file(folder / "sweep.json", std::string_view(sweep.dump(1) + "\n"));
}

std::string sweep_table(const json& sweep) {
  const json& baseline = sweep.at("baseline");
  const bool share = baseline.at("metric") != "output_error";
  const auto metric = [&](const json& value) {
    return share ? fmt::format("{:.2f} %", value.get<double>() * 100)
                 : fmt::format("{:.5g}", value.get<double>());
  };
  Table table({"target", baseline.at("metric"), "points", "layers", "all weights", "predicted",
               "gain", "size", "folder"});
  const double before_ms = sweep.at("predicted_ms");
  table.row({"as loaded", metric(baseline.at("value")), "-", "-", "-",
             fmt::format("{:.4f} ms", before_ms), "-",
             fmt::format("{:.0f} kB", sweep.at("size_bytes").get<double>() / 1000), ""});
  for (const json& target : sweep.at("targets")) {
    const double after_ms = target.at("predicted_ms");
    table.row({fmt::format("{:.4g} %", target.at("sparsity").get<double>() * 100),
               metric(target.at("optimized").at("value")),
               fmt::format("{:+.2f}", -target.at("drop").get<double>()),
               fmt::format("{:.1f} %", target.at("target_sparsity").get<double>() * 100),
               fmt::format("{:.1f} %", target.at("all_sparsity").get<double>() * 100),
               fmt::format("{:.4f} ms", after_ms),
               fmt::format("{:.2f}x", after_ms > 0 ? before_ms / after_ms : 1.0),
               fmt::format("{:.0f} kB", target.at("size_bytes").get<double>() / 1000),
               target.at("folder")});
  }
  return table.str() +
         fmt::format(
             "\npredicted: for {}, by a model fitted to published times, not verified on hardware; "
             "layers: zeros in those that {} may change\n",
             sweep.at("board_type").get<std::string>(), sweep.at("stage").get<std::string>());
}

}  // namespace

OptimizeResult optimize_with_progress(const Recipe& recipe, Context& context,
                                      OptimizeOptions options, const std::string& prefix) {
  std::string current;
  std::unique_ptr<ProgressBar> bar;
  options.threads = context.thread_count();
  options.progress = [&](const std::string& step, double fraction, const std::string& doing) {
    if (!bar || step != current) {
      bar = nullptr;  // ends the line of the step before
      current = step;
      bar = std::make_unique<ProgressBar>(context, prefix + step);
    }
    bar->update(fraction, doing);
    return false;
  };
  return optimize(recipe, context.registry(), options);
}

void write_results(const OptimizeResult& result, const std::filesystem::path& folder) {
  const json metrics = metrics_json(result), timings = timings_json(result), none;
  write_artifacts(result, folder, {{"report.html", render_report({metrics, timings, none})}});
  // A validation of another model may lie there from before.
  std::error_code ignored;
  std::filesystem::remove(folder / "validate.json", ignored);
}

void run_sweep(const Recipe& recipe, const SweepOptions& options, Context& context) {
  const std::size_t stage = swept_stage(recipe, context.registry());
  const std::string use = recipe.stages[stage].use;
  require_writable_folder(options.out);
  json sweep;
  std::set<std::string> warned;
  std::optional<Baseline> baseline;
  for (const double sparsity : options.sparsities) {
    const OptimizeResult result =
        optimize_with_progress(with_sparsity(recipe, stage, sparsity), context,
                               {.samples = options.samples,
                                .database = options.out / "database",
                                .baseline = &baseline,
                                .progress = {}},
                               fmt::format("{:.4g} %: ", sparsity * 100));
    for (const std::string& warning : result.warnings)
      if (warned.insert(warning).second) log(LogLevel::warning, warning);
    write_results(result, options.out / folder_of(sparsity));
    const json metrics = metrics_json(result);
    if (sweep.is_null()) sweep = sweep_json(result, metrics, use);
    sweep["targets"].push_back(target_json(result, metrics, stage, sparsity));
    sweep["complete"] = sparsity == options.sparsities.back();
    write_sweep(sweep, options.out);
    if (!result.passed) context.exit = Exit::failed;
  }
  context.result(sweep, sweep_table(sweep) + fmt::format("written to {}\n", options.out.string()));
}

}  // namespace adze::host
