#include "host/report/quantization_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "host/report/page.hpp"
#include "host/report/svg.hpp"

namespace adze::host {
namespace {

using namespace html;
using nlohmann::json;

std::string share_text(const json& share) {
  return share.is_number() ? fmt::format("{:.1f} %", share.get<double>() * 100) : "";
}

std::string ms_text(const json& ms) {
  return ms.is_number() ? fmt::format("{:.4g} ms", ms.get<double>()) : "";
}

std::string estimate_text(const json& estimate, bool percent) {
  if (!estimate.is_object()) return "";
  const double drop = estimate.at("drop");
  return percent
             ? fmt::format("{:.2f} %", drop)
             : fmt::format("{:.2f} ± {:.2f}", drop, estimate.at("standard_error").get<double>());
}

/// One number where both are equal.
std::string between(const json& span, const char* format) {
  const auto text = [&](const char* key) {
    return fmt::format(fmt::runtime(format), span.at(key).get<double>());
  };
  const std::string low = text("min"), high = text("max");
  return low == high ? low : low + " – " + high;
}

std::string seconds_of(const json& timings, const std::string& step) {
  if (timings.is_null()) return "";
  for (const json& one : timings.at("steps"))
    if (one.at("name") == step) return fmt::format("{:.1f} s", one.at("seconds").get<double>());
  return "";
}

std::string measure_sentence(const json& policy) {
  const std::string measure = policy.at("measure");
  const std::string how =
      measure == "labels" ? "by their labels, against the model as loaded, in percentage points"
      : measure == "disagreement"
          ? "as the share of them that change their class, in points, for they have no labels; "
            "what earlier stages lost is not in it"
          : "as relative error of the outputs against the model as loaded";
  return fmt::format(
      "Estimated on {} held-out samples of [{}] {}. At most {:.4g} may be lost{}. The evaluation "
      "set was not used for any decision.",
      policy.at("samples").dump(), policy.at("source").get<std::string>(), how,
      policy.at("max_drop").get<double>(),
      policy.at("max_drop_given").get<bool>() ? "" : " (a default: the recipe says nothing)");
}

std::string group_table(const json& policy, bool percent) {
  std::vector<std::vector<std::string>> rows;
  for (const json& group : policy.at("groups")) {
    std::string nodes;
    for (const json& node : group.at("nodes"))
      nodes += (nodes.empty() ? "" : ", ") + node.get<std::string>();
    rows.push_back({nodes, group.at("reverted").get<bool>() ? "floating point" : "INT8",
                    group.at("reason"), fmt::format("{:.4f}", group.at("recovered").get<double>()),
                    share_text(group.at("mac_share")),
                    fmt::format("{:+.4g} ms", group.at("added_ms").get<double>()),
                    estimate_text(group.at("estimate"), percent)});
  }
  if (rows.empty()) return "";
  return "<p>Groups of layers that can only leave INT8 together, by the output error that goes "
         "when one is alone in floating point:</p>\n" +
         table({"Layers", "Now", "Because", "Recovered", "MACs", "Alone costs", "Drop with it"},
               rows, 3);
}

std::string policy_section(const json& step, const json& timings) {
  const json& policy = step.at("policy");
  const std::string use = step.at("name");
  const bool percent = policy.at("measure") == "output_error";
  std::vector<std::vector<std::string>> rows;
  for (const json& tried : policy.at("steps")) {
    const std::string name = tried.at("name"), outcome = tried.at("outcome");
    const bool chosen = tried.at("chosen");
    rows.push_back(
        {name, chosen ? outcome + ", taken" : outcome, tried.at("reason").get<std::string>(),
         estimate_text(tried.at("estimate"), percent),
         tried.at("estimate").is_object()
             ? fmt::format("{:.4f}", tried.at("estimate").at("output_error").get<double>())
             : "",
         share_text(tried.at("int8_mac_share")), ms_text(tried.at("predicted_ms")),
         seconds_of(timings, use + ": " + name)});
  }
  std::string html = heading("What " + escape_html(use) + " decided");
  html += fmt::format("<div class=\"box note\"><b class=\"{}\">{}</b> {}</div>\n",
                      policy.at("within").get<bool>() ? "pass" : "fail",
                      policy.at("within").get<bool>() ? "Within." : "Not within.",
                      escape_html(policy.at("decision").get<std::string>()));
  html += "<p class=\"dim\">" + escape_html(measure_sentence(policy)) + "</p>\n";
  html += table({"Step", "Outcome", "", percent ? "Error" : "Drop", "Output error", "INT8 MACs",
                 "Predicted", "Took"},
                rows, 3);
  return html + group_table(policy, percent);
}

std::string option_section(const json& metrics) {
  std::vector<std::vector<std::string>> rows;
  for (const json& step : metrics.at("steps"))
    for (const json& option : step.value("options", json::array()))
      rows.push_back({step.at("name"), option.at("name"), option.at("value"),
                      option.at("applied").get<bool>() ? "applied" : "no effect", option.at("by"),
                      option.at("reason")});
  if (rows.empty()) return "";
  return heading("Options given") +
         table({"Stage", "Option", "Value", "Outcome", "By", "Because"}, rows, 9);
}

std::string clipped_text(const json& tensor) {
  const double percent = tensor.at("clipped_share").get<double>() * 100;
  if (percent == 0) return "0 %";
  return percent < 0.001 ? "< 0.001 %" : fmt::format("{:.3f} %", percent);
}

std::string picture(const json& tensor) {
  const json& histogram = tensor.at("histogram");
  const std::vector<double> counts = histogram.at("counts");
  const GridPicture shown{.low = histogram.at("low"),
                          .high = histogram.at("high"),
                          .grid_low = histogram.at("grid_low"),
                          .grid_high = histogram.at("grid_high")};
  const std::string name = tensor.at("name");
  return fmt::format(
      "<div class=\"box\"><p><b>{}</b> <span class=\"dim\">{}, {} dB, {} "
      "clipped</span></p>{}</div>\n",
      escape_html(name), escape_html(tensor.at("kind").get<std::string>()),
      tensor.at("sqnr_db").is_number() ? fmt::format("{:.1f}", tensor.at("sqnr_db").get<double>())
                                       : "no",
      clipped_text(tensor), grid_histogram("Values of " + name, counts, shown));
}

std::string tensor_section(const json& quantization) {
  std::vector<const json*> worst;
  std::vector<std::vector<std::string>> rows;
  for (const json& tensor : quantization.at("tensors")) {
    if (tensor.contains("histogram")) worst.push_back(&tensor);
    const bool per_channel = tensor.at("axis").is_number();
    rows.push_back({tensor.at("name"), tensor.at("op"),
                    tensor.at("dtype").get<std::string>() +
                        (per_channel ? fmt::format(" × {}", tensor.at("scales").dump()) : ""),
                    between(tensor.at("scale"), "{:.3g}"),
                    between(tensor.at("zero_point"), "{:.0f}"),
                    fmt::format("{:.3g} – {:.3g}", tensor.at("range").at("low").get<double>(),
                                tensor.at("range").at("high").get<double>()),
                    clipped_text(tensor),
                    tensor.at("sqnr_db").is_number()
                        ? fmt::format("{:.1f} dB", tensor.at("sqnr_db").get<double>())
                        : "exact"});
  }
  std::string html = heading("Quantized tensors");
  html += fmt::format(
      "<p class=\"dim\">{} of the MACs are INT8. Figures of activations are over {} calibration "
      "samples, of each tensor's own rounding and clipping alone. The operator makes the tensor, "
      "or "
      "reads it when it is a constant.</p>\n",
      share_text(quantization.at("int8_mac_share")), quantization.at("samples").dump());
  html += table({"Tensor", "Operator", "Type", "Scale", "Zero point", "Range", "Clipped", "SQNR"},
                rows, 3);
  if (worst.empty()) return html;
  std::ranges::stable_sort(worst, [](const json* a, const json* b) {
    return a->at("sqnr_db").get<double>() < b->at("sqnr_db").get<double>();
  });
  html += heading("The tensors that lose most");
  html +=
      "<p class=\"dim\">How often each value occurs, on a logarithmic axis; between the dashed "
      "lines the grid holds it, outside it is clipped.</p>\n<div class=\"pictures\">\n";
  for (const json* tensor : worst) html += picture(*tensor);
  return html + "</div>\n";
}

}  // namespace

std::string quantization_section(const json& metrics, const json& timings) {
  std::string html;
  for (const json& step : metrics.at("steps"))
    if (step.contains("policy")) html += policy_section(step, timings);
  if (metrics.contains("quantization")) html += tensor_section(metrics.at("quantization"));
  return html + option_section(metrics);
}

}  // namespace adze::host
