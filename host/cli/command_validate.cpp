// adze validate: flash, run, measure, compare with the emulation, verdict.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "hil/session/validate.hpp"
#include "host/base/file.hpp"
#include "host/base/hash.hpp"
#include "host/cli/board_link.hpp"
#include "host/cli/board_measure.hpp"
#include "host/cli/calibration_set.hpp"
#include "host/cli/junit.hpp"
#include "host/cli/results_table.hpp"
#include "host/cli/runner_spec.hpp"
#include "host/compare/interface.hpp"
#include "host/evaluate/evaluate.hpp"
#include "host/graph/simplify.hpp"
#include "host/pipeline/board_type.hpp"
#include "host/pipeline/recipe.hpp"
#include "host/report/comparison.hpp"
#include "host/report/report.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

struct ValidateOptions {
  std::filesystem::path model, data, reference, out, junit;
  std::string board, backend = "drpai";
  std::uint32_t batch = 64;
  std::vector<std::string> settings;  ///< of the backend: name=value
  CalibrationOptions calibration;
  hil::ValidateOptions how;
  std::optional<double> min_agreement, min_sqnr_db;  ///< of the command line
};

/// What the command line does not say, [accept] of the data's file does.
void add_limits(const Accept& accept, ValidateOptions& options) {
  const auto first = [](std::optional<double> a, std::optional<double> b) { return a ? a : b; };
  hil::ValidateOptions& how = options.how;
  how.min_agreement =
      first(options.min_agreement, accept.min_agreement).value_or(how.min_agreement);
  how.min_sqnr_db = first(options.min_sqnr_db, accept.min_sqnr_db).value_or(how.min_sqnr_db);
  how.max_latency_ms = first(how.max_latency_ms, accept.max_latency_ms);
  // A few samples do not tell points of accuracy apart.
  if (how.samples == 0) how.max_drop = first(how.max_drop, accept.max_drop);
}

/// Measured between what the prediction allows; null where nothing is predicted, or the latency is
/// that of a simulated board.
json within_prediction(const hil::ValidateResult& result, const std::optional<double>& predicted_ms,
                       double factor) {
  if (!predicted_ms || result.measured.conditions.simulated) return nullptr;
  const double median = result.measured.statistics.median;
  return *predicted_ms / factor <= median && median <= *predicted_ms * factor;
}

/// The same network without rounding: what quantization is judged against when no FP32 model is
/// given.
Graph without_quantization(Graph graph) {
  for (Value& value : graph.values) value.quant.reset();
  return graph;
}

json document_of(const hil::ValidateResult& result, const hil::ModelBundle& bundle,
                 const ValidateOptions& options, double factor) {
  const auto or_null = [](const std::optional<double>& value) {
    return value ? json(*value) : json(nullptr);
  };
  return {{"verdict", result.verdict},
          {"reasons", result.reasons},
          {"board", result.board},
          {"bundle", result.bundle},
          {"predicted_ms", or_null(bundle.predicted_ms)},
          {"predicted_interval_ms", bundle.predicted_ms ? json({*bundle.predicted_ms / factor,
                                                                *bundle.predicted_ms * factor})
                                                        : json(nullptr)},
          {"within_prediction", within_prediction(result, bundle.predicted_ms, factor)},
          {"latency_verdict", !options.how.max_latency_ms ? "DONE"
                              : result.measured.statistics.median > *options.how.max_latency_ms
                                  ? "FAIL"
                                  : "PASS"},
          {"limits",
           {{"min_agreement", options.how.min_agreement},
            {"min_sqnr_db", options.how.min_sqnr_db},
            {"max_latency_ms", or_null(options.how.max_latency_ms)},
            {"max_drop", or_null(options.how.max_drop)}}},
          {"measured", to_json(result.measured)},
          {"against_emulated",
           comparison_document(result.against_emulated, result.samples, result.emulated_verdict)},
          {"against_fp32",
           comparison_document(result.against_fp32, result.samples, result.fp32_verdict)},
          {"metric",
           {{"name", result.metric},
            {"emulated", or_null(result.metric_emulated)},
            {"measured", or_null(result.metric_measured)},
            {"fp32", or_null(result.metric_fp32)}}}};
}

