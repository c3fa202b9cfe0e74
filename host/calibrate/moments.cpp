#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>

#include "host/base/error.hpp"
#include "host/calibrate/accumulator.hpp"

namespace adze::host {
namespace {

// Columns of X that go through BLAS at once: about two megabytes of them, enough for its speed.
std::int64_t block_columns(const Unfold& unfold) {
  constexpr std::int64_t kBlockFloats = 1 << 19;
  return std::clamp<std::int64_t>(kBlockFloats / (unfold.groups() * unfold.rows()), 256, 4096);
}

int narrow(std::int64_t size) { return static_cast<int>(size); }

class Gram : public Accumulator {
 public:
  explicit Gram(const Unfold& unfold)
      : unfold_(unfold),
        capacity_(block_columns(unfold)),
        block_(static_cast<std::size_t>(unfold.groups() * unfold.rows() * capacity_)),
        product_(static_cast<std::size_t>(unfold.rows() * unfold.rows())),
        sums_(DType::f64, {unfold.groups(), unfold.rows(), unfold.rows()}) {}

  void add(std::span<const Activation> sample) override {
    const auto& [elements, shape] = sample[0];
    range_.add(elements);
    const std::int64_t positions = unfold_.positions(*shape);
    for (std::int64_t at = 0; at < positions;) {
      const std::int64_t count = std::min(capacity_ - filled_, positions - at);
      unfold_.fill(elements, *shape, at, count, block_.data() + filled_, capacity_);
      at += count;
      filled_ += count;
      if (filled_ == capacity_) flush();
    }
  }

  Statistic finish() override {
    flush();
    const std::int64_t rows = unfold_.rows();
    const double scale = columns_ ? 1.0 / static_cast<double>(columns_) : 0;
    double* sums = sums_.mutate<double>().data();
    for (std::int64_t group = 0; group < unfold_.groups(); ++group, sums += rows * rows)
      for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j <= i; ++j)
          sums[j * rows + i] = sums[i * rows + j] = sums[i * rows + j] * scale;
    return {static_cast<std::uint64_t>(columns_), range_, std::move(sums_)};
  }

 private:
  void flush() {
    if (filled_ == 0) return;
    const std::int64_t rows = unfold_.rows();
    double* sums = sums_.mutate<double>().data();
    for (std::int64_t group = 0; group < unfold_.groups(); ++group, sums += rows * rows) {
      cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, narrow(rows), narrow(filled_), 1.0f,
                  block_.data() + group * rows * capacity_, narrow(capacity_), 0.0f,
                  product_.data(), narrow(rows));
      for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j <= i; ++j)
          sums[i * rows + j] +=
              static_cast<double>(product_[static_cast<std::size_t>(i * rows + j)]);
    }
    columns_ += filled_;
    filled_ = 0;
  }

  Unfold unfold_;
  std::int64_t capacity_, filled_ = 0, columns_ = 0;
  std::vector<float> block_, product_;
  Tensor sums_;
  Range range_;
};

class Cross : public Accumulator {
 public:
  Cross(const Unfold& unfold, std::string value)
      : unfold_(unfold),
        value_(std::move(value)),
        capacity_(block_columns(unfold)),
        x_(static_cast<std::size_t>(unfold.groups() * unfold.rows() * capacity_)) {}

  void add(std::span<const Activation> sample) override {
    const auto& [x, x_shape] = sample[0];
    const auto& [y, y_shape] = sample[1];
    const std::int64_t positions = unfold_.positions(*x_shape);
    start(*y_shape, positions, unfold_.images(*x_shape));
    range_.add(y);
    for (std::int64_t at = 0; at < positions;) {
      const std::int64_t count = std::min(capacity_ - filled_, positions - at);
      unfold_.fill(x, *x_shape, at, count, x_.data() + filled_, capacity_);
      fill_y(y, positions / unfold_.images(*x_shape), at, count);
      at += count;
      filled_ += count;
      if (filled_ == capacity_) flush();
    }
  }

  Statistic finish() override {
    flush();
    if (columns_)
      for (double& sum : sums_.mutate<double>()) sum /= static_cast<double>(columns_);
    return {static_cast<std::uint64_t>(columns_), range_, std::move(sums_)};
  }

 private:
  void start(const Shape& shape, std::int64_t positions, std::int64_t images) {
    std::int64_t channels = 0;
    if (shape.size() >= 2) channels = unfold_.channels_last() ? shape.back() : shape[1];
    const bool fits = channels > 0 && channels % unfold_.groups() == 0 &&
                      element_count(shape) == channels * positions &&
                      (unfold_.channels_last() || shape[0] == images) &&
                      (channels_ == 0 || channels == channels_);
    if (!fits)
      throw Error(
          ADZE_INVALID_ARGUMENT,
          fmt::format("value '{}' ({}) does not have the {} output positions of node '{}' in "
                      "each of its channels",
                      value_, to_string(shape), positions, unfold_.name()));
    if (channels_) return;
    channels_ = channels;
    y_.resize(static_cast<std::size_t>(channels * capacity_));
    product_.resize(static_cast<std::size_t>(channels * unfold_.rows()));
    sums_ = Tensor(DType::f64, {channels, unfold_.rows()});
  }

  // `plane`: positions of one image.
  void fill_y(std::span<const float> y, std::int64_t plane, std::int64_t first,
              std::int64_t count) {
    for (std::int64_t channel = 0; channel < channels_; ++channel) {
      float* to = y_.data() + channel * capacity_ + filled_;
      for (std::int64_t at = first; at < first + count; ++at)
        *to++ = y[static_cast<std::size_t>(
            unfold_.channels_last() ? at * channels_ + channel
                                    : (at / plane * channels_ + channel) * plane + at % plane)];
    }
  }

  void flush() {
    if (filled_ == 0) return;
    const std::int64_t rows = unfold_.rows(), channels = channels_ / unfold_.groups();
    for (std::int64_t group = 0; group < unfold_.groups(); ++group)
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, narrow(channels), narrow(rows),
                  narrow(filled_), 1.0f, y_.data() + group * channels * capacity_,
                  narrow(capacity_), x_.data() + group * rows * capacity_, narrow(capacity_), 0.0f,
                  product_.data() + group * channels * rows, narrow(rows));
    double* sums = sums_.mutate<double>().data();
    for (const float product : product_) *sums++ += static_cast<double>(product);
    columns_ += filled_;
    filled_ = 0;
  }

  Unfold unfold_;
  std::string value_;
  std::int64_t capacity_, filled_ = 0, columns_ = 0, channels_ = 0;
  std::vector<float> x_, y_, product_;
  Tensor sums_;
  Range range_;
};

}  // namespace

std::unique_ptr<Accumulator> make_gram(const Unfold& unfold) {
  return std::make_unique<Gram>(unfold);
}

std::unique_ptr<Accumulator> make_cross(const Unfold& unfold, const std::string& value) {
  return std::make_unique<Cross>(unfold, value);
}

}  // namespace adze::host
