#include "plugins/reconstruct/tuning_samples.hpp"

#include <adze/ext/calibration.h>

#include <algorithm>

namespace reconstruct {
namespace {

constexpr std::int64_t kMostShift = 1;         ///< pixels
constexpr std::int64_t kSmallestPicture = 16;  ///< smaller ones are not shifted

/// Reads a picture as it is after a shift: what comes in from outside repeats the border.
template <class Write>
void look(const Extent& extent, const Shown& view, const float* from, const Write& write) {
  const bool is_picture = std::min(extent.height, extent.width) >= kSmallestPicture;
  for (std::int64_t y = 0; y < extent.height; ++y)
    for (std::int64_t x = 0; x < extent.width; ++x) {
      std::int64_t from_y = y, from_x = x;
      if (is_picture) {
        from_y = std::clamp<std::int64_t>(from_y + view.down, 0, extent.height - 1);
        from_x = std::clamp<std::int64_t>(from_x + view.right, 0, extent.width - 1);
      }
      const float* pixel = from + (from_y * extent.width + from_x) * extent.channels;
      for (std::int64_t c = 0; c < extent.channels; ++c)
        write((y * extent.width + x) * extent.channels + c, pixel[c]);
    }
}

}  // namespace

std::uint64_t Random::next() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

std::int64_t Random::below(std::int64_t count) {
  return static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(count));
}

View varied(std::int64_t index, std::int64_t count, Random& random) {
  const auto shifted = [&](std::int64_t sample) {
    Shown shown{.index = sample};
    shown.down = random.below(2 * kMostShift + 1) - kMostShift;
    shown.right = random.below(2 * kMostShift + 1) - kMostShift;
    return shown;
  };
  View view{.first = shifted(index), .second = {}};
  if (random.below(2) == 0) return view;
  constexpr std::int64_t kShares = 1 << 20;
  view.second = shifted(random.below(count));
  view.share = static_cast<float>(random.below(kShares)) / static_cast<float>(kShares);
  return view;
}

TuningSamples::TuningSamples(adze_call* call, const Network& network, std::int64_t count)
    : values_(call->graph->value_count) {
  const auto& calibration = adze::need<adze_calibration>(call, ADZE_CALIBRATION);
  constexpr std::int64_t kAtOnce = 32;
  for (const std::uint32_t input : network.inputs()) {
    const Extent& extent = network.extent(input);
    auto& all = values_[input];
    for (std::int64_t first = 0; first < count; first += kAtOnce) {
      const adze_stat_request request = {
          .struct_size = sizeof(adze_stat_request),
          .kind = ADZE_STAT_SAMPLES,
          .node = ADZE_NONE,
          .value = input,
          .state = ADZE_STATE_SHOWN,
          .value_state = 0,
          .first = static_cast<std::uint64_t>(first),
          .count = static_cast<std::uint64_t>(std::min(kAtOnce, count - first)),
          .bins = 0};
      const adze_stat* stat = nullptr;
      adze::check(calibration.collect(call, &request, 1, &stat));
      const auto elements = adze::f32(&stat->data);
      for (std::size_t at = 0; at < elements.size(); at += static_cast<std::size_t>(extent.size()))
        for (std::int64_t p = 0; p < extent.positions(); ++p)
          for (std::int64_t c = 0; c < extent.channels; ++c)
            all.push_back(elements[at + static_cast<std::size_t>(c * extent.positions() + p)]);
      calibration.release(call, stat);
    }
  }
}

void TuningSamples::place(std::uint32_t input, const Extent& extent, const View& view,
                          float* to) const {
  const float* all = values_[input].data();
  const float share = view.share;
  look(extent, view.first, all + view.first.index * extent.size(),
       [&](std::int64_t at, float pixel) { to[at] = share * pixel; });
  if (share == 1) return;
  look(extent, view.second, all + view.second.index * extent.size(),
       [&](std::int64_t at, float pixel) { to[at] += (1 - share) * pixel; });
}

}  // namespace reconstruct
