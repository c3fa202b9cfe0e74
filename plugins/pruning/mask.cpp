#include "plugins/pruning/mask.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

namespace pruning {
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

/// Between which numbers the element at place `rank` of the sorted scores most probably lies: asked
/// of some of them.
std::pair<double, double> bracket_of(std::size_t rank, std::span<const double> scores) {
  constexpr double kAll = std::numeric_limits<double>::infinity();
  constexpr std::size_t kFew = 32768, kSample = 2048;
  if (scores.size() < kFew) return {-kAll, kAll};
  std::vector<double> sample;
  const std::size_t step = scores.size() / kSample | 1;  // odd: of all columns
  for (std::size_t i = step / 2; i < scores.size(); i += step) sample.push_back(scores[i]);
  std::ranges::sort(sample);
  const auto size = static_cast<double>(sample.size());
  const double place = static_cast<double>(rank) / static_cast<double>(scores.size()) * size;
  const double reach = 2 * std::sqrt(size);  // four standard deviations or more
  const auto at = [&](double where) { return sample[static_cast<std::size_t>(where)]; };
  return {place - reach < 0 ? -kAll : at(place - reach),
          place + reach >= size ? kAll : at(place + reach)};
}

/// The element at place `rank` of the sorted scores, and how many are lower. Few are sorted: that
/// is what takes most of the time of a search in wide, flat layers.
std::pair<double, std::size_t> element_at(std::size_t rank, std::span<const double> scores) {
  auto [low, high] = bracket_of(rank, scores);
  std::vector<double> between(scores.size());
  for (;;) {
    std::size_t lower = 0, count = 0;
    for (const double score : scores) {
      lower += score < low;
      between[count] = score;
      count += !(score < low) & !(score > high);
    }
    if (rank < lower || rank >= lower + count) {
      low = -std::numeric_limits<double>::infinity();
      high = -low;
      continue;
    }
    const auto middle = between.begin() + static_cast<std::ptrdiff_t>(rank - lower);
    std::nth_element(between.begin(), middle, between.begin() + static_cast<std::ptrdiff_t>(count));
    return {*middle,
            lower + static_cast<std::size_t>(std::count_if(
                        between.begin(), middle, [&](double score) { return score < *middle; }))};
  }
}

/// The same of all: several times as fast as sorting places, which large layers need.
void drop_lowest_of_all(std::size_t count, std::span<const double> scores,
                        std::vector<std::uint8_t>& keep) {
  if (count == 0) return;
  if (count >= scores.size()) {
    std::fill(keep.begin(), keep.end(), std::uint8_t{0});
    return;
  }
  const auto [threshold, below] = element_at(count, scores);
  std::size_t equals = count - below;  // that must leave, too
  for (std::size_t i = 0; i < scores.size(); ++i) keep[i] = scores[i] >= threshold;
  for (std::size_t i = scores.size(); i-- > 0 && equals > 0;)
    if (scores[i] == threshold) {
      keep[i] = 0;
      --equals;
    }
}

std::size_t leaving(double sparsity, std::size_t count) {
  return static_cast<std::size_t>(std::round(sparsity * static_cast<double>(count)));
}

void choose_blocks(const Layer& layer, const Goal& goal, std::span<const double> scores,
                   std::vector<std::uint8_t>& keep) {
  const std::int64_t room = goal.block_inputs > 1 ? layer.channels() : layer.group_rows();
  const std::int64_t wanted = std::max(goal.block_inputs, goal.block_outputs);
  if (room < wanted)
    throw adze::Error(ADZE_INVALID_ARGUMENT,
                      "it has " + std::to_string(room) +
                          (goal.block_inputs > 1 ? " input channels" : " outputs a group") +
                          ", fewer than a block of the pattern (" + std::to_string(wanted) +
                          "); add it to `exclude`");
  // A block at the end may be smaller: its score counts by weight, so that size does not matter.
  std::vector<std::vector<std::size_t>> blocks;
  std::vector<double> means;
  for (std::int64_t group = 0; group < layer.groups; ++group)
    for (std::int64_t row = 0; row < layer.group_rows(); row += goal.block_outputs)
      for (std::int64_t channel = 0; channel < layer.channels(); channel += goal.block_inputs)
        for (std::int64_t position = 0; position < layer.positions; ++position) {
          std::vector<std::size_t> block;
          double sum = 0;
          for (std::int64_t r = row; r < std::min(row + goal.block_outputs, layer.group_rows());
               ++r)
            for (std::int64_t c = channel;
                 c < std::min(channel + goal.block_inputs, layer.channels()); ++c) {
              block.push_back(
                  layer.index(group * layer.group_rows() + r, c * layer.positions + position));
              sum += scores[block.back()];
            }
          means.push_back(sum / static_cast<double>(block.size()));
          blocks.push_back(std::move(block));
        }
  std::vector<std::uint8_t> stays(blocks.size(), 1);
  drop_lowest_of_all(leaving(goal.sparsity, blocks.size()), means, stays);
  for (std::size_t i = 0; i < blocks.size(); ++i)
    for (const std::size_t place : blocks[i]) keep[place] = stays[i];
}

void choose_in_groups(const Layer& layer, const Goal& goal, std::span<const double> scores,
                      std::vector<std::uint8_t>& keep) {
  if (layer.channels() < goal.group)
    throw adze::Error(ADZE_INVALID_ARGUMENT,
                      "it has " + std::to_string(layer.channels()) +
                          " input channels, fewer than a group of the pattern (" +
                          std::to_string(goal.group) + "); add it to `exclude`");
  std::vector<std::size_t> candidates;
  for (std::int64_t row = 0; row < layer.rows; ++row)
    for (std::int64_t position = 0; position < layer.positions; ++position)
      for (std::int64_t first = 0; first < layer.channels(); first += goal.group) {
        const std::int64_t size = std::min(goal.group, layer.channels() - first);
        const std::int64_t kept = std::max<std::int64_t>(goal.kept * size / goal.group, 1);
        candidates.clear();
        for (std::int64_t channel = first; channel < first + size; ++channel)
          candidates.push_back(layer.index(row, channel * layer.positions + position));
        drop_lowest(candidates, static_cast<std::size_t>(size - kept), scores, keep);
      }
}

}  // namespace

std::vector<std::uint8_t> choose_mask(const Layer& layer, const Goal& goal,
                                      std::span<const double> scores,
                                      std::span<const std::uint8_t> earlier) {
  std::vector<double> ranked;
  if (!earlier.empty()) {
    ranked.assign(scores.begin(), scores.end());
    // A block leaves first when all of it is gone already, not when one weight of it is.
    const double gone = goal.in_blocks() ? 0 : -1;
    for (std::size_t i = 0; i < earlier.size(); ++i)
      if (!earlier[i]) ranked[i] = gone;
    scores = ranked;
  }
  std::vector<std::uint8_t> keep(scores.size(), 1);
  if (goal.in_blocks())
    choose_blocks(layer, goal, scores, keep);
  else if (goal.group == 0)
    drop_lowest_of_all(leaving(goal.sparsity, scores.size()), scores, keep);
  else
    choose_in_groups(layer, goal, scores, keep);
  for (std::size_t i = 0; i < earlier.size(); ++i) keep[i] = keep[i] && earlier[i] ? 1 : 0;
  return keep;
}

}  // namespace pruning
