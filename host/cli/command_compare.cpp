// adze compare: two runners on the same samples, tensor by tensor.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "host/base/file.hpp"
#include "host/cli/command.hpp"
#include "host/cli/layer_table.hpp"
#include "host/cli/runner_spec.hpp"
#include "host/compare/interface.hpp"
#include "host/pipeline/recipe.hpp"
#include "host/report/comparison.hpp"
#include "host/report/comparison_report.hpp"

namespace adze::host {
namespace {

struct CompareOptions {
  std::string a, b, board_type = "rzv2h";
  std::filesystem::path data, out;
  std::int64_t samples = 100;
  std::optional<std::uint32_t> batch;
  std::vector<std::string> set_a, set_b;
  bool layers = false;
  std::optional<double> min_agreement, min_sqnr_db;
  std::optional<double> layer_max_rel, layer_max_abs, layer_max_steps, layer_max_share;

  /// All layers of a batch are held at once.
  std::uint32_t batch_size() const { return batch.value_or(layers ? 1 : 16); }
  bool limits_layers() const {
    return layer_max_rel || layer_max_abs || layer_max_steps || layer_max_share;
  }
};

struct Verdict {
  std::string word = "DONE";         ///< PASS, FAIL; DONE when no limit was given
  std::vector<std::string> reasons;  ///< why FAIL
};

Verdict judge(const std::vector<OutputComparison>& outputs, const CompareOptions& options) {
  Verdict verdict;
  if (options.min_agreement || options.min_sqnr_db) verdict.word = "PASS";
  for (const OutputComparison& output : outputs) {
    if (output.nan_count)
      verdict.reasons.push_back(
          fmt::format("'{}' has {} elements that are not finite", output.name, output.nan_count));
    if (options.min_agreement && output.top1_agreement.value_or(1) < *options.min_agreement)
      verdict.reasons.push_back(fmt::format("'{}' has the same top-1 in {:.2f} %, limit {:.2f} %",
                                            output.name, *output.top1_agreement * 100,
                                            *options.min_agreement * 100));
    if (options.min_sqnr_db && output.sqnr_db && *output.sqnr_db < *options.min_sqnr_db)
      verdict.reasons.push_back(fmt::format("'{}' has an SQNR of {:.2f} dB, limit {:.2f} dB",
                                            output.name, *output.sqnr_db, *options.min_sqnr_db));
  }
  if (!verdict.reasons.empty()) verdict.word = "FAIL";
  return verdict;
}

/// Both sides of a comparison, and the layers that both show.
struct Sides {
  OpenedRunner a, b;
  LayerMatch match;
};

Sides open_sides(const CompareOptions& options, Context& context) {
  Sides sides;
  RunnerOptions of_a{.board_type = options.board_type,
                     .batch = options.batch_size(),
                     .settings = options.set_a,
                     .layers = {}};
  RunnerOptions of_b = of_a;
  of_b.settings = options.set_b;
  if (options.layers) {
    const Graph a = graph_for_layers(options.a), b = graph_for_layers(options.b);
    require_comparable(a, options.a, b, options.b);
    sides.match = match_layers(a, b);
    of_a.layers = sides.match.names();
  }
  sides.a = open_runner(context, options.a, of_a);
  const auto leave_out = [&](const OpenedRunner& side, const std::string& name) {
    for (const Unavailable& layer : side.unavailable)
      sides.match.leave_out(layer.value, layer.reason + ", says " + name);
  };
  leave_out(sides.a, options.a);
  // What only one side shows would change how the other one computes, for nothing.
  of_b.layers = sides.match.names();
  sides.b = open_runner(context, options.b, of_b);
  leave_out(sides.b, options.b);
  require_comparable(sides.a.graph, options.a, sides.b.graph, options.b);
  return sides;
}

bool is_output(const Graph& graph, const std::string& name) {
  return std::ranges::any_of(
      graph.outputs, [&](std::uint32_t output) { return graph.value(output).name == name; });
}

std::vector<OutputComparison> run_both(const Sides& sides, const CompareOptions& options,
                                       const Dataset& dataset, std::int64_t samples,
                                       Context& context) {
  std::map<std::string_view, const std::optional<Quant>*> quants;
  for (const Layer& layer : sides.match.layers) quants.emplace(layer.value, &layer.quant);
  Comparison comparison;
  ProgressBar bar(context, "compare");
  const std::int64_t batch = options.batch_size();
  for (std::int64_t first = 0; first < samples; first += batch) {
    std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(batch, samples - first)));
    std::iota(indices.begin(), indices.end(), first);
    const std::vector<Tensor> inputs = dataset.batch(indices);
    const auto from_a = sides.a.runner->run(inputs), from_b = sides.b.runner->run(inputs);
    std::map<std::string_view, const Tensor*> other;
    for (const NamedTensor& output : from_b) other.emplace(output.name, &output.tensor);
    for (const NamedTensor& output : from_a) {
      const auto match = other.find(output.name);
      if (match == other.end()) continue;
      const auto quant = quants.find(output.name);
      try {
        comparison.add(output.name, output.tensor, *match->second,
                       quant == quants.end() ? std::nullopt : *quant->second);
      } catch (const Error& error) {
        throw Error(error.code,
                    fmt::format("'{}' against '{}': {}", options.a, options.b, error.what()));
      }
    }
    bar.update(static_cast<double>(first) / static_cast<double>(samples));
  }
  return comparison.results();
}