std::string summary(const hil::ValidateResult& result, const hil::ModelBundle& bundle,
                    double factor) {
  const hil::Statistics& s = result.measured.statistics;
  const hil::Conditions& c = result.measured.conditions;
  const auto metric = [&](const std::optional<double>& value) {
    if (!value) return std::string("-");
    return result.metric == "output_error" ? fmt::format("{:.5g}", *value)
                                           : fmt::format("{:.2f} %", *value * 100);
  };
  std::string text = fmt::format(
      "{}: {} on {}{}, {} samples\n  {}: emulated {}, measured {}, FP32 {}\n", result.verdict,
      result.bundle.substr(0, 12), c.simulated ? "simulated board " : "board ", result.board,
      result.samples, result.metric, metric(result.metric_emulated), metric(result.metric_measured),
      metric(result.metric_fp32));
  text +=
      fmt::format("  latency: predicted {}, measured{} median {:.4f} ms ({}), n {}, p99 {}\n",
                  bundle.predicted_ms
                      ? fmt::format("{:.4f} ms (between {:.4f} and {:.4f})", *bundle.predicted_ms,
                                    *bundle.predicted_ms / factor, *bundle.predicted_ms * factor)
                      : "-",
                  c.simulated ? " (simulated)" : "", s.median, interval_text(s), s.n,
                  s.p99 ? fmt::format("{:.4f} ms", *s.p99) : "n too small");
  for (const auto& [name, outputs] :
       {std::pair{"emulation", &result.against_emulated}, {"FP32", &result.against_fp32}})
    for (const OutputComparison& output : *outputs)
      text += fmt::format(
          "  against {}: '{}' {}\n", name, output.name,
          output.identical()
              ? "identical"
              : fmt::format("differs in {:.4f} % of elements, SQNR {} dB, same top-1 {}",
                            output.mismatch_share * 100,
                            output.sqnr_db ? fmt::format("{:.2f}", *output.sqnr_db) : "-",
                            output.top1_agreement
                                ? fmt::format("{:.2f} %", *output.top1_agreement * 100)
                                : "-"));
  for (const auto* outputs : {&result.against_emulated, &result.against_fp32})
    for (const OutputComparison& output : *outputs)
      if (output.constant_a || output.constant_b)
        text += fmt::format(
            "  '{}' is the same number everywhere {}: its other figures say little\n", output.name,
            output.constant_a && output.constant_b ? "on both sides"
            : output.constant_b                    ? "on the board"
                                                   : "in the reference");
  const std::string energy = energy_text(result.measured);
  text += (energy.empty() ? "" : "  ") + energy + condition_text(c);
  for (const std::string& reason : result.reasons) text += "  FAIL: " + reason + "\n";
  if (c.lab && result.signed_by.empty()) text += "  the board takes unsigned bundles (lab mode)\n";
  return text;
}

json document_in(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return {};
  json document = json::parse(read_text_file(file), nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded())
    throw Error(
        ADZE_DATA_LOSS,
        fmt::format("'{}' is no JSON document; remove it or run optimize again", file.string()));
  return document;
}

/// What optimize left in the folder for the results, looked at before the board is touched.
struct Optimization {
  json metrics, timings;
};

Optimization optimization_in(const std::filesystem::path& folder,
                             const std::filesystem::path& model) {
  if (folder.empty()) return {};
  require_writable_folder(folder);
  Optimization found{document_in(folder / "metrics.json"), document_in(folder / "timings.json")};
  if (found.metrics.is_null()) return found;
  const json& hash = found.metrics.is_object() ? found.metrics["optimized_sha256"] : json();
  if (hash != sha256_hex(read_file(model)))
    throw Error(
        ADZE_FAILED_PRECONDITION,
        fmt::format("'{}' holds the optimization of another model than '{}'; give -o another "
                    "folder",
                    folder.string(), model.string()));
  return found;
}

/// validate.json, and the report of the optimization in the same folder with it. Returns the table
/// of both.
std::string write_results(const std::filesystem::path& folder, const Optimization& optimization,
                          const json& document) {
  const auto& [metrics, timings] = optimization;
  const std::string report = render_report({metrics, timings, document});
  write_file(folder / "validate.json", document.dump(2) + "\n");
  write_file(folder / "report.html", report);
  return metrics.is_null() ? "" : "\n" + results_table(metrics, document);
}

/// The reference must give the outputs that the board will be compared on.
void require_outputs(const Graph& reference, const Graph& model,
                     const std::filesystem::path& file) {
  for (const std::uint32_t output : model.outputs) {
    const std::string& name = model.value(output).name;
    const bool found = std::ranges::any_of(reference.outputs, [&](std::uint32_t index) {
      return reference.value(index).name == name;
    });
    if (!found)
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("the reference '{}' has no output '{}', which the model has",
                              file.string(), name));
  }
}

