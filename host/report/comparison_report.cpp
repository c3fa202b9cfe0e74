#include "host/report/comparison_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/report/page.hpp"
#include "host/report/svg.hpp"

namespace adze::host {
namespace {

using namespace html;
using nlohmann::json;

constexpr std::size_t kMostRows = 400;
/// Where the axes of the pictures end: below float's rounding, and one element in ten million.
constexpr double kLowestMaxRel = 1e-9, kLowestShare = 1e-7;

std::string number_or_dash(const json& value, const char* format) {
  return value.is_number() ? fmt::format(fmt::runtime(format), value.get<double>()) : "–";
}

std::string percent(const json& share) {
  return share.is_number() ? fmt::format("{:.3g} %", share.get<double>() * 100) : "–";
}

std::string shape_text(const json& shape) {
  if (!shape.is_array()) return "–";
  std::string text;
  for (const json& size : shape) text += (text.empty() ? "" : "×") + size.dump();
  return text.empty() ? "scalar" : text;
}

bool is_quantized(const json& layer) { return layer.at("max_steps").is_number(); }

/// One kind of layers: their picture and what it shows.
std::string picture(const json& comparison, bool quantized) {
  const json& layers = comparison.at("layers");
  const json& limits = comparison.at("limits");
  std::vector<LayerPoint> points;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const json& layer = layers[i];
    if (is_quantized(layer) != quantized) continue;
    const json& figure = quantized ? layer.at("steps_differing_share") : layer.at("max_rel");
    const double value = figure.is_number() ? figure.get<double>() : 1;
    points.push_back({i, value, layer.at("within"),
                      fmt::format("{} ({}): {:.3g}", layer.at("name").get<std::string>(),
                                  layer.at("op").get<std::string>(), value)});
  }
  if (points.empty()) return {};
  const char* title = quantized
                          ? "Share of elements that differ by a quantization step, layer by layer"
                          : "Largest difference by largest magnitude, layer by layer";
  std::string html = box(layer_chart(title, points, layers.size(),
                                     limits.at(quantized ? "steps_differing_share" : "max_rel"),
                                     quantized ? kLowestShare : kLowestMaxRel));
  return heading(title) + html;
}

std::string layer_rows(const json& comparison) {
  const json& layers = comparison.at("layers");
  std::size_t begin = 0;
  const std::size_t end_of_all = layers.size();
  if (end_of_all > kMostRows) {  // around where they part, or the beginning
    for (std::size_t i = 0; i < end_of_all; ++i)
      if (!layers[i].at("within").get<bool>()) {
        begin = std::min(i - std::min<std::size_t>(i, 5), end_of_all - kMostRows);
        break;
      }
  }
  const std::size_t end = std::min(end_of_all, begin + kMostRows);
  const bool in_steps = std::ranges::any_of(layers, is_quantized);
  std::vector<std::string> header = {"Layer",   "Operator", "",        "Shape",
                                     "Largest", "Relative", "SQNR dB", "Differ"};
  if (in_steps) header.insert(header.end(), {"Steps", "Beyond one"});
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = begin; i < end; ++i) {
    const json& layer = layers[i];
    const bool first = layer.at("name") == comparison.at("first_parting");
    const bool within = layer.at("within");
    rows.push_back({layer.at("name"), layer.at("op"),
                    first    ? "parts here"
                    : within ? ""
                             : "beyond",
                    shape_text(layer.at("shape")), number_or_dash(layer.at("max_abs"), "{:.3g}"),
                    number_or_dash(layer.at("max_rel"), "{:.3g}"),
                    number_or_dash(layer.at("sqnr_db"), "{:.1f}"),
                    percent(is_quantized(layer) ? layer.at("steps_differing_share")
                                                : layer.at("mismatch_share"))});
    if (!in_steps) continue;
    rows.back().push_back(number_or_dash(layer.at("max_steps"), "{:.0f}"));
    rows.back().push_back(percent(layer.at("steps_beyond_share")));
  }
  std::string html = heading("Layers");
  if (end - begin < end_of_all)
    html += fmt::format("<p class=\"dim\">Layers {} to {} of {}; compare.json has all.</p>\n",
                        begin + 1, end, end_of_all);
  return html + table(header, rows, 3);
}

std::string unobserved_rows(const json& comparison) {
  std::vector<std::vector<std::string>> rows;
  for (const json& value : comparison.at("unobserved"))
    rows.push_back({value.at("name"), value.at("op"), value.at("reason")});
  if (rows.empty()) return {};
  const std::size_t all = rows.size();
  if (all > kMostRows) rows.resize(kMostRows);
  return heading("Values that were not compared") +
         (all > kMostRows ? fmt::format("<p class=\"dim\">{} of {}; compare.json has all.</p>\n",
                                        kMostRows, all)
                          : "") +
         table({"Value", "Operator", "Reason"}, rows, 9);
}

std::string output_rows(const json& comparison) {
  std::vector<std::vector<std::string>> rows;
  for (const json& output : comparison.at("outputs"))
    rows.push_back({output.at("name"), number_or_dash(output.at("sqnr_db"), "{:.1f} dB"),
                    number_or_dash(output.at("cosine"), "{:.6f}"),
                    number_or_dash(output.at("max_abs"), "{:.4g}"),
                    number_or_dash(output.at("max_rel"), "{:.3g}"),
                    percent(output.at("mismatch_share")),
                    number_or_dash(output.at("top1_agreement"), "{:.4f}")});
  return heading("Outputs") + table({"Output", "SQNR", "Cosine", "Largest", "Relative",
                                     "Share that differs", "Same top-1"},
                                    rows, 1);
}

std::string summary(const json& comparison) {
  const std::string verdict = comparison.at("verdict");
  std::string inner = card(verdict, comparison.at("samples").dump() + " samples",
                           verdict == "FAIL" ? "fail" : "pass");
  if (!comparison.contains("layers")) return cards(inner);
  const json& first = comparison.at("first_parting");
  inner += card(std::to_string(comparison.at("layers").size()), "layers compared");
  if (first.is_string())
    inner += card(first.get<std::string>(), "is the first layer that parts", "fail");
  else
    inner += card("none", "of the layers parts", "pass");
  inner += card(std::to_string(comparison.at("unobserved").size()), "values not compared");
  return cards(inner);
}

}  // namespace

std::string render_comparison(const json& comparison) try {
  std::string html =
      page_start("Comparison", fmt::format("{} against {}", comparison.at("b").get<std::string>(),
                                           comparison.at("a").get<std::string>()));
  html += summary(comparison);
  if (comparison.contains("layers")) {
    html += picture(comparison, false) + picture(comparison, true);
    html += layer_rows(comparison) + unobserved_rows(comparison);
  }
  html += output_rows(comparison);
  html +=
      "<h2>What these figures are</h2>\n<p>Largest: the largest difference of two elements "
      "in the same place. Relative: that, divided by the largest magnitude in the reference. "
      "Differ: "
      "the share of elements that are not equal, or a step apart. Quantized layers are "
      "judged in steps of their quantization: how many, and by how large a share of the "
      "elements.</p>\n";
  return html + page_end();
} catch (const json::exception& error) {
  fail_incomplete("the comparison", error);
}

}  // namespace adze::host
