#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/base/error.hpp"
#include "host/calibrate/accumulator.hpp"

namespace adze::host {

void Range::add(std::span<const float> elements) {
  if (elements.empty()) return;
  float least = elements[0], most = elements[0];
  for (const float x : elements) {
    least = std::min(least, x);
    most = std::max(most, x);
  }
  low = std::min<double>(low, least);
  high = std::max<double>(high, most);
}

namespace {

class RangeAccumulator : public Accumulator {
 public:
  void add(std::span<const Activation> sample) override {
    statistic_.range.add(sample[0].elements);
    statistic_.terms += sample[0].elements.size();
  }
  Statistic finish() override { return std::move(statistic_); }

 private:
  Statistic statistic_;
};

class Histogram : public Accumulator {
 public:
  Histogram(std::uint64_t bins, const Range& range) : counts_(bins), range_(range) {
    const double width = range.high - range.low;
    if (width > 0) scale_ = static_cast<double>(bins) / width;
  }
  void add(std::span<const Activation> sample) override {
    const auto last = static_cast<double>(counts_.size() - 1);
    for (const float x : sample[0].elements) {
      const double bin = std::clamp((x - range_.low) * scale_, 0.0, last);
      ++counts_[static_cast<std::size_t>(bin)];
    }
    terms_ += sample[0].elements.size();
  }
  Statistic finish() override {
    Tensor data(DType::f64, {static_cast<std::int64_t>(counts_.size())});
    std::ranges::copy(counts_, data.mutate<double>().begin());
    return {terms_, range_, std::move(data)};
  }

 private:
  std::vector<std::uint64_t> counts_;
  Range range_;
  double scale_ = 0;
  std::uint64_t terms_ = 0;
};

// Mean and sum of squared deviations; parts are merged with the formula of Chan et al., which loses
// nothing when the mean is large against the deviation.
struct Moments {
  double count = 0, mean = 0, squares = 0;
  Range range;

  void add(std::span<const float> elements) {
    if (elements.empty()) return;
    range.add(elements);
    Moments part;
    part.count = static_cast<double>(elements.size());
    for (const float x : elements) part.mean += x;
    part.mean /= part.count;
    for (const float x : elements) part.squares += (x - part.mean) * (x - part.mean);
    const double total = count + part.count, shift = part.mean - mean;
    mean += shift * part.count / total;
    squares += part.squares + shift * shift * count * part.count / total;
    count = total;
  }
};

class Channels : public Accumulator {
 public:
  explicit Channels(std::string name) : name_(std::move(name)) {}

  void add(std::span<const Activation> sample) override {
    const auto& [elements, shape] = sample[0];
    if (shape->size() < 2)
      throw Error(
          ADZE_INVALID_ARGUMENT,
          fmt::format("value '{}' is {} and has no channels on axis 1", name_, to_string(*shape)));
    const auto count = static_cast<std::size_t>((*shape)[1]);
    if (channels_.empty()) channels_.resize(count);
    if (count != channels_.size())
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("value '{}' has {} channels in one sample and {} in another", name_,
                              channels_.size(), count));
    const auto outer = static_cast<std::size_t>((*shape)[0]);
    if (outer == 0 || count == 0) return;
    const std::size_t inner = elements.size() / outer / count;
    for (std::size_t i = 0; i < outer * count; ++i)
      channels_[i % count].add(elements.subspan(i * inner, inner));
  }

  Statistic finish() override {
    Statistic statistic;
    Tensor data(DType::f64, {static_cast<std::int64_t>(channels_.size()), 4});
    double* to = data.mutate<double>().data();
    for (const Moments& channel : channels_) {
      *to++ = channel.range.low;
      *to++ = channel.range.high;
      *to++ = channel.mean;
      *to++ = channel.count > 0 ? channel.squares / channel.count : 0;
      statistic.range.low = std::min(statistic.range.low, channel.range.low);
      statistic.range.high = std::max(statistic.range.high, channel.range.high);
      statistic.terms = static_cast<std::uint64_t>(channel.count);
    }
    statistic.data = std::move(data);
    return statistic;
  }

 private:
  std::string name_;
  std::vector<Moments> channels_;
};

class Samples : public Accumulator {
 public:
  Samples(std::string name, std::uint64_t count, bool along_batch, std::uint64_t max_bytes)
      : name_(std::move(name)), count_(count), along_batch_(along_batch), max_bytes_(max_bytes) {}

  void add(std::span<const Activation> sample) override {
    const auto& [elements, shape] = sample[0];
    if (!statistic_.data) {
      if (elements.size() * sizeof(float) > max_bytes_ / count_)
        throw Error(
            ADZE_RESOURCE_EXHAUSTED,
            fmt::format("{} samples of value '{}' ({}) are more than {} bytes; ask for less",
                        count_, name_, to_string(*shape), max_bytes_));
      shape_ = *shape;
      Shape all = shape_;
      if (!along_batch_) all.insert(all.begin(), 1);
      all[0] = static_cast<std::int64_t>(count_);
      statistic_.data = Tensor(DType::f32, std::move(all));
    }
    if (*shape != shape_)
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("value '{}' is {} in one sample and {} in another", name_,
                              to_string(shape_), to_string(*shape)));
    statistic_.range.add(elements);
    std::ranges::copy(elements,
                      statistic_.data->mutate<float>().begin() +
                          static_cast<std::ptrdiff_t>(statistic_.terms * elements.size()));
    ++statistic_.terms;
  }
  Statistic finish() override { return std::move(statistic_); }

 private:
  std::string name_;
  std::uint64_t count_;
  bool along_batch_;
  std::uint64_t max_bytes_;
  Shape shape_;
  Statistic statistic_;
};

}  // namespace

std::unique_ptr<Accumulator> make_range() { return std::make_unique<RangeAccumulator>(); }

std::unique_ptr<Accumulator> make_histogram(std::uint64_t bins, const Range& range) {
  return std::make_unique<Histogram>(bins, range);
}

std::unique_ptr<Accumulator> make_channels(const std::string& name) {
  return std::make_unique<Channels>(name);
}

std::unique_ptr<Accumulator> make_samples(const std::string& name, std::uint64_t count,
                                          bool along_batch, std::uint64_t max_bytes) {
  return std::make_unique<Samples>(name, count, along_batch, max_bytes);
}

}  // namespace adze::host