/// Returns the JUnit document.
std::string validate_model(ValidateOptions options, Context& context) {
  const DataSpec spec = parse_data_file(options.data);
  const Graph graph = load_simplified(options.model);
  const auto dataset = open_dataset(spec, input_specs(graph));
  options.how.metric = options.how.metric.empty() ? metric_of(spec, *dataset) : options.how.metric;
  options.how.batch = options.batch;
  options.how.model = options.model.filename().string();

  add_limits(parse_accept_file(options.data), options);

  const Optimization optimization = optimization_in(options.out, options.model);
  const Graph exact =
      options.reference.empty() ? without_quantization(graph) : load_simplified(options.reference);
  require_outputs(exact, graph, options.reference);
  require_comparable(graph, options.model.string(), exact, options.reference.string());

  if (!options.out.empty()) {
    options.how.raw = options.out / "samples.jsonl";
    std::filesystem::remove(options.how.raw);  // of an earlier validation
  }
  auto session = open_board(context, options.board);
  const std::string board_type = session.board().board_type;
  const std::vector<std::int64_t> first{0};
  const CalibrationSet calibration(options.calibration, graph);
  const auto target = load_target(board_type);
  const hil::ModelBundle bundle = bundle_of(context, options.model, graph,
                                            {.backend = options.backend,
                                             .board_type = board_type,
                                             .smoke_inputs = dataset->batch(first),
                                             .settings = options.settings,
                                             .services = calibration.services(),
                                             .target = target.get(),
                                             .key = key_for(session.board())});
  // What another machine loads is compiled once: other scales may come out the next time.
  const adze_backend* table = context.registry().find(options.backend).component->backend;
  std::optional<OpenedRunner> opened;
  if (ADZE_HAS(table, adze_backend, load))
    opened = open_runner(
        context, options.backend + ":" + options.model.string(),
        {.board_type = board_type, .batch = options.batch, .settings = options.settings});
  Runner& emulated = opened ? *opened->runner : *bundle.emulation;
  BackendRunner fp32(context.registry().find("cpu"), {}, exact, "cpu", context.call_options(),
                     {.batch = options.batch});
  hil::ValidateResult result;
  const auto instruments = instruments_of(context, options.board);
  with_console(*instruments, [&] {
    ProgressBar bar(context, "validate on " + options.board);
    instruments->measure_idle([&](const std::string& doing) { bar.update(0, doing); });
    result = hil::validate(session, bundle.bytes, emulated, fp32, *dataset, options.how,
                           board_progress(bar));
  });
  instruments->add_to(result.measured, result.windows);
  const double factor =
      bundle.predicted_ms ? interval_factor(load_facts(board_type), board_type) : 1;
  const json document = document_of(result, bundle, options, factor);
  std::string text = summary(result, bundle, factor);
  if (!options.out.empty()) text += write_results(options.out, optimization, document);
  if (result.verdict == "FAIL") context.exit = Exit::failed;
  context.result(document, text);
  return junit_of(document, options.how.model);
}

void validate_with_junit(const ValidateOptions& options, Context& context) {
  const auto write = [&](const std::string& xml) {
    if (!options.junit.empty()) write_file(options.junit, xml);
  };
  try {
    write(validate_model(options, context));
  } catch (const Error& error) {
    // Bad input is no result of a test.
    if (error.exit() == Exit::rig || error.exit() == Exit::failed)
      write(junit_of_failure(options.model.filename().string(), options.board,
                             error.exit() == Exit::rig ? "MISS" : "ERROR", error.what()));
    throw;
  }
}

}  // namespace

void add_validate(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("validate", "Is the model on the board what it was on the host?");
  const auto options = std::make_shared<ValidateOptions>();
  command->add_option("model", options->model, "ONNX file")->required();
  command->add_option("--board", options->board, kBoardHelp)->required();
  command->add_option("--data", options->data, "TOML file with a [data] table")->required();
  command->add_option("--reference", options->reference,
                      "FP32 model to compare with (default: the model without its quantization)");
  command->add_option("-o,--output", options->out,
                      "Folder for validate.json and report.html, as optimize wrote it");
  command->add_option("--backend", options->backend, "Backend that compiles and emulates")
      ->capture_default_str();
  command->add_option("--set", options->settings, "Arguments of the backend: name=value");
  add_calibration_options(*command, options->calibration);
  command->add_option("--samples", options->how.samples, "Use only the first N samples (0: all)")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--metric", options->how.metric, "Default: of the data");
  command->add_option("--batch", options->batch, "Samples sent at a time")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--junit", options->junit, "Write the result as JUnit XML, too");
  command
      ->add_option("--min-agreement", options->min_agreement,
                   "FAIL when a smaller share of samples has the emulation's top-1 [0.99]")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--min-sqnr", options->min_sqnr_db,
                      "FAIL when an output that is no classifier's has less, in dB [25]");
  command
      ->add_option("--max-drop", options->how.max_drop,
                   "FAIL when the metric is more points below that of the FP32 model")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--max-latency-ms", options->how.max_latency_ms,
                      "FAIL when the median is longer");
  command->footer(
      "What these do not say, [accept] in the file of --data does; max_drop only when all samples "
      "are used.");
  command->callback([options, &context] { validate_with_junit(*options, context); });
}

}  // namespace adze::host
