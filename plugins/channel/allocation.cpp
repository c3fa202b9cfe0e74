#include "plugins/channel/allocation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <set>

namespace channel {
namespace {

using Places = std::vector<std::size_t>;  // by group: which of its choices

constexpr std::size_t kFarthest = 4;  // choices that one step goes

class Search {
 public:
  Search(const std::vector<Choices>& groups, const Cost& cost, double budget)
      : groups_(groups), cost_(cost), budget_(budget) {}

  Counts counts(const Places& places) const {
    Counts leaving;
    for (std::size_t g = 0; g < places.size(); ++g)
      leaving.push_back(groups_[g].leaving[places[g]]);
    return leaving;
  }
  double error(const Places& places) const {
    double sum = 0;
    for (std::size_t g = 0; g < places.size(); ++g) sum += groups_[g].error[places[g]];
    return sum;
  }
  bool fits(const Places& places) const { return cost_.of(counts(places)) <= budget_; }

  /// Takes what costs the answers least for what it saves, until the budget holds.
  void shrink(Places& places, std::size_t spared = SIZE_MAX) const {
    while (!fits(places)) {
      const double now = cost_.of(counts(places));
      double least = std::numeric_limits<double>::infinity();
      std::optional<std::pair<std::size_t, std::size_t>> step;
      for (std::size_t g = 0; g < places.size(); ++g)
        for (std::size_t far = 1; far <= kFarthest && g != spared; ++far) {
          const std::size_t to = places[g] + far;
          if (to >= groups_[g].leaving.size()) break;
          Places next = places;
          next[g] = to;
          const double saved = std::min(now - cost_.of(counts(next)), now - budget_);
          const double worse = groups_[g].error[to] - groups_[g].error[places[g]];
          if (saved > 0 && worse / saved < least) least = worse / saved, step = {g, to};
        }
      if (!step) return;
      places[step->first] = step->second;
    }
  }

  /// Gives back what the budget does not need, the worst first.
  void grow(Places& places) const {
    for (bool found = true; found;) {
      found = false;
      double most = 0;
      Places best;
      for (std::size_t g = 0; g < places.size(); ++g) {
        if (places[g] == 0) continue;
        Places next = places;
        --next[g];
        const double better = error(places) - error(next);
        if (better > most && fits(next)) most = better, best = std::move(next), found = true;
      }
      if (found) places = std::move(best);
    }
  }

  /// All that give one group some back and let others pay for it.
  std::vector<Places> exchanges(const Places& places) const {
    std::vector<Places> all;
    for (std::size_t back = 0; back < places.size(); ++back)
      for (std::size_t far = 1; far <= kFarthest && far <= places[back]; ++far) {
        Places start = places;
        start[back] -= far;
        for (std::size_t pays = 0; pays < places.size(); ++pays) {
          if (pays == back) continue;
          Places next = start;
          while (!fits(next) && next[pays] + 1 < groups_[pays].leaving.size()) ++next[pays];
          if (fits(next)) all.push_back(std::move(next));
        }
        Places next = start;
        shrink(next, back);
        if (fits(next)) all.push_back(std::move(next));
      }
    for (Places& each : all) grow(each);
    std::ranges::sort(all);
    const auto [first, last] = std::ranges::unique(all);
    all.erase(first, last);
    return all;
  }

  Places places_of(const Counts& counts) const {
    Places places;
    for (std::size_t g = 0; g < counts.size(); ++g)
      places.push_back(static_cast<std::size_t>(
          std::ranges::lower_bound(groups_[g].leaving, counts[g]) - groups_[g].leaving.begin()));
    return places;
  }

 private:
  const std::vector<Choices>& groups_;
  const Cost& cost_;
  double budget_;
};

/// Exchanges grow with the square of the groups: many groups go without.
constexpr std::size_t kMostGroups = 64;

}  // namespace

Counts largest(const std::vector<Choices>& groups) {
  Counts counts;
  for (const Choices& group : groups) counts.push_back(group.leaving.back());
  return counts;
}

Counts allocate(const std::vector<Choices>& groups, const Cost& cost, double budget) {
  const Search search(groups, cost, budget);
  Places places(groups.size(), 0);
  search.shrink(places);
  search.grow(places);
  for (bool found = groups.size() <= kMostGroups; found;) {
    found = false;
    double least = search.error(places);
    const double enough = least * (1 - 1e-9);
    Places best;
    for (Places& next : search.exchanges(places))
      if (const double error = search.error(next); error < least && error < enough)
        least = error, best = std::move(next), found = true;
    if (found) places = std::move(best);
  }
  return search.counts(places);
}

Counts allocate_uniformly(const std::vector<Choices>& groups, const Cost& cost, double budget) {
  const Search search(groups, cost, budget);
  for (int percent = 0; percent <= 100; ++percent) {
    Places places;
    for (const Choices& group : groups) {
      const double wanted = percent / 100.0 * group.leaving.back();
      std::size_t at = 0;
      while (group.leaving[at] < wanted) ++at;
      places.push_back(at);
    }
    if (percent == 100 || search.fits(places)) return search.counts(places);
  }
  return {};
}

Counts improve(const std::vector<Choices>& groups, const Cost& cost, double budget, Counts counts,
               double best, int trials, const std::function<double(const Counts&)>& loss) {
  if (groups.size() > kMostGroups) return counts;
  const Search search(groups, cost, budget);
  Places places = search.places_of(counts);
  std::set<Places> tried = {places};
  for (bool found = true; found && trials > 0;) {
    found = false;
    std::vector<Places> next = search.exchanges(places);
    std::ranges::stable_sort(next, {}, [&](const Places& each) { return search.error(each); });
    for (const Places& each : next) {
      if (!tried.insert(each).second) continue;
      if (trials-- <= 0) break;
      const double now = loss(search.counts(each));
      if (now >= best) continue;
      best = now;
      places = each;
      found = true;
      break;
    }
  }
  return search.counts(places);
}

}  // namespace channel
