#include "host/report/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "host/report/page.hpp"
#include "host/report/placement_report.hpp"
#include "host/report/quantization_report.hpp"
#include "host/report/svg.hpp"
#include "host/report/sweep_report.hpp"

namespace adze::host {
namespace {

using namespace html;
using nlohmann::json;

std::string percent(double share) { return fmt::format("{:.2f} %", share * 100); }
std::string milliseconds(double value) { return fmt::format("{:.4g} ms", value); }
std::string kilobytes(const json& bytes) {
  return fmt::format("{:.0f} kB", bytes.get<double>() / 1000);
}

bool is_share(const std::string& metric) { return metric == "top1" || metric == "top5"; }
std::string metric_text(const std::string& metric, double value) {
  return is_share(metric) ? percent(value) : fmt::format("{:.5g}", value);
}
std::string metric_name(const std::string& metric) {
  return metric == "top1" ? "top-1" : metric == "top5" ? "top-5" : "output error";
}

// Null is "undefined or not measured", never 0.
std::string number_or(const json& value, const char* format, const char* fallback) {
  return value.is_number() ? fmt::format(fmt::runtime(format), value.get<double>()) : fallback;
}

std::string summary_cards(const json& metrics, const json& validation) {
  std::string cards;
  if (!metrics.is_null()) {
    const json &before = metrics.at("baseline"), &after = metrics.at("optimized");
    const std::string metric = before.at("metric");
    const double from = before.at("value"), to = after.at("value");
    const bool held = metrics.at("accept").at("passed");
    cards +=
        card(metric_text(metric, to),
             fmt::format("{} after, {} before", metric_name(metric), metric_text(metric, from)),
             held ? "pass" : "fail");
    cards += card(percent(metrics.at("sparsity")), "of all weights are zero");
    const json count = metrics.value("parameters", json::object());
    const std::int64_t loaded = count.value("before", std::int64_t{0}),
                       left = count.value("after", std::int64_t{0});
    if (loaded != left)
      cards += card(fmt::format("{} → {}", loaded, left), "parameters: channels have left");
    cards += card(
        fmt::format("{:.3g} → {:.3g} ms", metrics.at("predicted_ms").at("before").get<double>(),
                    metrics.at("predicted_ms").at("after").get<double>()),
        "predicted latency on " + metrics.at("board_type").get<std::string>());
    if (const json memory = metrics.value("memory_bytes", json()); memory.is_object())
      cards += card(fmt::format("{:.1f} MB", memory.at("need").get<double>() / 1e6),
                    fmt::format("of {:.1f} MB of the memory area of DRP-AI",
                                memory.at("area").get<double>() / 1e6),
                    memory.at("fits").get<bool>() ? "" : "fail");
    cards += card(fmt::format("{} → {}", kilobytes(metrics.at("size_bytes").at("before")),
                              kilobytes(metrics.at("size_bytes").at("after"))),
                  "model file");
  }
  if (!validation.is_null()) {
    const std::string verdict = validation.at("verdict");
    cards += card(verdict, "on board " + validation.at("board").get<std::string>(),
                  verdict == "PASS" ? "pass" : "fail");
  }
  return html::cards(cards);
}

std::string accuracy_section(const json& metrics, const json& validation) {
  const std::string metric = metrics.at("baseline").at("metric");
  std::vector<BarRow> rows;
  std::vector<std::vector<std::string>> cells;
  double lowest = 1;
  const auto add = [&](const std::string& label, double value, const std::string& where,
                       const std::string& sparsity) {
    const double change = (value - metrics.at("baseline").at("value").get<double>()) * 100;
    rows.push_back({label, {is_share(metric) ? value * 100 : value}, {metric_text(metric, value)}});
    cells.push_back({label, where, metric_text(metric, value),
                     !is_share(metric) || change == 0 ? "" : fmt::format("{:+.2f} points", change),
                     sparsity});
    lowest = std::min(lowest, value);
  };
  add("as loaded", metrics.at("baseline").at("value"), metrics.at("baseline").at("backend"), "");
  for (const json& step : metrics.at("steps"))
    add(step.at("name"), step.at("value"), step.at("backend"), percent(step.at("sparsity")));
  if (!validation.is_null() && validation.at("metric").at("measured").is_number()) {
    // Over fewer samples than the steps above: comparable with the emulation on the same ones only.
    const double measured = validation.at("metric").at("measured");
    const std::string samples = validation.at("against_emulated").at("samples").dump();
    add(fmt::format("board, {} samples", samples), measured,
        "board " + validation.at("board").get<std::string>(), "");
    cells.back()[3] =
        fmt::format("emulated on the same: {}",
                    metric_text(metric, validation.at("metric").at("emulated").get<double>()));
  }
  const std::vector<std::string> series = {metric_name(metric)};
  // Bars that all end near 92 % show nothing when they begin at 0: the chart says where it begins.
  const double low = is_share(metric) ? std::floor(std::max(0.0, lowest * 100 - 5) / 5) * 5 : 0;
  std::string html = heading("Accuracy") + box(bar_chart("Accuracy by step", series, rows, low));
  if (low > 0) html += fmt::format("<p class=\"dim\">Bars begin at {:.0f} %.</p>\n", low);
  return html + table({"Step", "Run by", metric_name(metric), "Change", "Sparsity"}, cells, 2);
}

std::string rewrite_section(const json& rewrites) {
  std::vector<std::vector<std::string>> rows;
  for (const json& rewrite : rewrites)
    rows.push_back(
        {rewrite.at("node"), rewrite.at("op"), rewrite.at("reason"), rewrite.at("text")});
  if (rows.empty()) return "";
  return heading("Nodes said differently to stay on the accelerator") +
         table({"Node", "Operator", "Why it would leave", "What stands there now"}, rows, 9);
}

std::string layer_section(const json& metrics) {
  std::vector<BarRow> sparsity, latency;
  std::vector<std::vector<std::string>> elsewhere;
  for (const json& layer : metrics.at("layers")) {
    const std::string name = layer.at("name");
    if (layer.at("sparsity").is_number())
      sparsity.push_back(
          {name, {layer.at("sparsity").get<double>() * 100}, {percent(layer.at("sparsity"))}});
    const double before = layer.at("predicted_ms").at("before"),
                 after = layer.at("predicted_ms").at("after");
    latency.push_back(
        {name,
         {before * 1000, after * 1000},
         {fmt::format("{:.3g} µs", before * 1000), fmt::format("{:.3g} µs", after * 1000)}});
    if (layer.at("unit") != "drpai")
      elsewhere.push_back({name, layer.at("op"), layer.at("unit"), layer.at("reason")});
  }
  const std::vector<std::string> share = {"zeros"}, stages = {"as loaded", "optimized"};
  std::string html =
      heading("Sparsity per layer") + box(bar_chart("Share of zero weights", share, sparsity));
  html += error_curve_section(metrics.value("error_curves", json::array()));
  html += heading("Predicted time per layer on " +
                  escape_html(metrics.at("board_type").get<std::string>()));
  html += box(bar_chart("Predicted time per layer", stages, latency));
  html += placement_section(metrics.at("layers"));
  html += rewrite_section(metrics.value("rewrites", json::array()));
  html += heading("Nodes that leave the accelerator");
  return html + (elsewhere.empty()
                     ? "<p>None: every node runs on DRP-AI.</p>\n"
                     : table({"Node", "Operator", "Runs on", "Reason"}, elsewhere, 9));
}

std::string comparison_rows(const json& comparison, const char* against) {
  std::vector<std::vector<std::string>> rows;
  for (const json& output : comparison.at("outputs"))
    rows.push_back(
        {output.at("name"), number_or(output.at("sqnr_db"), "{:.1f} dB", "identical"),
         number_or(output.at("cosine"), "{:.6f}", "undefined"),
         number_or(output.at("max_abs"), "{:.4g}", "undefined"),
         number_or(output.at("mismatch_share"), "{:.3g}", ""),
         output.at("top1_agreement").is_number() ? percent(output.at("top1_agreement")) : ""});
  return fmt::format("<p>Against {}, {} samples:</p>\n", against,
                     comparison.at("samples").get<std::int64_t>()) +
         table(
             {"Output", "SQNR", "Cosine", "Largest difference", "Share that differs", "Same top-1"},
             rows, 1);
}

std::string board_section(const json& validation) {
  const json& measured = validation.at("measured");
  const std::vector<double> samples = measured.at("samples_ms");
  const double median = measured.at("median_ms");
  const bool simulated = measured.at("conditions").value("simulated", false);
  std::string html = heading("Board " + escape_html(validation.at("board").get<std::string>()));
  if (simulated)
    html +=
        "<div class=\"box note\">This board is <b>simulated</b>: its latency is that of the plain "
        "INT8 path on the machine it ran on, and says nothing about DRP-AI hardware. The "
        "predicted latency is for hardware, and is not verified on it yet.</div>\n";
  const json& predicted = validation.at("predicted_ms");
  html += table(
      {"Latency", "n", "min", "median", "95 % interval", "p90", "p95", "p99", "max", "predicted"},
      {{simulated ? "simulated" : "measured", std::to_string(samples.size()),
        milliseconds(measured.at("min_ms")), milliseconds(median),
        measured.at("ci95_ms").is_null()
            ? "n too small"
            : fmt::format("{:.4g} – {:.4g} ms", measured.at("ci95_ms").at(0).get<double>(),
                          measured.at("ci95_ms").at(1).get<double>()),
        milliseconds(measured.at("p90_ms")), milliseconds(measured.at("p95_ms")),
        number_or(measured.at("p99_ms"), "{:.4g} ms", "n too small"),
        milliseconds(measured.at("max_ms")), number_or(predicted, "{:.4g} ms", "none")}},
      1);
  html += box(histogram("Latency samples", samples, median,
                        !simulated && predicted.is_number() ? predicted.get<double>() : 0.0,
                        "predicted", " ms"));
  std::vector<double> sorted = samples;
  std::ranges::sort(sorted);
  const double q1 = sorted[sorted.size() / 4], q3 = sorted[sorted.size() * 3 / 4];
  html += box(sample_strip("Latency over the run", samples, q3 + 1.5 * (q3 - q1), " ms"));
  html += comparison_rows(validation.at("against_emulated"), "the emulation");
  html += comparison_rows(validation.at("against_fp32"), "the FP32 model");
  std::vector<std::vector<std::string>> conditions = {{"bundle", validation.at("bundle")}};
  for (const auto& [key, value] : measured.at("conditions").items())
    conditions.push_back({key, value.is_string() ? value.get<std::string>() : value.dump()});
  return html + "<p>Conditions:</p>\n" + table({"What", "Value"}, conditions, 9);
}

std::string warnings(const json& metrics) {
  std::string html;
  for (const json& warning : metrics.at("warnings"))
    html += "<div class=\"box note\">" + escape_html(warning.get<std::string>()) + "</div>\n";
  return html;
}

std::string timing_section(const json& timings) {
  std::vector<std::vector<std::string>> rows;
  for (const json& step : timings.at("steps"))
    rows.push_back({step.at("name"), fmt::format("{:.2f} s", step.at("seconds").get<double>())});
  return heading("Time this took") + table({"Step", "Seconds"}, rows, 1);
}

}  // namespace

std::string render_report(const ReportDocuments& documents) try {
  const auto& [metrics, timings, validation] = documents;
  std::string title = "Adze report", subtitle;
  if (!metrics.is_null()) {
    title = metrics.at("model");
    subtitle = fmt::format("Pruned and quantized for {}, seed {}.",
                           metrics.at("board_type").get<std::string>(), metrics.at("seed").dump());
  } else if (!validation.is_null()) {
    title = "Validation on " + validation.at("board").get<std::string>();
  }
  std::string html = page_start(title, subtitle);
  html += summary_cards(metrics, validation);
  if (!metrics.is_null())
    html += warnings(metrics) + accuracy_section(metrics, validation) +
            quantization_section(metrics, timings) + layer_section(metrics);
  if (!validation.is_null()) html += board_section(validation);
  if (!timings.is_null()) html += timing_section(timings);
  html +=
      "<h2>What these figures are</h2>\n<p>Emulated: exact INT8 arithmetic on this machine's CPU. "
      "Predicted: from the board type's numbers, not yet verified on hardware. Sparsity counts the "
      "zeros among the weights of all Conv, Gemm and MatMul nodes.</p>\n";
  return html + page_end();
} catch (const json::exception& error) {
  fail_incomplete("a document", error);
}

}  // namespace adze::host
