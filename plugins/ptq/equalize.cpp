#include "plugins/ptq/equalize.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "plugins/ptq/channels.hpp"
#include "plugins/ptq/collect.hpp"
#include "plugins/ptq/scalable_groups.hpp"

namespace ptq {
namespace {

constexpr std::uint64_t kSamplesForRanges = 32;
/// Noise that is left, below which a group is worth a rescaling that nobody asked for.
constexpr double kWorthwhile = 0.7;
constexpr int kMostRounds = 20;
constexpr double kLargestFactor = 1e6;

using Numbers = std::vector<double>;

void raise(Numbers& most, const Numbers& other, std::int64_t span = 1) {
  for (std::size_t i = 0; i < other.size(); ++i) {
    double& one = most[i / static_cast<std::size_t>(span)];
    one = std::max(one, other[i]);
  }
}

Numbers row_ranges(const EditedModel& model, const pruning::Layer& layer) {
  const auto weights = model.constant(layer.weight);
  Numbers largest(static_cast<std::size_t>(layer.rows), 0);
  for (std::int64_t row = 0; row < layer.rows; ++row)
    for (std::int64_t column = 0; column < layer.columns; ++column) {
      double& most = largest[static_cast<std::size_t>(row)];
      most = std::max(most, std::abs(static_cast<double>(weights[layer.index(row, column)])));
    }
  return largest;
}

Numbers input_ranges(const EditedModel& model, const pruning::Layer& layer) {
  if (is_depthwise(layer)) return row_ranges(model, layer);
  const auto weights = model.constant(layer.weight);
  Numbers largest(static_cast<std::size_t>(layer.channels()), 0);
  for (std::int64_t row = 0; row < layer.rows; ++row)
    for (std::int64_t column = 0; column < layer.columns; ++column) {
      double& most = largest[static_cast<std::size_t>(column / layer.positions)];
      most = std::max(most, std::abs(static_cast<double>(weights[layer.index(row, column)])));
    }
  return largest;
}

/// Largest |x| of each channel of each group.
std::vector<Numbers> activation_ranges(const EditedModel& model,
                                       const std::vector<ScalableGroup>& groups) {
  std::vector<adze_stat_request> requests;
  std::vector<std::size_t> owner;
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (const std::uint32_t value : groups[g].values) {
      if (model.value(value).shape[1] != groups[g].channels) continue;
      requests.push_back(request_of(ADZE_STAT_CHANNELS, value));
      requests.back().count = std::min<std::uint64_t>(kSamplesForRanges, sample_count(model));
      owner.push_back(g);
    }
  std::vector<Numbers> ranges;
  for (const ScalableGroup& group : groups)
    ranges.emplace_back(static_cast<std::size_t>(group.channels), 0.0);
  collect(model, requests, [&](std::size_t i, const adze_stat& stat) {
    const auto rows = doubles_of(stat);
    for (std::size_t c = 0; c < ranges[owner[i]].size(); ++c) {
      double& most = ranges[owner[i]][c];
      most = std::max({most, std::abs(rows[c * 4]), std::abs(rows[c * 4 + 1])});
    }
  });
  return ranges;
}

struct Balance {
  Numbers written, read;  ///< by channel
  bool free = false;      ///< no reader limits the factors
};

Balance balance_of(const EditedModel& model, const ScalableGroup& group, bool per_channel,
                   const Numbers& activations) {
  const auto channels = static_cast<std::size_t>(group.channels);
  Balance found{Numbers(channels, 0), Numbers(channels, 0), true};
  if (per_channel)
    found.written = activations;
  else
    for (const pruning::Layer& writer : group.writers)
      raise(found.written, row_ranges(model, writer));
  for (const Reader& reader : group.readers) {
    // A depthwise layer with a scale for each channel follows any factor.
    if (per_channel && is_depthwise(reader.layer)) continue;
    raise(found.read, input_ranges(model, reader.layer), reader.span);
    found.free = false;
  }
  return found;
}

/// Their logarithms have mean 0: the group as a whole keeps its size.
Numbers factors_of(const Balance& balance) {
  Numbers factors(balance.written.size(), 1);
  double sum = 0, count = 0;
  for (std::size_t c = 0; c < factors.size(); ++c) {
    const double written = balance.written[c], read = balance.free ? 1 : balance.read[c];
    if (written <= 0 || read <= 0) continue;
    factors[c] = balance.free ? written : std::sqrt(written / read);
    sum += std::log(factors[c]);
    ++count;
  }
  const double mean = count > 0 ? std::exp(sum / count) : 1;
  for (std::size_t c = 0; c < factors.size(); ++c)
    if (balance.written[c] > 0 && (balance.free || balance.read[c] > 0))
      factors[c] = std::clamp(factors[c] / mean, 1 / kLargestFactor, kLargestFactor);
  return factors;
}

/// Of the two roundings that meet in a reader: a step of the value times its weights, and a step of
/// the weights times the value, which a scale for each channel keeps as it is.
double expected_noise(const Balance& balance, const Numbers* factors) {
  double widest_value = 0, widest_weight = 0, values = 0, weights = 0;
  for (std::size_t c = 0; c < balance.written.size(); ++c) {
    const double factor = factors ? (*factors)[c] : 1;
    const double value = balance.written[c] / factor;
    const double weight = (balance.free ? 1 : balance.read[c]) * factor;
    widest_value = std::max(widest_value, value);
    widest_weight = std::max(widest_weight, weight);
    values += value * value;
    weights += weight * weight;
  }
  const double of_weights = balance.free ? 0 : widest_weight * widest_weight * values;
  return widest_value * widest_value * weights + of_weights;
}

void rescale(EditedModel& model, const ScalableGroup& group, const Numbers& factors) {
  Numbers inverse;
  for (const double factor : factors) inverse.push_back(1 / factor);
  const auto copy_of = [&](std::uint32_t value) {
    const auto shown = model.constant(value);
    return std::vector<float>(shown.begin(), shown.end());
  };
  for (const pruning::Layer& writer : group.writers) {
    std::vector<float> weights = copy_of(writer.weight);
    scale_rows(writer, inverse, weights);
    model.set_constant(writer.weight, std::move(weights));
    if (writer.bias == ADZE_NONE) continue;
    std::vector<float> bias = copy_of(writer.bias);
    for (std::size_t c = 0; c < bias.size(); ++c)
      bias[c] = static_cast<float>(static_cast<double>(bias[c]) * inverse[c]);
    model.set_constant(writer.bias, std::move(bias));
  }
  for (const Reader& reader : group.readers) {
    std::vector<float> weights = copy_of(reader.layer.weight);
    if (is_depthwise(reader.layer))
      scale_rows(reader.layer, factors, weights);
    else
      scale_inputs(reader.layer, factors, reader.span, weights);
    model.set_constant(reader.layer.weight, std::move(weights));
  }
}

double largest_change(const Numbers& factors) {
  double most = 0;
  for (const double factor : factors) most = std::max(most, std::abs(std::log(factor)));
  return most;
}

}  // namespace

std::size_t equalize(EditedModel& model, const Options& options) {
  if (options.equalize == Choice::off) return 0;
  const std::vector<ScalableGroup> groups = find_scalable_groups(model);
  if (groups.empty()) return 0;
  std::vector<Numbers> activations(groups.size());
  if (options.per_channel) activations = activation_ranges(model, groups);

  std::vector<bool> chosen(groups.size(), options.equalize == Choice::on);
  if (options.equalize == Choice::automatic)
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const Balance balance = balance_of(model, groups[g], options.per_channel, activations[g]);
      const Numbers factors = factors_of(balance);
      chosen[g] =
          expected_noise(balance, &factors) < kWorthwhile * expected_noise(balance, nullptr);
    }
  // A depthwise layer writes one group and reads another, so that weights settle in rounds.
  for (int round = 0; round < (options.per_channel ? 1 : kMostRounds); ++round) {
    double change = 0;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      if (!chosen[g]) continue;
      const Numbers factors =
          factors_of(balance_of(model, groups[g], options.per_channel, activations[g]));
      change = std::max(change, largest_change(factors));
      rescale(model, groups[g], factors);
    }
    if (change < 1e-3) break;
  }
  return static_cast<std::size_t>(std::count(chosen.begin(), chosen.end(), true));
}

}  // namespace ptq
