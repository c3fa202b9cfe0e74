// adze evaluate: the task metric of a model on a dataset.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/cli/command.hpp"
#include "host/cli/runner_spec.hpp"
#include "host/compare/interface.hpp"
#include "host/evaluate/evaluate.hpp"
#include "host/pipeline/recipe.hpp"

namespace adze::host {
namespace {

struct EvaluateOptions {
  std::filesystem::path model, data;
  std::string backend = "cpu", board_type = "rzv2h", metric, reference;
  std::int64_t samples = 0;
  std::uint32_t batch = 64;
};

void evaluate_model(const EvaluateOptions& options, Context& context) {
  const DataSpec spec = parse_data_file(options.data);
  const RunnerOptions how{.board_type = options.board_type, .batch = options.batch};
  const std::string model = options.backend + ":" + options.model.string();
  const OpenedRunner opened = open_runner(context, model, how);
  const auto dataset = open_dataset(spec, input_specs(opened.graph));
  const std::string metric = options.metric.empty() ? metric_of(spec, *dataset) : options.metric;
  OpenedRunner reference;
  if (!options.reference.empty()) {
    const std::string other = "cpu:" + options.reference;
    reference = open_runner(context, other, how);
    require_comparable(opened.graph, model, reference.graph, other);
  }
  Evaluation result;
  {
    ProgressBar bar(context, "evaluate on " + options.backend);
    result = evaluate(*opened.runner, *dataset, metric, options.samples, reference.runner.get(),
                      options.batch, [&](double fraction) { bar.update(fraction); });
  }
  const bool share = metric != "output_error";
  context.result({{"metric", result.metric},
                  {"value", result.value},
                  {"samples", result.samples},
                  {"seconds", result.seconds},
                  {"backend", options.backend}},
                 fmt::format("{} {} on {} samples ({} in {:.2f} s)\n", result.metric,
                             share ? fmt::format("{:.2f} %", result.value * 100)
                                   : fmt::format("{:.6g}", result.value),
                             result.samples, options.backend, result.seconds));
}

}  // namespace

void add_evaluate(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("evaluate", "Task metric of a model on a dataset");
  const auto options = std::make_shared<EvaluateOptions>();
  command->add_option("model", options->model, "ONNX file")->required();
  command->add_option("--data", options->data, "TOML file with a [data] table")->required();
  command->add_option("--backend", options->backend, "Backend component")->capture_default_str();
  command->add_option("--board-type", options->board_type, "Board type the backend emulates")
      ->capture_default_str();
  command->add_option("--metric", options->metric,
                      "top1, top5 or output_error (default: of the data)");
  command->add_option("--reference", options->reference, "Model that output_error compares with");
  command->add_option("--samples", options->samples, "Use only the first N samples (0: all)")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--batch", options->batch, "Samples in one run")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->callback([options, &context] { evaluate_model(*options, context); });
}

}  // namespace adze::host
