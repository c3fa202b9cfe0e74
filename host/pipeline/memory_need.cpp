#include "host/pipeline/memory_need.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "host/base/error.hpp"
#include "host/graph/statistics.hpp"

namespace adze::host {
namespace {

std::optional<double> number_of(const Facts& facts, const char* name) {
  const auto found = facts.find(name);
  if (found == facts.end()) return std::nullopt;
  if (const auto* number = std::get_if<double>(&found->second)) return *number;
  if (const auto* integer = std::get_if<std::int64_t>(&found->second))
    return static_cast<double>(*integer);
  return std::nullopt;
}

struct Sizes {
  double area, input, output, work, weight, channel, program;
  double kept_weight = 0;  ///< of a pruned layer; 0: pruning saves no memory
};

std::optional<Sizes> sizes_of(const Facts& facts) {
  const char* const names[] = {"memory.drpai_area_bytes",
                               "memory.input_bytes_per_element",
                               "memory.output_bytes_per_element",
                               "memory.work_bytes_per_element",
                               "memory.bytes_per_weight",
                               "memory.bytes_per_channel",
                               "memory.program_bytes"};
  double found[std::size(names)];
  for (std::size_t i = 0; i < std::size(names); ++i) {
    const auto number = number_of(facts, names[i]);
    if (!number) return std::nullopt;
    found[i] = *number;
  }
  Sizes sizes{found[0], found[1], found[2], found[3], found[4], found[5], found[6]};
  const auto sparse = facts.find("sparse.supported");
  if (sparse != facts.end() && std::get_if<bool>(&sparse->second) && std::get<bool>(sparse->second))
    sizes.kept_weight = number_of(facts, "sparse.bytes_per_kept_weight").value_or(0);
  return sizes;
}

class Count {
 public:
  Count(const Graph& graph, std::span<const Placement> placements, const Sizes& sizes)
      : graph_(graph), placements_(placements), sizes_(sizes) {}

  MemoryNeed need() const {
    double in = 0, out = 0, work = 0, weights = 0;
    for (std::uint32_t v = 0; v < graph_.values.size(); ++v) {
      const Value& value = graph_.values[v];
      if (value.constant) continue;
      const bool made = value.producer != kNone && on_accelerator(value.producer);
      const bool read = std::any_of(value.consumers.begin(), value.consumers.end(),
                                    [&](std::uint32_t node) { return on_accelerator(node); });
      const bool left =
          std::find(graph_.outputs.begin(), graph_.outputs.end(), v) != graph_.outputs.end() ||
          std::any_of(value.consumers.begin(), value.consumers.end(),
                      [&](std::uint32_t node) { return !on_accelerator(node); });
      if (made && !shares_its_place(v)) work += elements(v) * sizes_.work;
      if (made && left) out += elements(v) * sizes_.output;
      if (!made && read) in += elements(v) * sizes_.input;
    }
    for (std::uint32_t n = 0; n < graph_.nodes.size(); ++n)
      if (on_accelerator(n)) weights += weight_bytes(graph_.nodes[n]);
    const auto bytes = [](double size) { return static_cast<std::uint64_t>(std::ceil(size)); };
    const bool any = in + out + work + weights > 0;
    return {
        bytes(in),         bytes(work), bytes(out), bytes(weights), any ? bytes(sizes_.program) : 0,
        bytes(sizes_.area)};
  }

 private:
  bool on_accelerator(std::uint32_t node) const { return placements_[node].unit == "drpai"; }

  double elements(std::uint32_t value) const {
    const auto& shape = graph_.values[value].shape;
    double count = shape ? 1 : 0;
    for (std::size_t axis = 0; shape && axis < shape->size(); ++axis)
      count *= static_cast<double>(std::max<std::int64_t>((*shape)[axis], 0));
    return count;
  }

  const Node* only_reader(std::uint32_t value) const {
    const auto& readers = graph_.values[value].consumers;
    const bool shown =
        std::find(graph_.outputs.begin(), graph_.outputs.end(), value) != graph_.outputs.end();
    return readers.size() == 1 && !shown ? &graph_.nodes[readers[0]] : nullptr;
  }

  static bool is_one_of(const std::string& op, std::initializer_list<const char*> ops) {
    return std::any_of(ops.begin(), ops.end(), [&](const char* one) { return op == one; });
  }