LayerComparison judged_layers(const Sides& sides, const CompareOptions& options,
                              const std::vector<OutputComparison>& results) {
  LayerLimits limits;
  limits.max_rel = options.layer_max_rel.value_or(
      sides.match.quantized ? LayerLimits::kQuantizedMaxRel : LayerLimits::kFloatMaxRel);
  limits.max_abs = options.layer_max_abs.value_or(limits.max_abs);
  limits.max_steps = options.layer_max_steps.value_or(limits.max_steps);
  limits.differing_share = options.layer_max_share.value_or(limits.differing_share);
  return judge_layers(sides.match, results, limits);
}

std::string output_text(const std::vector<OutputComparison>& outputs) {
  Table table({"output", "SQNR dB", "cosine", "max abs", "max rel", "differing", "same top-1"});
  for (const OutputComparison& output : outputs)
    table.row(
        {output.name, output.sqnr_db ? fmt::format("{:.2f}", *output.sqnr_db) : "-",
         output.cosine ? fmt::format("{:.6f}", *output.cosine) : "-",
         fmt::format("{:.5g}", output.max_abs),
         output.max_rel ? fmt::format("{:.3g}", *output.max_rel) : "-",
         fmt::format("{:.4f} %", output.mismatch_share * 100),
         output.top1_agreement ? fmt::format("{:.2f} %", *output.top1_agreement * 100) : "-"});
  return table.str();
}

void compare_runners(const CompareOptions& options, Context& context) {
  if (options.limits_layers() && !options.layers)
    throw Error(ADZE_INVALID_ARGUMENT, "limits for layers need --layers");
  if (!options.out.empty()) require_writable_folder(options.out);
  const Sides sides = open_sides(options, context);
  const auto dataset = open_dataset(parse_data_file(options.data), input_specs(sides.a.graph));
  const std::int64_t samples =
      options.samples > 0 ? std::min(options.samples, dataset->size()) : dataset->size();
  const std::vector<OutputComparison> results =
      run_both(sides, options, *dataset, samples, context);
  std::vector<OutputComparison> outputs;
  std::ranges::copy_if(results, std::back_inserter(outputs), [&](const OutputComparison& result) {
    return is_output(sides.a.graph, result.name);
  });
  if (outputs.empty())
    throw Error(ADZE_FAILED_PRECONDITION,
                fmt::format("'{}' and '{}' have no output of the same name", options.a, options.b));

  Verdict verdict = judge(outputs, options);
  std::string text;
  std::optional<LayerComparison> layers;
  if (options.layers) {
    layers = judged_layers(sides, options, results);
    text = layer_text(*layers, options.a, options.b);
    const LayerResult* first = layers->first_parting();
    if (options.limits_layers()) {
      if (verdict.word == "DONE") verdict.word = "PASS";
      if (first) {
        verdict.word = "FAIL";
        verdict.reasons.push_back(
            fmt::format("layer '{}' is beyond the limits for layers", first->layer.value));
      }
    }
  }
  if (!verdict.reasons.empty()) context.exit = Exit::failed;
  text += output_text(outputs);
  text += fmt::format("\n{}: {} against {}, {} samples\n", verdict.word, sides.a.runner->name(),
                      sides.b.runner->name(), samples);
  for (const std::string& reason : verdict.reasons) text += "  " + reason + "\n";

  nlohmann::json document = comparison_document(outputs, samples, verdict.word);
  document["a"] = options.a;
  document["b"] = options.b;
  if (layers) add_layers(document, *layers);
  if (!options.out.empty()) {
    write_file(options.out / "compare.json", document.dump(2) + "\n");
    write_file(options.out / "report.html", render_comparison(document));
  }
  context.result(document, text);
}

}  // namespace

void add_compare(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("compare", "Two runners on the same samples, tensor by tensor");
  const auto options = std::make_shared<CompareOptions>();
  command
      ->add_option("a", options->a,
                   "Reference: cpu:MODEL, drpai:MODEL, onnxruntime:MODEL, board:ID:MODEL")
      ->required();
  command->add_option("b", options->b, "Runner to judge, in the same form")->required();
  command->add_option("--data", options->data, "TOML file with a [data] table")->required();
  command->add_option("--board-type", options->board_type, "Board type that drpai emulates")
      ->capture_default_str();
  command->add_option("--samples", options->samples, "Use only the first N samples (0: all)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--batch", options->batch, "Samples in one run (default: 16, with --layers 1)")
      ->check(CLI::Range(1, 4096));
  command->add_option("--set-a", options->set_a, "Arguments of the first backend: name=value")
      ->allow_extra_args(false);
  command->add_option("--set-b", options->set_b, "Arguments of the second backend: name=value")
      ->allow_extra_args(false);
  command->add_option("-o,--out", options->out, "Folder for compare.json and report.html");
  command->add_flag("--layers", options->layers,
                    "Compare every value that both models compute, and say where they part first");
  command
      ->add_option("--layer-max-rel", options->layer_max_rel,
                   "A layer parts when its largest difference is a larger share of its largest "
                   "magnitude (default: 1e-4; 1e-2 in models with quantized layers); given: FAIL "
                   "then")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--layer-max-abs", options->layer_max_abs,
                   "It does not part when that difference is no larger than this (default: 1e-6)")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--layer-max-steps", options->layer_max_steps,
                   "A quantized layer parts when it differs by more steps (default: 1)")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--layer-max-share", options->layer_max_share,
                   "A quantized layer parts when a larger share of its elements differs by a step "
                   "(default: 0.001)")
      ->check(CLI::Range(0.0, 1.0));
  command
      ->add_option("--min-agreement", options->min_agreement,
                   "FAIL when a smaller share of samples has the same top-1")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--min-sqnr", options->min_sqnr_db, "FAIL when an output has less, in dB");
  command->callback([options, &context] { compare_runners(*options, context); });
}

}  // namespace adze::host
