// adze compare: two runners on the same samples, tensor by tensor.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "host/cli/command.hpp"
#include "host/cli/runner_spec.hpp"
#include "host/compare/compare.hpp"
#include "host/pipeline/recipe.hpp"
#include "host/report/comparison.hpp"

namespace adze::host {
namespace {

struct CompareOptions {
  std::string a, b, board_type = "rzv2h";
  std::filesystem::path data;
  std::int64_t samples = 100;
  std::uint32_t batch = 16;
  bool layers = false;
  std::optional<double> min_agreement, min_sqnr_db;
};

// Names of the computed values that both models have, in the order of the first.
std::vector<std::string> common_layers(const Graph& a, const Graph& b) {
  std::set<std::string> in_b;
  for (const Value& value : b.values)
    if (value.producer != kNone) in_b.insert(value.name);
  std::vector<std::string> names;
  for (const Node& node : a.nodes)
    for (const std::uint32_t output : node.outputs)
      if (output != kNone && in_b.contains(a.value(output).name) &&
          std::ranges::find(a.outputs, output) == a.outputs.end())
        names.push_back(a.value(output).name);
  return names;
}

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

void compare_runners(const CompareOptions& options, Context& context) {
  std::vector<std::string> layers;
  OpenedRunner a = open_runner(context, options.a, options.board_type, options.batch);
  OpenedRunner b = open_runner(context, options.b, options.board_type, options.batch);
  if (options.layers) {
    layers = common_layers(a.graph, b.graph);
    a = open_runner(context, options.a, options.board_type, options.batch, layers);
    b = open_runner(context, options.b, options.board_type, options.batch, layers);
  }
  const auto dataset = open_dataset(parse_data_file(options.data), input_specs(a.graph));
  const std::int64_t samples =
      options.samples > 0 ? std::min(options.samples, dataset->size()) : dataset->size();

  Comparison comparison;
  ProgressBar bar(context, "compare");
  for (std::int64_t first = 0; first < samples; first += options.batch) {
    std::vector<std::int64_t> indices(
        static_cast<std::size_t>(std::min<std::int64_t>(options.batch, samples - first)));
    std::iota(indices.begin(), indices.end(), first);
    const std::vector<Tensor> inputs = dataset->batch(indices);
    const auto from_a = a.runner->run(inputs), from_b = b.runner->run(inputs);
    for (const NamedTensor& output : from_a) {
      const auto match = std::ranges::find(from_b, output.name, &NamedTensor::name);
      if (match != from_b.end()) comparison.add(output.name, output.tensor, match->tensor);
    }
    bar.update(static_cast<double>(first) / static_cast<double>(samples));
  }

  std::vector<OutputComparison> results = comparison.results();
  if (options.layers) {  // layers in the order data travels, model outputs last
    const auto place = [&](const OutputComparison& output) {
      return std::ranges::find(layers, output.name) - layers.begin();
    };
    std::ranges::stable_sort(results, {}, place);
  }
  const Verdict verdict = judge(results, options);
  if (!verdict.reasons.empty()) context.exit = Exit::failed;
  Table table({"output", "SQNR dB", "cosine", "max abs", "differing", "same top-1"});
  for (const OutputComparison& output : results)
    table.row(
        {output.name, output.sqnr_db ? fmt::format("{:.2f}", *output.sqnr_db) : "-",
         output.cosine ? fmt::format("{:.6f}", *output.cosine) : "-",
         fmt::format("{:.5g}", output.max_abs),
         fmt::format("{:.4f} %", output.mismatch_share * 100),
         output.top1_agreement ? fmt::format("{:.2f} %", *output.top1_agreement * 100) : "-"});
  std::string text = table.str() + fmt::format("\n{}: {} against {}, {} samples\n", verdict.word,
                                               a.runner->name(), b.runner->name(), samples);
  for (const std::string& reason : verdict.reasons) text += "  " + reason + "\n";
  context.result(comparison_document(results, samples, verdict.word), text);
}

}  // namespace

void add_compare(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("compare", "Two runners on the same samples, tensor by tensor");
  const auto options = std::make_shared<CompareOptions>();
  command->add_option("a", options->a, "Reference: cpu:MODEL, drpai:MODEL, board:ID:MODEL")
      ->required();
  command->add_option("b", options->b, "Runner to judge, in the same form")->required();
  command->add_option("--data", options->data, "TOML file with a [data] table")->required();
  command->add_option("--board-type", options->board_type, "Board type that drpai emulates")
      ->capture_default_str();
  command->add_option("--samples", options->samples, "Use only the first N samples (0: all)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--batch", options->batch, "Samples in one run")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_flag("--layers", options->layers, "Compare every value that both models compute");
  command
      ->add_option("--min-agreement", options->min_agreement,
                   "FAIL when a smaller share of samples has the same top-1")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--min-sqnr", options->min_sqnr_db, "FAIL when an output has less, in dB");
  command->callback([options, &context] { compare_runners(*options, context); });
}

}  // namespace adze::host
