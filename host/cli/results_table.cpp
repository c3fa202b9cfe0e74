#include "host/cli/results_table.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "host/cli/command.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

std::string share(const json& value) {
  return value.is_number() ? fmt::format("{:.2f} %", value.get<double>() * 100) : "-";
}

std::string milliseconds(const json& value) {
  return value.is_number() ? fmt::format("{:.4f} ms", value.get<double>()) : "-";
}

std::string kilobytes(const json& bytes) {
  return fmt::format("{:.0f} kB", bytes.get<double>() / 1000);
}

std::string metric_text(const std::string& metric, const json& value) {
  if (!value.is_number()) return "-";
  return metric == "output_error" ? fmt::format("{:.5g}", value.get<double>()) : share(value);
}

std::string options_line(const json& step) {
  std::string text;
  for (const json& option : step.value("options", json::array())) {
    const std::string reason = option.at("reason");
    text += fmt::format("{}{} = {} ({} {}{})", text.empty() ? "" : ", ",
                        option.at("name").get<std::string>(), option.at("value").get<std::string>(),
                        option.at("applied").get<bool>() ? "applied by" : "had no effect on",
                        option.at("by").get<std::string>(), reason.empty() ? "" : ": " + reason);
  }
  return text.empty() ? "" : fmt::format("{}: {}\n", step.at("name").get<std::string>(), text);
}

/// What the policy tried, and what came of it.
std::string policy_text(const json& policy) {
  const bool percent = policy.at("measure") == "output_error";
  Table table({"step", "outcome", "estimated drop", "output error", "INT8 MACs", "predicted", ""});
  for (const json& step : policy.at("steps")) {
    const json& estimate = step.at("estimate");
    const bool known = estimate.is_object();
    const double drop = known ? estimate.at("drop").get<double>() : 0;
    table.row(
        {step.at("name"), step.at("outcome"),
         !known ? "-"
         : percent
             ? fmt::format("{:.2f} %", drop)
             : fmt::format("{:.2f} +- {:.2f}", drop, estimate.at("standard_error").get<double>()),
         known ? fmt::format("{:.4f}", estimate.at("output_error").get<double>()) : "-",
         share(step.at("int8_mac_share")), milliseconds(step.at("predicted_ms")),
         (step.at("chosen").get<bool>() ? "taken " : "") + step.at("reason").get<std::string>()});
  }
  const std::string measure = policy.at("measure");
  return fmt::format(
      "\n{}{}\nestimated on {} held-out samples of [{}] by {}; before: {:.4f} ms predicted\n",
      table.str(), policy.at("decision").get<std::string>(), policy.at("samples").dump(),
      policy.at("source").get<std::string>(),
      measure == "labels"         ? "their labels"
      : measure == "disagreement" ? "how many change their class (they have no labels)"
                                  : "output error",
      policy.at("before_ms").get<double>());
}

}  // namespace

std::string results_table(const json& metrics, const json& validation) {
  const std::string metric = metrics.at("baseline").at("metric");
  const json &predicted = metrics.at("predicted_ms"), &bytes = metrics.at("size_bytes");
  Table table(
      {"step", "run by", metric, "same top-1", "sparsity", "predicted", "measured", "size"});
  table.row({"as loaded", metrics.at("baseline").at("backend"),
             metric_text(metric, metrics.at("baseline").at("value")), "-", "-",
             milliseconds(predicted.at("before")), "-", kilobytes(bytes.at("before"))});
  const json& steps = metrics.at("steps");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const json& step = steps[i];
    const bool last = i + 1 == steps.size();
    table.row({step.at("name"), step.at("backend"), metric_text(metric, step.at("value")),
               share(step.at("agreement")), share(step.at("sparsity")),
               last ? milliseconds(predicted.at("after")) : "-", "-",
               last ? kilobytes(bytes.at("after")) : "-"});
  }
  std::string notes = fmt::format(
      "\npredicted: for {}, not verified on hardware; same top-1: as the model as loaded\n",
      metrics.at("board_type").get<std::string>());
  for (const json& step : steps) {
    notes += options_line(step);
    if (step.contains("policy")) notes += policy_text(step.at("policy"));
  }
  const json count = metrics.value("parameters", json::object());
  const std::int64_t before = count.value("before", std::int64_t{0}),
                     after = count.value("after", std::int64_t{0});
  if (before != after)
    notes +=
        fmt::format("parameters: {} as loaded, {} without the channels that left\n", before, after);
  if (!validation.is_null()) {
    const json& measured = validation.at("measured");
    const bool simulated = measured.at("conditions").value("simulated", false);
    const json& outputs = validation.at("against_emulated").at("outputs");
    table.row({"board", validation.at("board"),
               metric_text(metric, validation.at("metric").at("measured")),
               outputs.empty() ? "-" : share(outputs[0].at("top1_agreement")), "-",
               milliseconds(validation.at("predicted_ms")), milliseconds(measured.at("median_ms")),
               kilobytes(bytes.at("after"))});
    notes += fmt::format("board: {} samples; same top-1: as the emulation{}\n",
                         validation.at("against_emulated").at("samples").dump(),
                         simulated ? "; measured: simulated, the time of this machine's CPU" : "");
  }
  return table.str() + notes;
}

}  // namespace adze::host
