#include "host/dataset/dataset.hpp"

#include <fmt/format.h>

#include <numeric>
#include <random>

#include "host/base/error.hpp"
#include "host/dataset/sources.hpp"

namespace adze::host {

void check_index(std::int64_t index, std::int64_t size) {
  if (index < 0 || index >= size)
    throw Error(ADZE_OUT_OF_RANGE, fmt::format("there is no sample {} among {}", index, size));
}

std::unique_ptr<Dataset> open_dataset(const DataSpec& spec, std::span<const InputSpec> inputs) {
  if (inputs.empty()) throw Error(ADZE_INVALID_ARGUMENT, "the model has no inputs to feed");
  if (spec.source != "idx" && spec.source != "npz" && spec.source != "npy" &&
      spec.source != "images" && spec.source != "raw")
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("data source '{}' is none of idx, npz, npy, images, raw", spec.source));
  if (spec.source != "npz" && inputs.size() != 1)
    throw Error(
        ADZE_INVALID_ARGUMENT,
        fmt::format("source '{}' feeds one input, the model has {}; use an npz file with an "
                    "array for each input",
                    spec.source, inputs.size()));
  if (spec.source == "images") return open_images(spec, inputs[0]);
  return open_arrays(spec, inputs);
}

std::vector<std::int64_t> sample_indices(std::int64_t size, std::int64_t count,
                                         std::uint64_t seed) {
  if (size < 0 || count < 0)
    throw Error(ADZE_INVALID_ARGUMENT, fmt::format("cannot pick {} of {} samples", count, size));
  std::vector<std::int64_t> indices(static_cast<std::size_t>(size));
  std::iota(indices.begin(), indices.end(), 0);
  count = std::min(count, size);
  // Fisher-Yates with own rejection sampling: the distributions of <random> differ between standard
  // libraries, the generator does not.
  std::mt19937_64 random(seed);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto range = static_cast<std::uint64_t>(size - i);
    const std::uint64_t limit = ~std::uint64_t{0} / range * range;
    std::uint64_t draw = random();
    while (draw >= limit) draw = random();
    std::swap(indices[static_cast<std::size_t>(i)],
              indices[static_cast<std::size_t>(i) + static_cast<std::size_t>(draw % range)]);
  }
  indices.resize(static_cast<std::size_t>(count));
  return indices;
}

}  // namespace adze::host
