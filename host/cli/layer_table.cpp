#include "host/cli/layer_table.hpp"

#include <fmt/format.h>

#include <map>

#include "host/cli/command.hpp"

namespace adze::host {
namespace {

constexpr std::size_t kMostRows = 40, kMostNames = 3;

/// By reason, because one reason often holds for many values.
std::string unobserved_text(const LayerComparison& comparison) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const Unobserved& value : comparison.unobserved)
    by_reason[value.reason].push_back(fmt::format("'{}' ({})", value.value, value.op));
  std::string text;
  for (const auto& [reason, values] : by_reason) {
    std::string names;
    for (std::size_t i = 0; i < values.size() && i < kMostNames; ++i)
      names += (i ? ", " : "") + values[i];
    if (values.size() > kMostNames)
      names += fmt::format(" and {} more", values.size() - kMostNames);
    text += fmt::format("  not compared: {}: {}\n", names, reason);
  }
  return text;
}

}  // namespace

std::string layer_text(const LayerComparison& comparison, const std::string& a,
                       const std::string& b) {
  const LayerResult* first = comparison.first_parting();
  const std::vector<std::size_t> shown = comparison.worth_showing(kMostRows);
  Table table({"layer", "op", "shape", "max abs", "max rel", "SQNR dB", "differing", "steps", ""});
  for (const std::size_t index : shown) {
    const LayerResult& result = comparison.layers[index];
    const OutputComparison& figures = result.figures;
    const double differing =
        figures.steps ? figures.steps->differing_share : figures.mismatch_share;
    table.row({result.layer.value, result.layer.op,
               result.layer.shape ? to_string(*result.layer.shape) : "-",
               fmt::format("{:.4g}", figures.max_abs),
               figures.max_rel ? fmt::format("{:.3g}", *figures.max_rel) : "-",
               figures.sqnr_db ? fmt::format("{:.1f}", *figures.sqnr_db) : "-",
               fmt::format("{:.4f} %", differing * 100),
               figures.steps ? fmt::format("{:.0f}", figures.steps->max) : "-",
               &result == first ? "<- parts here"
               : result.within  ? ""
                                : "beyond"});
  }
  std::string text = table.str();
  if (shown.size() < comparison.layers.size())
    text += fmt::format("{} of {} layers; --json and -o have all\n", shown.size(),
                        comparison.layers.size());
  text += unobserved_text(comparison);
  if (first)
    text += fmt::format("{} and {} part at '{}' (node '{}', {})\n", a, b, first->layer.value,
                        first->layer.node, first->layer.op);
  else
    text += fmt::format("{} and {} part nowhere: {} layers within the limits\n", a, b,
                        comparison.layers.size());
  return text + "\n";
}

}  // namespace adze::host
