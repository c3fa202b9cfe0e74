#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <queue>

#include "host/base/error.hpp"
#include "host/graph/graph.hpp"

namespace adze::host {
namespace {

[[noreturn]] void refuse(const std::string& text) { throw Error(ADZE_INVALID_ARGUMENT, text); }

// Which node produces each value, refusing what cannot be one graph.
std::vector<std::uint32_t> find_producers(const Graph& graph) {
  std::vector<std::uint32_t> producer(graph.values.size(), kNone);
  std::vector<bool> given(graph.values.size());
  for (const std::uint32_t input : graph.inputs) {
    if (graph.value(input).constant)
      refuse(fmt::format("value '{}' is a constant and an input of the model",
                         graph.value(input).name));
    given[input] = true;
  }
  for (std::uint32_t n = 0; n < graph.nodes.size(); ++n) {
    for (const std::uint32_t output : graph.nodes[n].outputs) {
      if (output == kNone) continue;
      const Value& value = graph.values.at(output);
      if (producer[output] != kNone)
        refuse(fmt::format("value '{}' is produced twice: by node '{}' and by node '{}'",
                           value.name, graph.nodes[producer[output]].name, graph.nodes[n].name));
      if (given[output] || value.constant)
        refuse(fmt::format("value '{}' is produced by node '{}' but is {} as well", value.name,
                           graph.nodes[n].name,
                           given[output] ? "an input of the model" : "a constant"));
      producer[output] = n;
    }
  }
  const auto check_known = [&](std::uint32_t value, const std::string& user) {
    if (producer[value] == kNone && !given[value] && !graph.values[value].constant)
      refuse(fmt::format("{} needs value '{}', which nothing produces", user,
                         graph.values[value].name));
  };
  for (const Node& node : graph.nodes)
    for (const std::uint32_t input : node.inputs)
      if (input != kNone) {
        static_cast<void>(graph.values.at(input));
        check_known(input, fmt::format("node '{}' ({})", node.name, node.op));
      }
  for (const std::uint32_t output : graph.outputs) check_known(output, "the model's output list");
  return producer;
}

// Nodes in the given order, each moved behind its producers only when it has to be.
std::vector<std::uint32_t> sorted_nodes(const Graph& graph,
                                        const std::vector<std::uint32_t>& producer) {
  const auto count = static_cast<std::uint32_t>(graph.nodes.size());
  std::vector<std::vector<std::uint32_t>> followers(count);
  std::vector<std::uint32_t> waits_for(count, 0);
  for (std::uint32_t n = 0; n < count; ++n)
    for (const std::uint32_t input : graph.nodes[n].inputs)
      if (input != kNone && producer[input] != kNone) {
        followers[producer[input]].push_back(n);
        ++waits_for[n];
      }
  std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> ready;
  for (std::uint32_t n = 0; n < count; ++n)
    if (waits_for[n] == 0) ready.push(n);
  std::vector<std::uint32_t> order;
  order.reserve(count);
  while (!ready.empty()) {
    const std::uint32_t n = ready.top();
    ready.pop();
    order.push_back(n);
    for (const std::uint32_t follower : followers[n])
      if (--waits_for[follower] == 0) ready.push(follower);
  }
  if (order.size() == count) return order;

  // Every node left waits for another one left: walking against the data must come round.
  std::vector<bool> left(count);
  for (std::uint32_t n = 0; n < count; ++n) left[n] = waits_for[n] > 0;
  auto at = static_cast<std::uint32_t>(std::find(left.begin(), left.end(), true) - left.begin());
  std::vector<std::uint32_t> path;
  while (std::find(path.begin(), path.end(), at) == path.end()) {
    path.push_back(at);
    for (const std::uint32_t input : graph.nodes[at].inputs)
      if (input != kNone && producer[input] != kNone && left[producer[input]]) {
        at = producer[input];
        break;
      }
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), at));
  constexpr std::size_t kNamed = 8;
  std::string names;
  for (std::size_t i = path.size(); i-- > 0;) {
    if (path.size() - i > kNamed) {
      names += fmt::format(" -> ... ({} nodes)", path.size());
      break;
    }
    names += fmt::format("{}'{}'", names.empty() ? "" : " -> ", graph.nodes[path[i]].name);
  }
  refuse(fmt::format("the nodes form a cycle: {}", names));
}

}  // namespace

void Graph::relink() {
  const std::vector<std::uint32_t> producer = find_producers(*this);
  std::vector<Node> ordered;
  ordered.reserve(nodes.size());
  for (const std::uint32_t n : sorted_nodes(*this, producer))
    ordered.push_back(std::move(nodes[n]));
  nodes = std::move(ordered);

  std::vector<std::uint32_t> renumbered(values.size(), kNone);
  std::vector<Value> kept;
  kept.reserve(values.size());
  const auto take = [&](std::uint32_t& value) {
    if (value == kNone) return;
    if (renumbered[value] == kNone) {
      renumbered[value] = static_cast<std::uint32_t>(kept.size());
      kept.push_back(std::move(values[value]));
      kept.back().producer = kNone;
      kept.back().consumers.clear();
    }
    value = renumbered[value];
  };
  for (std::uint32_t& input : inputs) take(input);
  for (std::uint32_t n = 0; n < nodes.size(); ++n) {
    for (std::uint32_t& input : nodes[n].inputs) {
      take(input);
      if (input == kNone) continue;
      std::vector<std::uint32_t>& consumers = kept[input].consumers;
      if (consumers.empty() || consumers.back() != n) consumers.push_back(n);
    }
    for (std::uint32_t& output : nodes[n].outputs) {
      take(output);
      if (output != kNone) kept[output].producer = n;
    }
  }
  for (std::uint32_t& output : outputs) take(output);
  values = std::move(kept);
}

}  // namespace adze::host
