#include "host/cli/board_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "host/base/file.hpp"
#include "host/pipeline/board_type_check.hpp"
#include "host/pipeline/board_type_fit.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

struct FitOptions {
  std::vector<std::filesystem::path> data, models;
  std::filesystem::path output;
  std::string from = "rzv2h", time_column = "ms", backend = "drpai";
};

json to_json(const FitErrors& errors) {
  return {{"median", errors.median},
          {"p90", errors.p90},
          {"within_20_percent_or_1_ms", errors.within},
          {"rank_correlation", errors.rank}};
}

std::string line_of(const char* what, const FitErrors& errors) {
  return fmt::format(
      "{:<18} median {:.1f} %, 90th percentile {:.1f} %, {:.1f} % within 20 % or 1 ms, rank "
      "correlation {:.3f}\n",
      what, errors.median * 100, errors.p90 * 100, errors.within * 100, errors.rank);
}

void fit(const FitOptions& options, Context& context) {
  const Component backend = context.registry().find(options.backend);
  const Facts facts = load_facts(options.from);
  check_board_type(facts, (board_type_folder() / (options.from + ".toml")).string());
  std::vector<TimedModel> rows;
  for (const std::filesystem::path& file : options.data)
    std::ranges::copy(read_timed_models(file, options.time_column), std::back_inserter(rows));
  BoardFit result;
  {
    ProgressBar bar(context, "fit");
    result = fit_board_type(
        backend, facts, rows, options.models, context.call_options(),
        [&](double fraction, const std::string& doing) { bar.update(fraction, doing); });
  }
  if (!options.output.empty())
    write_file(options.output,
               with_fit(read_text_file(board_type_folder() / (options.from + ".toml")), result));

  json coefficients = json::object(), models = json::array();
  Table costs({"coefficient", "fitted"}), table({"model", "ms", "fitted", "left out", "error"});
  for (const auto& [name, value] : result.coefficients) {
    coefficients[name] = value;
    costs.row({name, fmt::format("{:.4g}", value)});
  }
  std::vector<FittedModel> worst = result.models;
  const auto error = [](const FittedModel& m) {
    return (m.left_out_ms - m.timed.latency_ms) / m.timed.latency_ms;
  };
  std::stable_sort(worst.begin(), worst.end(), [&](const FittedModel& a, const FittedModel& b) {
    return std::abs(error(a)) > std::abs(error(b));
  });
  for (const FittedModel& model : worst) {
    models.push_back(
        {{"model", model.timed.model},
         {"family", model.timed.family},
         {"sparsity", model.timed.sparsity},
         {"toolchain", model.timed.toolchain},
         {"latency_ms", model.timed.latency_ms},
         {"fitted_ms", model.fitted_ms},
         {"left_out_ms", model.left_out_ms},
         {"family_out_ms", model.family_out_ms ? json(*model.family_out_ms) : json(nullptr)}});
    table.row(
        {model.timed.sparsity > 0
             ? fmt::format("{} {:.4g} % sparse", model.timed.model, model.timed.sparsity * 100)
             : model.timed.model,
         fmt::format("{:.4g}", model.timed.latency_ms), fmt::format("{:.1f}", model.fitted_ms),
         fmt::format("{:.1f}", model.left_out_ms), fmt::format("{:+.0f} %", error(model) * 100)});
  }
  json document = {{"from", options.from},
                   {"coefficients", coefficients},
                   {"models", models},
                   {"fit", to_json(result.fit)},
                   {"leave_one_out", to_json(result.leave_one_out)},
                   {"leave_family_out",
                    result.leave_family_out ? to_json(*result.leave_family_out) : json(nullptr)},
                   {"interval_factor", result.interval_factor}};
  std::string text = table.str() + "\n" + costs.str() +
                     fmt::format("\n{} models, {} coefficients\n", result.models.size(),
                                 result.coefficients.size()) +
                     line_of("fit:", result.fit) + line_of("leave one out:", result.leave_one_out);
  if (result.leave_family_out) text += line_of("leave family out:", *result.leave_family_out);
  text += fmt::format("9 of 10 left-out models are within a factor of {:.2f}\n",
                      result.interval_factor);
  if (!options.output.empty()) text += fmt::format("written: {}\n", options.output.string());
  context.result(document, text);
}

}  // namespace

void add_board_fit(CLI::App& group, Context& context) {
  auto* command = group.add_subcommand("fit", "Fit the costs of a board type to measured times");
  const auto options = std::make_shared<FitOptions>();
  command
      ->add_option(
          "--data", options->data,
          "CSV with the columns model and ms, maybe family, sparsity and toolchain; may be given "
          "several times")
      ->required();
  command
      ->add_option("--models", options->models,
                   "Folder with the ONNX files that it names; may be given several times")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--from", options->from, "Board type that gives everything else")
      ->capture_default_str();
  command->add_option("--time-column", options->time_column, "Column with the times, in ms")
      ->capture_default_str();
  command->add_option("--backend", options->backend, "Backend that predicts")
      ->capture_default_str();
  command->add_option("-o,--output", options->output, "Board type to write (.toml)");
  command->callback([options, &context] { fit(*options, context); });
}

}  // namespace adze::host
