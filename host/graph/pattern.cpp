#include "host/graph/pattern.hpp"

#include <algorithm>
#include <charconv>

namespace adze::host {
namespace {

/// A weight as outputs by input channels by kernel positions; strides in elements.
struct Layout {
  std::int64_t outputs = 0, channels = 0, positions = 1;
  std::int64_t output_stride = 0, channel_stride = 0;
};

std::optional<Layout> weight_layout(const Graph& graph, const Node& node) {
  const std::uint32_t weight = weight_of(graph, node);
  if (weight == kNone || node.op == "ConvTranspose") return std::nullopt;
  const Shape& shape = graph.value(weight).constant->shape();
  if (shape.size() < 2) return std::nullopt;
  if (node.op == "Conv") {
    const std::int64_t positions = element_count({shape.begin() + 2, shape.end()});
    return Layout{shape[0], shape[1], positions, shape[1] * positions, positions};
  }
  if (shape.size() > 2) return std::nullopt;
  if (node.op == "Gemm" && attribute_or<std::int64_t>(node, "transB", 0))
    return Layout{shape[0], shape[1], 1, shape[1], 1};
  return Layout{shape[1], shape[0], 1, 1, shape[1]};
}

/// A number of digits alone, up to the largest that makes sense; 0 otherwise.
std::int64_t number_of(std::string_view text) {
  constexpr std::int64_t kMost = 4096;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && number > 0 && number <= kMost ? number : 0;
}

}  // namespace

std::optional<Pattern> parse_pattern(std::string_view text) {
  const std::size_t at = text.find_first_of(":x");
  if (at == std::string_view::npos) return std::nullopt;
  const std::int64_t first = number_of(text.substr(0, at)), second = number_of(text.substr(at + 1));
  if (!first || !second) return std::nullopt;
  if (text[at] == ':') {
    if (first > second) return std::nullopt;
    return Pattern{.kept = first, .group = second};
  }
  if ((first == 1) == (second == 1)) return std::nullopt;
  return Pattern{.block_outputs = first, .block_inputs = second};
}

std::optional<PatternCheck> check_pattern(const Graph& graph, const Node& node,
                                          const Pattern& pattern,
                                          std::span<const std::uint8_t> kept) {
  const std::optional<Layout> layout = weight_layout(graph, node);
  if (!layout) return std::nullopt;
  PatternCheck check;
  check.weights = static_cast<std::int64_t>(kept.size());
  check.zeros = std::ranges::count(kept, 0);
  const std::int64_t rows = pattern.block_outputs;
  const std::int64_t width = pattern.group ? pattern.group : pattern.block_inputs;
  for (std::int64_t row = 0; row < layout->outputs; row += rows)
    for (std::int64_t first = 0; first < layout->channels; first += width)
      for (std::int64_t position = 0; position < layout->positions; ++position) {
        std::int64_t count = 0, all = 0;
        for (std::int64_t r = row; r < std::min(row + rows, layout->outputs); ++r)
          for (std::int64_t c = first; c < std::min(first + width, layout->channels); ++c, ++all)
            count += kept[static_cast<std::size_t>(r * layout->output_stride +
                                                   c * layout->channel_stride + position)] != 0;
        ++check.groups;
        if (pattern.group ? count <= pattern.kept : count == 0 || count == all) continue;
        if (check.violated++ > 0) continue;
        check.output = row, check.channel = first, check.position = position;
      }
  return check;
}

}  // namespace adze::host
