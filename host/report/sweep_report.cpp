#include "host/report/sweep_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/report/page.hpp"
#include "host/report/svg.hpp"
#include "host/report/svg_curves.hpp"

namespace adze::host {
namespace {

using namespace html;
using nlohmann::json;

bool counts_in_points(const json& sweep) {
  return sweep.at("baseline").at("metric") != "output_error";
}

std::string metric_text(const json& sweep, double value) {
  return counts_in_points(sweep) ? fmt::format("{:.2f} %", value * 100)
                                 : fmt::format("{:.5g}", value);
}

std::string metric_name(const json& sweep) {
  const std::string metric = sweep.at("baseline").at("metric");
  return metric == "top1" ? "top-1" : metric == "top5" ? "top-5" : "output error";
}

std::string level_text(const json& target) {
  return fmt::format("{:.4g} %", target.at("sparsity").get<double>() * 100);
}

double gain_of(const json& sweep, const json& target) {
  const double after = target.at("predicted_ms");
  return after > 0 ? sweep.at("predicted_ms").get<double>() / after : 1;
}

std::string sweep_cards(const json& sweep) {
  const json& targets = sweep.at("targets");
  const auto drop = [](const json& target) { return target.at("drop").get<double>(); };
  const json& sparsest = targets.back();
  std::string html = card(metric_text(sweep, sweep.at("baseline").at("value")),
                          metric_name(sweep) + " before pruning");
  html += card(metric_text(sweep, sparsest.at("optimized").at("value")),
               fmt::format("{} at {}, {:+.2f} points", metric_name(sweep), level_text(sparsest),
                           -drop(sparsest)));
  html += card(fmt::format("{:.4g} → {:.4g} ms", sweep.at("predicted_ms").get<double>(),
                           sparsest.at("predicted_ms").get<double>()),
               fmt::format("predicted latency on {}, before and at {}",
                           sweep.at("board_type").get<std::string>(), level_text(sparsest)));
  // The sparsest that loses half a point at most: where most people stop.
  const json* best = nullptr;
  for (const json& target : targets)
    if (drop(target) <= 0.5) best = &target;
  if (best) html += card(level_text(*best), "sparsest that loses at most half a point", "pass");
  return cards(html);
}

std::string front_section(const json& sweep) {
  const double scale = counts_in_points(sweep) ? 100 : 1;
  const json& baseline = sweep.at("baseline");
  Curve front{.name = "recipe", .points = {}};
  front.points.push_back({sweep.at("predicted_ms").get<double>() * 1000,
                          baseline.at("value").get<double>() * scale, "before"});
  for (const json& target : sweep.at("targets"))
    front.points.push_back({target.at("predicted_ms").get<double>() * 1000,
                            target.at("optimized").at("value").get<double>() * scale,
                            level_text(target)});
  std::ranges::stable_sort(front.points, {}, &CurvePoint::x);
  const std::vector<Curve> curves = {std::move(front)};
  return heading("Accuracy against latency") +
         box(line_plot("Accuracy against predicted latency", curves,
                       {.name = "predicted latency of the whole model", .unit = " µs"},
                       {.name = metric_name(sweep), .unit = counts_in_points(sweep) ? " %" : ""})) +
         "<p class=\"dim\">A dot a target, named by its sparsity. Latency is predicted by a "
         "model fitted to published times and not verified on hardware.</p>\n";
}

std::string table_section(const json& sweep) {
  std::vector<std::vector<std::string>> rows;
  for (const json& target : sweep.at("targets"))
    rows.push_back({level_text(target), metric_text(sweep, target.at("optimized").at("value")),
                    fmt::format("{:+.2f}", -target.at("drop").get<double>()),
                    fmt::format("{:.1f} %", target.at("target_sparsity").get<double>() * 100),
                    fmt::format("{:.1f} %", target.at("all_sparsity").get<double>() * 100),
                    fmt::format("{:.4g} ms", target.at("predicted_ms").get<double>()),
                    fmt::format("{:.2f}x", gain_of(sweep, target)), target.at("folder")});
  return heading("Targets") + table({"Target", metric_name(sweep), "Points", "Layers it may change",
                                     "All weights", "Predicted", "Gain", "Folder"},
                                    rows, 0);
}

std::string allocation_section(const json& sweep) {
  std::vector<std::string> columns;
  for (const json& target : sweep.at("targets")) columns.push_back(level_text(target));
  std::vector<HeatRow> rows;
  for (const json& layer : sweep.at("layers")) {
    const std::string name = layer.at("name");
    HeatRow row{.label = name, .values = {}, .texts = {}};
    for (const json& target : sweep.at("targets")) {
      const json& by_layer = target.at("sparsity_by_layer");
      const auto found = by_layer.find(name);
      const double value = found == by_layer.end() ? -1.0 : found->get<double>();
      row.values.push_back(value);
      row.texts.push_back(value < 0 ? "gone" : fmt::format("{:.0f} %", value * 100));
    }
    rows.push_back(std::move(row));
  }
  return heading("Sparsity of each layer, by target") +
         box(heat_map("Sparsity of each layer, by target", columns, rows)) +
         "<p class=\"dim\">Layers in the order data travels. Those at 0 % were left dense.</p>\n";
}

}  // namespace

std::string error_curve_section(const json& documents) {
  std::vector<Curve> curves;
  for (const json& document : documents) {
    Curve curve{.name = document.at("name"), .points = {}};
    for (const json& point : document.at("points"))
      curve.points.push_back({point.at("sparsity").get<double>() * 100, point.at("error"), ""});
    curves.push_back(std::move(curve));
  }
  if (curves.empty()) return {};
  return heading("What each layer loses") +
         box(line_plot("Error of each layer over its sparsity", curves,
                       {.name = "sparsity of the layer", .unit = " %"},
                       {.name = "relative error of the layer's answers, pruned alone",
                        .logarithmic = true})) +
         "<p class=\"dim\">From the pruner's error database: each layer pruned and refitted alone, "
         "on calibration samples. The allocation keeps the sum of these errors small.</p>\n";
}

std::string render_sweep(const json& sweep) try {
  std::string html = page_start(
      sweep.at("model").get<std::string>() + ": several targets",
      fmt::format("{}, {} targets, for {}, seed {}.{}", sweep.at("stage").get<std::string>(),
                  sweep.at("targets").size(), sweep.at("board_type").get<std::string>(),
                  sweep.at("seed").dump(),
                  sweep.at("complete").get<bool>() ? "" : " Not complete: the run was stopped."));
  html += sweep_cards(sweep);
  std::vector<std::string> shown;
  for (const json& target : sweep.at("targets"))
    for (const json& warning : target.at("warnings")) {
      const std::string text = warning;
      if (std::ranges::find(shown, text) != shown.end()) continue;
      shown.push_back(text);
      html += "<div class=\"box note\">" + escape_html(text) + "</div>\n";
    }
  html += front_section(sweep) + table_section(sweep) + allocation_section(sweep) +
          error_curve_section(sweep.at("error_curves"));
  html +=
      "<h2>What these figures are</h2>\n<p>Accuracy: of the whole recipe at each target, on the "
      "evaluation set. Predicted: from the board type's numbers by a model fitted to published "
      "times, not "
      "verified on hardware. Each folder has a report of its own.</p>\n";
  return html + page_end();
} catch (const json::exception& error) {
  fail_incomplete("a document", error);
}

}  // namespace adze::host
