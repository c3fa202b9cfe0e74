// adze optimize runs a recipe; adze prune and adze quantize run one stage without writing one.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/base/file.hpp"
#include "host/base/log.hpp"
#include "host/cli/command.hpp"
#include "host/cli/results_table.hpp"
#include "host/cli/sweep.hpp"
#include "host/pipeline/artifacts.hpp"
#include "host/pipeline/optimize.hpp"
#include "host/pipeline/policy.hpp"
#include "host/pipeline/sparsity_list.hpp"
#include "host/pipeline/stages.hpp"

namespace adze::host {
namespace {

struct CommandOptions {
  std::filesystem::path recipe, model, data, out;
  std::string use, board_type = "rzv2h";
  std::vector<std::string> settings, include, exclude;
  std::string sweep;
  std::optional<std::uint64_t> seed;
  std::optional<double> max_drop, max_float;
  bool fallback = false;
  std::int64_t samples = 0;
};

void run(const Recipe& recipe, const CommandOptions& options, Context& context) {
  require_writable_folder(options.out);
  const OptimizeResult result = optimize_with_progress(
      recipe, context,
      {.samples = options.samples, .database = options.out / "database", .progress = {}});
  for (const std::string& warning : result.warnings) log(LogLevel::warning, warning);
  write_results(result, options.out);
  const nlohmann::json metrics = metrics_json(result), none;
  if (!result.passed) context.exit = Exit::failed;
  std::string text = results_table(metrics, none);
  if (result.max_drop)
    text +=
        fmt::format("{}: {:.2f} {} lost, {:.2f} allowed\n",
                    result.passed ? "accepted" : "NOT ACCEPTED", result.drop,
                    result.baseline.metric == "output_error" ? "percent of output error" : "points",
                    *result.max_drop);
  context.result(metrics, text + fmt::format("written to {}\n", options.out.string()));
}

/// "name=value" by the parameters of the components that "auto" drives.
Settings automatic_settings(const std::vector<std::string>& texts, const Registry& registry) {
  const Component ptq = registry.find(kPtq);
  std::optional<Component> qat;
  try {
    qat = registry.find(kQat);
  } catch (const Error&) {  // the policy says that it is not there
  }
  Settings settings;
  for (const std::string& text : texts) {
    const std::string name = text.substr(0, text.find('='));
    const bool trains = qat && !has_parameter(ptq, name) && has_parameter(*qat, name);
    settings.merge(parse_settings(*(trains ? *qat : ptq).component, {text}));
  }
  return settings;
}

Settings settings_of(ComponentKind kind, const CommandOptions& options, const Registry& registry) {
  if (kind == ComponentKind::quantizer && options.use == kAutomatic)
    return automatic_settings(options.settings, registry);
  const Component component = registry.find(options.use);
  if (component.kind() != kind)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("--use '{}' is a {}, and this command wants a {}; see adze plugin list",
                            options.use, kind_name(component.kind()), kind_name(kind)));
  return parse_settings(*component.component, options.settings);
}

void run_one_stage(ComponentKind kind, const CommandOptions& options, Context& context) {
  Recipe recipe = parse_data_tables(options.data);
  recipe.model = std::filesystem::absolute(options.model);
  recipe.board_type = options.board_type;
  if (options.seed) recipe.seed = *options.seed;
  recipe.max_drop = options.max_drop;
  StageSpec stage{.use = options.use,
                  .include = options.include,
                  .exclude = options.exclude,
                  .settings = settings_of(kind, options, context.registry())};
  if (options.fallback) stage.fallback = true;
  stage.max_float = options.max_float;
  recipe.stages.push_back(std::move(stage));
  run(recipe, options, context);
}

void add_one_stage(CLI::App& app, Context& context, const char* name, const char* description,
                   ComponentKind kind, const char* component) {
  auto* command = app.add_subcommand(name, description);
  const auto options = std::make_shared<CommandOptions>();
  options->use = component;
  command->add_option("model", options->model, "ONNX file")->required();
  command->add_option("--data", options->data, "TOML file with [data] and [calibration] tables")
      ->required();
  command->add_option("-o,--output", options->out, "Folder for the results")->required();
  const bool quantizes = kind == ComponentKind::quantizer;
  command
      ->add_option(
          "--use", options->use,
          quantizes ? "Component, or auto: as much effort as --max-drop asks for" : "Component")
      ->capture_default_str();
  command
      ->add_option("--max-drop", options->max_drop,
                   "Percentage points of the metric that may be lost (exit code 1 beyond)")
      ->check(CLI::NonNegativeNumber);
  if (quantizes) {
    command->add_flag("--fallback", options->fallback,
                      "Put the worst layers back into floating point until --max-drop holds (auto "
                      "does so anyway)");
    command
        ->add_option("--max-float", options->max_float,
                     "Share of the MACs that the fallback may put back (default: 0.5)")
        ->check(CLI::Range(0.0, 1.0));
  }
  command->add_option("--set", options->settings, "Arguments of the component: name=value");
  command->add_option("--include", options->include, "Only these nodes (names or globs)");
  command->add_option("--exclude", options->exclude, "Leave these nodes alone (names or globs)");
  command->add_option("--board-type", options->board_type, "Board type")->capture_default_str();
  command->add_option("--seed", options->seed, "Seed (default: that of [calibration])")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--samples", options->samples, "Evaluate on the first N samples only (0: all)")
      ->check(CLI::NonNegativeNumber);
  command->callback([options, kind, &context] { run_one_stage(kind, *options, context); });
}

}  // namespace

void add_optimize(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("optimize", "Run a recipe: prune, quantize, evaluate, report");
  const auto options = std::make_shared<CommandOptions>();
  command->add_option("recipe", options->recipe, "TOML file")->required();
  command->add_option("-o,--output", options->out, "Folder for the results")->required();
  command->add_option("--seed", options->seed, "Seed (default: that of the recipe)")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--samples", options->samples, "Evaluate on the first N samples only (0: all)")
      ->check(CLI::NonNegativeNumber);
  auto* sweep = command->add_option(
      "--sweep", options->sweep,
      "Several sparsities instead of the recipe's, each in a folder of its own, and a report about "
      "all: sparsity=0.5,0.7,0.8,0.9 or sparsity=0.5..0.9:0.1");
  command->callback([options, sweep, &context] {
    std::vector<double> sparsities;
    if (sweep->count()) sparsities = parse_sparsities("--sweep", options->sweep);
    Recipe recipe = parse_recipe(options->recipe);
    if (options->seed) recipe.seed = *options->seed;
    context.trust.insert(context.trust.end(), recipe.trust.begin(), recipe.trust.end());
    context.isolation = recipe.isolation;
    if (sparsities.empty()) return run(recipe, *options, context);
    run_sweep(recipe, {std::move(sparsities), options->out, options->samples}, context);
  });
  add_one_stage(app, context, "prune", "Prune a model", ComponentKind::pruner,
                "adze.prune.magnitude");
  add_one_stage(app, context, "quantize", "Quantize a model to INT8", ComponentKind::quantizer,
                "adze.quantize.ptq");
}

}  // namespace adze::host
