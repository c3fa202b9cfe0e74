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
