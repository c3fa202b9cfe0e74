#include "host/onnx/metadata.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

// The object under `key`, which leaves the graph's metadata.
json taken(Graph& graph, const char* key) {
  const auto at = graph.metadata.find(key);
  if (at == graph.metadata.end()) return json::object();
  const json parsed = json::parse(at->second, nullptr, false);
  graph.metadata.erase(at);
  if (!parsed.is_object())
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("the model's metadata '{}' are no JSON object", key));
  return parsed;
}

void set_mask(Value& value, const std::string& pattern) {
  value.pattern = pattern;
  const auto elements = to_f32(*value.constant);
  value.keep.resize(elements.size());
  for (std::size_t i = 0; i < elements.size(); ++i) value.keep[i] = elements[i] != 0;
}

}  // namespace

void read_metadata(Graph& graph, const RenamedConstants& renamed) {
  const json masks = taken(graph, kMasksKey), all_bits = taken(graph, kBitsKey);
  for (const auto& [name, mask] : masks.items()) {
    if (!mask.is_object() || !mask.contains("pattern") || !mask["pattern"].is_string())
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("the mask of '{}' in the model's metadata has no pattern", name));
    const auto apply = [&, &wanted = mask](const std::string& value_name) {
      const std::uint32_t index = graph.find_value(value_name);
      // A file that other tools have changed may have lost the constant; then nothing is masked.
      if (index == kNone || !graph.values[index].constant) return;
      set_mask(graph.values[index], wanted["pattern"].get<std::string>());
    };
    apply(name);
    for (const auto& [in_file, in_graph] : renamed)
      if (in_file == name && in_graph != name) apply(in_graph);
  }
  for (const auto& [name, bits] : all_bits.items()) {
    const std::uint32_t index = graph.find_value(name);
    const bool valid =
        bits.is_number_integer() && bits.get<std::int64_t>() >= 2 && bits.get<std::int64_t>() <= 8;
    if (!valid)
      throw Error(
          ADZE_INVALID_ARGUMENT,
          fmt::format("'{}' has an impossible number of bits in the model's metadata", name));
    if (index != kNone && graph.values[index].quant)
      graph.values[index].quant->bits = bits.get<std::uint8_t>();
  }
}

std::map<std::string, std::string> written_metadata(const Graph& graph,
                                                    const RenamedConstants& renamed) {
  json masks = json::object(), bits = json::object();
  for (const Value& value : graph.values) {
    if (value.quant && value.quant->bits != 8) bits[value.name] = value.quant->bits;
    if (!value.constant || value.keep.empty()) continue;
    std::string name = value.name;
    for (const auto& [in_file, in_graph] : renamed)
      if (in_graph == value.name) name = in_file;
    // N:M patterns count along input channels, which is axis 1 of weights.
    masks[name] = {{"pattern", value.pattern.empty() ? "unstructured" : value.pattern},
                   {"axis", 1}};
  }
  std::map<std::string, std::string> written;
  if (!masks.empty()) written[kMasksKey] = masks.dump();
  if (!bits.empty()) written[kBitsKey] = bits.dump();
  return written;
}

}  // namespace adze::host
