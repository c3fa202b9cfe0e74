#include "host/cli/quantization.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/graph/precision.hpp"
#include "host/graph/statistics.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

const char* name_of(Precision precision) {
  if (precision == Precision::int8) return "int8";
  return precision == Precision::floating ? "float" : "none";
}

std::string dtype_of(const Quant& quant) {
  return fmt::format("{}int{}", quant.is_signed ? "" : "u", int{quant.bits});
}

/// One number where all are equal.
std::string span_of(const auto& numbers, const char* format) {
  const auto [low, high] = std::ranges::minmax_element(numbers);
  const std::string text = fmt::format(fmt::runtime(format), *low);
  return *low == *high ? text : text + " .. " + fmt::format(fmt::runtime(format), *high);
}

struct Counts {
  int int8 = 0, floating = 0, layers = 0, int8_layers = 0;
};

std::string verdict_of(const Counts& counts, const MacShare& share, bool quantized) {
  if (!quantized && counts.int8 == 0) return "float";
  if (counts.floating == 0 && share.int8_macs == share.macs) return "int8";
  return "mixed";
}

std::string sentence(const std::string& verdict, const Counts& counts, const MacShare& share) {
  if (verdict == "float") return "No: nothing in this model is quantized.";
  const std::string macs = fmt::format("{} of {} layers and {:.2f} % of the MACs are INT8",
                                       counts.int8_layers, counts.layers, share.int8_share() * 100);
  if (verdict == "int8") return "Yes: " + macs + ".";
  return fmt::format("Not everywhere: {}; {} nodes compute in floating point.", macs,
                     counts.floating);
}

}  // namespace

void inspect_quantization(const std::filesystem::path& model, Context& context) {
  const Graph graph = load_simplified(model);
  const std::vector<NodePrecision> precisions = node_precisions(graph);
  const std::vector<QuantizedTensor> tensors = quantized_tensors(graph);
  const MacShare share = int8_macs(graph);

  json nodes = json::array(), grids = json::array();
  Counts counts;
  Table node_table({"node", "operator", "MMAC", "computes in", "because"});
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const NodePrecision& found = precisions[n];
    const std::int64_t macs = macs_of(graph, node);
    const bool int8 = found.precision == Precision::int8;
    counts.int8 += int8;
    counts.floating += found.precision == Precision::floating;
    counts.layers += macs > 0;
    counts.int8_layers += macs > 0 && int8;
    node_table.row(
        {node.name, node.op, macs ? fmt::format("{:.3f}", static_cast<double>(macs) / 1e6) : "",
         found.precision == Precision::none ? "-" : name_of(found.precision), found.reason});
    nodes.push_back({{"name", node.name},
                     {"op", node.op},
                     {"precision", name_of(found.precision)},
                     {"reason", found.reason},
                     {"macs", macs}});
  }
  Table tensor_table({"tensor", "kind", "type", "scale", "zero point", "scales"});
  for (const QuantizedTensor& tensor : tensors) {
    const Quant& quant = tensor.quant;
    const std::vector<std::int32_t> points =
        quant.zero_point.empty() ? std::vector<std::int32_t>(quant.scale.size()) : quant.zero_point;
    const bool per_channel = quant.axis >= 0;
    const char* kind = tensor.is_constant ? "constant" : "activation";
    tensor_table.row(
        {tensor.name, kind, dtype_of(quant), span_of(quant.scale, "{:.6g}"), span_of(points, "{}"),
         per_channel ? fmt::format("{}, axis {}", quant.scale.size(), quant.axis) : "1"});
    grids.push_back({{"name", tensor.name},
                     {"kind", kind},
                     {"dtype", dtype_of(quant)},
                     {"per_channel", per_channel},
                     {"axis", per_channel ? json(quant.axis) : json()},
                     {"scale", quant.scale},
                     {"zero_point", points}});
  }
  const std::string verdict = verdict_of(counts, share, !tensors.empty());
  std::string text = node_table.str();
  if (!tensors.empty()) text += "\n" + tensor_table.str();
  context.result({{"model", model.filename().string()},
                  {"verdict", verdict},
                  {"macs", share.macs},
                  {"int8_macs", share.int8_macs},
                  {"int8_mac_share", share.int8_share()},
                  {"nodes", nodes},
                  {"tensors", grids}},
                 text + "\nIs it really INT8? " + sentence(verdict, counts, share) + "\n");
}

}  // namespace adze::host
