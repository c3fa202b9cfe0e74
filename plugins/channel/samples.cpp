#include "plugins/channel/samples.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace channel {
namespace {

/// Answers of more memory than this are judged by fewer samples.
constexpr double kMostAnswerBytes = 128e6;

bool are_shares(const float* row, std::size_t count) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (row[i] < 0) return false;
    sum += row[i];
  }
  return std::abs(sum - 1) < 1e-3;
}

/// The logarithms of the shares that a row of scores, or of shares, gives to classes.
std::vector<double> log_shares(const float* row, std::size_t count, bool shares) {
  constexpr double kLeast = 1e-12;
  std::vector<double> logs(row, row + count);
  if (shares) {
    for (double& each : logs) each = std::log(std::max(each, kLeast));
    return logs;
  }
  const double most = *std::ranges::max_element(logs);
  double sum = 0;
  for (const double each : logs) sum += std::exp(each - most);
  for (double& each : logs) each -= most + std::log(sum);
  return logs;
}

double divergence(const std::vector<float>& wanted, const std::vector<float>& found,
                  std::size_t classes) {
  double sum = 0;
  for (std::size_t at = 0; at < wanted.size(); at += classes) {
    const bool shares = are_shares(&wanted[at], classes);
    const auto a = log_shares(&wanted[at], classes, shares);
    const auto b = log_shares(&found[at], classes, shares);
    for (std::size_t i = 0; i < classes; ++i) sum += std::exp(a[i]) * (a[i] - b[i]);
  }
  return sum * static_cast<double>(classes) / static_cast<double>(wanted.size());
}

double relative_error(const std::vector<float>& wanted, const std::vector<float>& found) {
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double x = wanted[i], difference = x - found[i];
    signal += x * x;
    noise += difference * difference;
  }
  return signal > 0 ? noise / signal : noise;
}

}  // namespace

Collected::Collected(adze_call* call, const std::vector<adze_stat_request>& requests)
    : call_(call), stats_(requests.size(), nullptr) {
  if (requests.empty()) return;
  const auto& calibration = adze::need<adze_calibration>(call, ADZE_CALIBRATION);
  adze::check(calibration.collect(call, requests.data(), requests.size(), stats_.data()));
}

Collected::~Collected() {
  if (stats_.empty()) return;
  const auto* calibration =
      static_cast<const adze_calibration*>(call_->host->get_extension(call_, ADZE_CALIBRATION));
  for (const adze_stat* stat : stats_)
    if (calibration && stat) calibration->release(call_, stat);
}

adze_stat_request request(std::uint32_t kind, std::uint32_t node, std::uint32_t value,
                          const Range& range, std::uint32_t state, std::uint32_t value_state) {
  return {.struct_size = sizeof(adze_stat_request),
          .kind = kind,
          .node = node,
          .value = value,
          .state = state,
          .value_state = value_state,
          .first = range.first,
          .count = range.count,
          .bins = 0};
}

Split::Split(std::uint64_t samples) {
  const std::uint64_t judges = samples > 1 ? std::max<std::uint64_t>(samples / 4, 1) : 0;
  fitting = {0, samples - judges};
  judging = judges ? Range{samples - judges, judges} : fitting;
}

Judge::Judge(adze_call* call, const Range& range) : call_(call), range_(range) {
  double bytes = 1;
  for (std::uint32_t i = 0; i < call->graph->output_count; ++i) {
    const adze_value& value = *call->graph->values[call->graph->outputs[i]];
    const bool is_float = value.code == ADZE_FLOAT || value.code == ADZE_BFLOAT;
    if (!is_float || value.rank < 0 || value.constant) continue;
    outputs_.push_back(call->graph->outputs[i]);
    double size = sizeof(float);
    for (std::int32_t axis = 0; axis < value.rank; ++axis)
      size *= static_cast<double>(std::max<std::int64_t>(value.shape[axis], 1));
    bytes += size;
  }
  range_.count = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(kMostAnswerBytes / bytes), 1,
                                           range.count);
  wanted_ = answers(ADZE_STATE_SHOWN);
}

std::vector<std::vector<float>> Judge::answers(std::uint32_t state) const {
  std::vector<adze_stat_request> requests;
  for (const std::uint32_t output : outputs_)
    requests.push_back(request(ADZE_STAT_SAMPLES, ADZE_NONE, output, range_, state));
  const Collected found(call_, requests);
  std::vector<std::vector<float>> all;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto elements = adze::f32(&found[i].data);
    all.emplace_back(elements.begin(), elements.end());
  }
  return all;
}

double Judge::loss() const {
  const std::vector<std::vector<float>> found = answers(ADZE_STATE_EDITED);
  double sum = 0;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const adze_value& value = *call_->graph->values[outputs_[i]];
    if (found[i].size() != wanted_[i].size() || wanted_[i].empty()) continue;
    const bool of_classes = value.rank == 2 && value.batch_axis == 0 && value.shape[1] > 1;
    sum += of_classes ? divergence(wanted_[i], found[i], static_cast<std::size_t>(value.shape[1]))
                      : relative_error(wanted_[i], found[i]);
  }
  return std::isfinite(sum) ? sum : std::numeric_limits<double>::infinity();
}

}  // namespace channel
