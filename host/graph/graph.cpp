#include "host/graph/graph.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

template <class Items>
std::uint32_t find_by_name(const Items& items, std::string_view name) {
  const auto at =
      std::find_if(items.begin(), items.end(), [&](const auto& item) { return item.name == name; });
  return at == items.end() ? kNone : static_cast<std::uint32_t>(at - items.begin());
}

}  // namespace

std::uint32_t Graph::find_value(std::string_view value_name) const {
  return find_by_name(values, value_name);
}

std::uint32_t Graph::find_node(std::string_view node_name) const {
  return find_by_name(nodes, node_name);
}

template <class T>
T attribute_or(const Node& node, const std::string& name, T fallback) {
  const auto at = node.attributes.find(name);
  if (at == node.attributes.end()) return fallback;
  if (const T* held = std::get_if<T>(&at->second)) return *held;
  throw Error(ADZE_INVALID_ARGUMENT,
              fmt::format("attribute '{}' of node '{}' ({}) has another type "
                          "than the operator defines",
                          name, node.name, node.op));
}

template std::int64_t attribute_or(const Node&, const std::string&, std::int64_t);
template double attribute_or(const Node&, const std::string&, double);
template std::string attribute_or(const Node&, const std::string&, std::string);
template std::vector<std::int64_t> attribute_or(const Node&, const std::string&,
                                                std::vector<std::int64_t>);
template std::vector<double> attribute_or(const Node&, const std::string&, std::vector<double>);
template std::vector<std::string> attribute_or(const Node&, const std::string&,
                                               std::vector<std::string>);
template Tensor attribute_or(const Node&, const std::string&, Tensor);

std::uint32_t weight_of(const Graph& graph, const Node& node) {
  const bool weighted = node.domain.empty() && (node.op == "Conv" || node.op == "ConvTranspose" ||
                                                node.op == "Gemm" || node.op == "MatMul");
  if (!weighted || node.inputs.size() < 2 || node.inputs[1] == kNone) return kNone;
  return graph.value(node.inputs[1]).constant ? node.inputs[1] : kNone;
}

}  // namespace adze::host
