// The samples that all layers are tuned on. A few hundred go further when each is seen in many
// ways: what the dense network makes of a varied sample is known, so no label can become wrong.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <span>

#include "plugins/reconstruct/network.hpp"

namespace reconstruct {

/// The same numbers everywhere, which the standard's distributions do not promise.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  std::int64_t below(std::int64_t count);

 private:
  std::uint64_t state_;
};

/// A sample, varied.
struct Shown {
  std::int64_t index = 0;
  std::int64_t down = 0, right = 0;  ///< pixels that pictures are shifted by
};

/// What the network is asked about: `share` of one sample, the rest of another.
struct View {
  Shown first, second;
  float share = 1;
};

/// A view of sample `index`; of every second one the smaller or larger part is another sample, one
/// of the first `count`.
View varied(std::int64_t index, std::int64_t count, Random& random);

/// Inputs of the model for some samples.
class TuningSamples {
 public:
  TuningSamples() = default;
  TuningSamples(adze_call* call, const Network& network, std::int64_t count);
  /// One sample of `input`, position by position, channels fastest.
  void place(std::uint32_t input, const Extent& extent, const View& view, float* to) const;

 private:
  ByValue values_;
};

}  // namespace reconstruct