  /// x * sigmoid(x), of x and of sigmoid(x): the product alone is written.
  bool goes_into_swish(std::uint32_t value) const {
    const auto& readers = graph_.values[value].consumers;
    if (const Node* reader = only_reader(value)) {
      const std::uint32_t producer = graph_.values[value].producer;
      return reader->op == "Mul" &&
             is_one_of(graph_.nodes[producer].op, {"Sigmoid", "HardSigmoid"});
    }
    if (readers.size() != 2) return false;
    const Node &a = graph_.nodes[readers[0]], &b = graph_.nodes[readers[1]];
    const auto gates = [](const Node& gate, const Node& product) {
      return is_one_of(gate.op, {"Sigmoid", "HardSigmoid"}) && product.op == "Mul" &&
             std::find(product.inputs.begin(), product.inputs.end(), gate.outputs[0]) !=
                 product.inputs.end();
    };
    return gates(a, b) || gates(b, a);
  }

  /// Parts that nobody else reads are written where the whole will be.
  bool is_written_in_place(const Node& concat) const {
    return std::all_of(concat.inputs.begin(), concat.inputs.end(), [&](std::uint32_t part) {
      return part != kNone && only_reader(part) && !graph_.values[part].constant;
    });
  }

  bool shares_its_place(std::uint32_t value) const {
    const Node& maker = graph_.nodes[graph_.values[value].producer];
    if (is_one_of(maker.op, {"Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Dropout"}))
      return true;
    if (maker.op == "Concat" && is_written_in_place(maker)) return true;
    const Node* reader = only_reader(value);
    if (reader && is_one_of(reader->op, {"Relu", "LeakyRelu", "Clip", "HardSwish"})) return true;
    return goes_into_swish(value);
  }

  double weight_bytes(const Node& node) const {
    const std::uint32_t weight = weight_of(graph_, node);
    if (weight == kNone) return 0;
    const ZeroCount zeros = zeros_of(graph_, node);
    const auto count = static_cast<double>(zeros.weights),
               kept = static_cast<double>(zeros.weights - zeros.zeros);
    double bytes = count * sizes_.weight;
    if (sizes_.kept_weight > 0) bytes = std::min(bytes, kept * sizes_.kept_weight);
    const Shape& shape = graph_.values[weight].constant->shape();
    if (node.op == "Conv" && !shape.empty())
      bytes += static_cast<double>(shape[0]) * sizes_.channel;
    return bytes;
  }

  const Graph& graph_;
  std::span<const Placement> placements_;
  const Sizes& sizes_;
};

std::string megabytes(std::uint64_t bytes) {
  return fmt::format("{:.1f}", static_cast<double>(bytes) / 1e6);
}

}  // namespace

std::optional<MemoryNeed> memory_need(const Graph& graph, std::span<const Placement> placements,
                                      const Facts& facts) {
  const std::optional<Sizes> sizes = sizes_of(facts);
  if (!sizes) return std::nullopt;
  return Count(graph, placements, *sizes).need();
}

nlohmann::json to_json(const MemoryNeed& need) {
  return {{"need", need.total_bytes()},   {"area", need.area_bytes},
          {"fits", need.fits()},          {"inputs", need.input_bytes},
          {"work", need.work_bytes},      {"outputs", need.output_bytes},
          {"weights", need.weight_bytes}, {"program", need.program_bytes}};
}

std::string memory_text(const MemoryNeed& need) {
  return fmt::format("{} of {} MB", megabytes(need.total_bytes()), megabytes(need.area_bytes));
}

void require_fit(const MemoryNeed& need, const std::string& model, const std::string& board_type) {
  if (need.fits()) return;
  throw Error(
      ADZE_RESOURCE_EXHAUSTED,
      fmt::format("'{}' needs {} MB of the memory area of DRP-AI ({} MB of inputs, {} of results, "
                  "{} of outputs, {} of weights), and '{}' sets {} MB aside; use smaller inputs, "
                  "or expand the area on the board and say so in memory.drpai_area_bytes of the "
                  "board type",
                  model, megabytes(need.total_bytes()), megabytes(need.input_bytes),
                  megabytes(need.work_bytes), megabytes(need.output_bytes),
                  megabytes(need.weight_bytes), board_type, megabytes(need.area_bytes)));
}

}  // namespace adze::host
