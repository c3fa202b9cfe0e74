#include "plugins/reconstruct/allocation.hpp"

#include <adze/adze.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <tuple>

namespace reconstruct {
namespace {

/// Sums of the choices for the first layers.
struct State {
  double cost, error;
  std::uint32_t before;  ///< the state without the last of these layers
  std::uint32_t choice;  ///< of the last of these layers
};

void check(std::span<const std::vector<Choice>> layers, double budget) {
  const auto fail = [](const std::string& text) {
    throw adze::Error(ADZE_INVALID_ARGUMENT, "allocation: " + text);
  };
  if (std::isnan(budget)) fail("the budget is no number");
  for (std::size_t l = 0; l < layers.size(); ++l) {
    if (layers[l].empty()) fail("layer " + std::to_string(l) + " has no level to choose");
    for (const Choice& choice : layers[l])
      if (!(choice.cost >= 0) || !(choice.error >= 0) || !std::isfinite(choice.cost + choice.error))
        fail("an error or cost of layer " + std::to_string(l) + " is not a number from 0 on");
  }
}

/// Leaves, by ascending cost, the states that no other beats in both sums.
void keep_unbeaten(std::vector<State>& states) {
  std::ranges::sort(states, {}, [](const State& state) {
    return std::tuple(state.cost, state.error, state.choice, state.before);
  });
  std::size_t kept = 0;
  for (const State& state : states)
    if (kept == 0 || state.error < states[kept - 1].error) states[kept++] = state;
  states.resize(kept);
}

/// `states` are unbeaten, so that of each cell the last has the smallest error. The first of all
/// stays too: it alone may fit in the end.
void keep_one_a_cell(std::vector<State>& states, std::size_t cells) {
  const double low = states.front().cost, high = states.back().cost;
  const auto cell = [&](const State& state) {
    return static_cast<std::size_t>((state.cost - low) / (high - low) *
                                    static_cast<double>(cells - 1));
  };
  std::vector<State> thinned = {states.front()};
  for (std::size_t s = 1; s < states.size(); ++s)
    if (s + 1 == states.size() || cell(states[s]) != cell(states[s + 1]))
      thinned.push_back(states[s]);
  states = std::move(thinned);
}

}  // namespace

CostRange cost_range(std::span<const std::vector<Choice>> layers) {
  CostRange range;
  for (const std::vector<Choice>& choices : layers) {
    const auto [low, high] = std::ranges::minmax(choices, {}, &Choice::cost);
    range.low += low.cost;
    range.high += high.cost;
  }
  return range;
}

std::optional<Allocation> allocate(std::span<const std::vector<Choice>> layers, double budget,
                                   std::size_t most_states) {
  check(layers, budget);
  // What the layers from here on cost at least.
  std::vector<double> least(layers.size() + 1, 0.0);
  for (std::size_t l = layers.size(); l-- > 0;)
    least[l] = least[l + 1] + std::ranges::min(layers[l], {}, &Choice::cost).cost;
  // Sums of the same terms in another order differ in their last bits.
  const double limit = budget + 1e-12 * std::max(std::abs(budget), least[0]);
  if (least[0] > limit) return std::nullopt;

  std::vector<std::vector<State>> steps = {{{.cost = 0, .error = 0, .before = 0, .choice = 0}}};
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const std::vector<State>& before = steps.back();
    std::vector<State> states;
    states.reserve(before.size() * layers[l].size());
    for (std::uint32_t s = 0; s < before.size(); ++s)
      for (std::uint32_t c = 0; c < layers[l].size(); ++c) {
        const double cost = before[s].cost + layers[l][c].cost;
        if (cost + least[l + 1] > limit) continue;
        states.push_back({cost, before[s].error + layers[l][c].error, s, c});
      }
    keep_unbeaten(states);
    if (states.size() > most_states) keep_one_a_cell(states, std::max<std::size_t>(most_states, 2));
    steps.push_back(std::move(states));
  }

  // Unbeaten and by ascending cost: the last has the smallest error.
  if (steps.back().empty()) return std::nullopt;
  const State* state = &steps.back().back();
  Allocation allocation{.chosen = std::vector<std::size_t>(layers.size()),
                        .error = state->error,
                        .cost = state->cost};
  for (std::size_t l = layers.size(); l-- > 0; state = &steps[l][state->before])
    allocation.chosen[l] = state->choice;
  return allocation;
}

}  // namespace reconstruct
