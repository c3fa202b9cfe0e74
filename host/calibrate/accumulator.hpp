// What one request for a statistic adds up, sample by sample.
#pragma once

#include <adze/ext/calibration.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "host/base/tensor.hpp"
#include "host/calibrate/unfold.hpp"

namespace adze::host {

/// A value during one sample. The shape counts the sample on the batch axis.
struct Activation {
  std::span<const float> elements;
  const Shape* shape;
};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(std::span<const float> elements);
};

struct Statistic {
  std::uint64_t terms = 0;
  Range range;
  std::optional<Tensor> data;
};

/// Adding is independent of how samples come in batches, so results depend on neither the batch
/// size nor the number of threads: one accumulator is only ever fed by one thread, in order.
class Accumulator {
 public:
  virtual ~Accumulator() = default;
  /// One sample: the value, or for cross moments the node's input and the value. Errors:
  /// INVALID_ARGUMENT when the shapes do not fit the request.
  virtual void add(std::span<const Activation> sample) = 0;
  /// Called once, after the last sample.
  virtual Statistic finish() = 0;
};

std::unique_ptr<Accumulator> make_range();
/// Counts in `bins` equal parts of low..high; what lies outside counts in the first or last.
std::unique_ptr<Accumulator> make_histogram(std::uint64_t bins, const Range& range);
/// min, max, mean, variance (of the whole population) of each index of axis 1. `name` is the
/// value's.
std::unique_ptr<Accumulator> make_channels(const std::string& name);
/// The tensors themselves, `count` of them. `along_batch`: axis 0 is the sample and becomes the
/// count; otherwise an axis is added in front.
std::unique_ptr<Accumulator> make_samples(const std::string& name, std::uint64_t count,
                                          bool along_batch, std::uint64_t max_bytes);
/// The mean of X X^T over the columns of X. Blocks of columns of a fixed size go through
/// single-precision BLAS, and their sums are added up in double precision.
std::unique_ptr<Accumulator> make_gram(const Unfold& unfold);
/// The mean of Y X^T; the first activation is the node's input, the second the value.
std::unique_ptr<Accumulator> make_cross(const Unfold& unfold, const std::string& value);

}  // namespace adze::host
