#include "plugins/ptq/collect.hpp"

#include <algorithm>

namespace ptq {
namespace {

constexpr double kMostBytes = 256e6;

double asked_bytes(const EditedModel& model, const adze_stat_request& request) {
  if (request.kind != ADZE_STAT_SAMPLES) return 0;
  return static_cast<double>(request.count) * sample_bytes(model.value(request.value));
}

}  // namespace

adze_stat_request request_of(std::uint32_t kind, std::uint32_t value) {
  return {.struct_size = sizeof(adze_stat_request),
          .kind = kind,
          .node = ADZE_NONE,
          .value = value,
          .state = ADZE_STATE_EDITED,
          .value_state = ADZE_STATE_EDITED,
          .first = 0,
          .count = 0,
          .bins = 0};
}

std::uint64_t sample_count(const EditedModel& model) {
  return adze::need<adze_calibration>(model.call(), ADZE_CALIBRATION).sample_count;
}

void collect(const EditedModel& model, std::span<const adze_stat_request> requests,
             const std::function<void(std::size_t, const adze_stat&)>& take) {
  const auto& calibration = adze::need<adze_calibration>(model.call(), ADZE_CALIBRATION);
  for (std::size_t begin = 0; begin < requests.size();) {
    std::size_t end = begin;
    for (double bytes = 0; end < requests.size(); ++end) {
      bytes += asked_bytes(model, requests[end]);
      if (end > begin && bytes > kMostBytes) break;
    }
    std::vector<const adze_stat*> stats(end - begin);
    adze::check(calibration.collect(model.call(), &requests[begin], stats.size(), stats.data()));
    for (std::size_t i = begin; i < end; ++i) {
      take(i, *stats[i - begin]);
      calibration.release(model.call(), stats[i - begin]);
    }
    begin = end;
  }
}

std::span<const double> doubles_of(const adze_stat& stat) {
  if (!stat.data.data) return {};
  const auto* first = static_cast<const double*>(stat.data.data) +
                      static_cast<std::ptrdiff_t>(stat.data.byte_offset / sizeof(double));
  return {first, static_cast<std::size_t>(adze::element_count(stat.data))};
}

double sample_bytes(const adze_value& value) {
  double bytes = sizeof(float);
  for (std::int32_t axis = 0; axis < value.rank; ++axis)
    if (axis != value.batch_axis)
      bytes *= static_cast<double>(std::max<std::int64_t>(1, value.shape[axis]));
  return bytes;
}

}  // namespace ptq
