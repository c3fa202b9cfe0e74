#include "plugins/magnitude/mask.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

namespace magnitude {
namespace {

/// Clears the mask of the `count` lowest of `candidates`, which are sorted by place in memory.
void drop_lowest(std::vector<std::size_t>& candidates, std::size_t count,
                 std::span<const double> scores, std::vector<std::uint8_t>& keep) {
  // Of equals the last in memory leaves first, so that the first one stays.
  const auto lower = [&](std::size_t a, std::size_t b) {
    return scores[a] != scores[b] ? scores[a] < scores[b] : a > b;
  };
  const auto middle = candidates.begin() + static_cast<std::ptrdiff_t>(count);
  if (middle != candidates.end())
    std::nth_element(candidates.begin(), middle, candidates.end(), lower);
  for (auto dropped = candidates.begin(); dropped != middle; ++dropped) keep[*dropped] = 0;
}

}  // namespace

std::vector<std::uint8_t> choose_mask(const Layer& layer, const Goal& goal,
                                      std::span<const double> scores,
                                      std::span<const std::uint8_t> earlier) {
  std::vector<double> ranked(scores.begin(), scores.end());
  for (std::size_t i = 0; i < earlier.size(); ++i)
    if (!earlier[i]) ranked[i] = -1;
  std::vector<std::uint8_t> keep(ranked.size(), 1);
  std::vector<std::size_t> candidates;

  if (goal.group == 0) {
    candidates.resize(ranked.size());
    std::iota(candidates.begin(), candidates.end(), std::size_t{0});
    const double leaving = std::round(goal.sparsity * static_cast<double>(ranked.size()));
    drop_lowest(candidates, static_cast<std::size_t>(leaving), ranked, keep);
  } else {
    if (layer.channels() < goal.group)
      throw adze::Error(ADZE_INVALID_ARGUMENT,
                        "it has " + std::to_string(layer.channels()) +
                            " input channels, fewer than a group of the pattern (" +
                            std::to_string(goal.group) + "); add it to `exclude`");
    for (std::int64_t row = 0; row < layer.rows; ++row)
      for (std::int64_t position = 0; position < layer.positions; ++position)
        for (std::int64_t first = 0; first < layer.channels(); first += goal.group) {
          const std::int64_t size = std::min(goal.group, layer.channels() - first);
          const std::int64_t kept = std::max<std::int64_t>(goal.kept * size / goal.group, 1);
          candidates.clear();
          for (std::int64_t channel = first; channel < first + size; ++channel)
            candidates.push_back(layer.index(row, channel * layer.positions + position));
          drop_lowest(candidates, static_cast<std::size_t>(size - kept), ranked, keep);
        }
  }
  for (std::size_t i = 0; i < earlier.size(); ++i) keep[i] = keep[i] && earlier[i] ? 1 : 0;
  return keep;
}

}  // namespace magnitude
