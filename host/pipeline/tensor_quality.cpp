#include "host/pipeline/tensor_quality.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "host/graph/precision.hpp"
#include "host/pipeline/fallback.hpp"

namespace adze::host {
namespace {

constexpr std::size_t kBins = 64;
constexpr std::uint64_t kBatchBytes = std::uint64_t{128} << 20;
constexpr std::uint32_t kMostBatch = 16;

/// One scale and zero point.
struct GridStep {
  double scale, point, lowest, highest;

  GridStep(const Quant& quant, std::size_t index)
      : scale(static_cast<double>(quant.scale[index])),
        point(quant.zero_point.empty() ? 0.0 : quant.zero_point[index]) {
    highest = std::ldexp(1.0, quant.bits - (quant.is_signed ? 1 : 0)) - 1;
    lowest = quant.is_signed ? -highest - 1 : 0;
  }
  double low() const { return (lowest - point) * scale; }
  double high() const { return (highest - point) * scale; }
  double rounded(double x) const {
    return (std::clamp(std::nearbyint(x / scale) + point, lowest, highest) - point) * scale;
  }
  bool clips(double x) const { return x >= high() + scale / 2 || x <= low() - scale / 2; }
};

class RoundingLoss {
 public:
  void add(std::span<const float> elements, const Quant& quant, std::size_t inner) {
    std::vector<GridStep> steps;
    for (std::size_t i = 0; i < quant.scale.size(); ++i) steps.emplace_back(quant, i);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const GridStep& step = steps[steps.size() == 1 ? 0 : i / inner % steps.size()];
      const double x = elements[i], error = x - step.rounded(x);
      low_ = std::min(low_, x);
      high_ = std::max(high_, x);
      signal_ += x * x;
      noise_ += error * error;
      clipped_ += step.clips(x);
    }
    count_ += static_cast<double>(elements.size());
  }
  void finish(TensorQuality& quality) const {
    if (count_ == 0) return;
    quality.low = low_;
    quality.high = high_;
    quality.clipped_share = clipped_ / count_;
    // Float weights that lie on their grid differ from it by their own rounding to 24 bits.
    if (noise_ > signal_ * 1e-12) quality.sqnr_db = 10 * std::log10(signal_ / noise_);
  }

 private:
  double low_ = std::numeric_limits<double>::infinity(), high_ = -low_;
  double signal_ = 0, noise_ = 0, clipped_ = 0, count_ = 0;
};

std::size_t inner_of(const Quant& quant, const Shape& shape) {
  std::size_t inner = 1;
  for (std::size_t i = static_cast<std::size_t>(quant.axis) + 1;
       quant.axis >= 0 && i < shape.size(); ++i)
    inner *= static_cast<std::size_t>(shape[i]);
  return inner;
}

TensorHistogram empty_histogram(const TensorQuality& quality) {
  TensorHistogram histogram;
  for (std::size_t i = 0; i < quality.quant.scale.size(); ++i) {
    const GridStep step(quality.quant, i);
    histogram.grid_low = i ? std::min(histogram.grid_low, step.low()) : step.low();
    histogram.grid_high = i ? std::max(histogram.grid_high, step.high()) : step.high();
  }
  histogram.low = std::min(quality.low, histogram.grid_low);
  histogram.high = std::max(quality.high, histogram.grid_high);
  histogram.counts.resize(kBins);
  return histogram;
}

void count(TensorHistogram& histogram, std::span<const float> elements) {
  const double width = (histogram.high - histogram.low) / static_cast<double>(kBins);
  for (const float x : elements) {
    const double bin = (static_cast<double>(x) - histogram.low) / width;
    ++histogram.counts[static_cast<std::size_t>(std::clamp(bin, 0.0, double{kBins - 1}))];
  }
}

std::uint64_t float_bytes(const Value& value) {
  std::uint64_t count = 4;
  if (value.shape)
    for (const std::int64_t size : *value.shape)
      count *= static_cast<std::uint64_t>(std::max<std::int64_t>(size, 1));
  return count;
}

class Measurement {
 public:
  Measurement(const Graph& quantized, const Graph& before, const Dataset& samples,
              std::span<const std::int64_t> indices, MakeRunner make_runner,
              const std::function<void(double)>& progress)
      : tensors_(quantized_tensors(quantized)),
        before_(before),
        floating_(quantized),
        samples_(samples),
        indices_(indices),
        activations_(std::move(make_runner)),
        progress_(progress) {
    for (Value& value : floating_.values) value.quant.reset();
    activations_.show(floating_);
    std::erase_if(tensors_, [&](const QuantizedTensor& tensor) {
      return tensor.is_constant
                 ? info(floating_.value(tensor.value).constant->dtype()).code != ADZE_FLOAT
                 : info(floating_.value(tensor.value).dtype).code != ADZE_FLOAT;
    });
  }

  QuantizationQuality run() {
    QuantizationQuality quality{.samples = static_cast<std::int64_t>(indices_.size())};
    std::vector<RoundingLoss> sums(tensors_.size());
    each_tensor(all(), 0, [&](std::size_t t, std::span<const float> elements, const Shape& shape) {
      sums[t].add(elements, tensors_[t].quant, inner_of(tensors_[t].quant, shape));
    });
    for (std::size_t t = 0; t < tensors_.size(); ++t) {
      quality.tensors.push_back(describe(tensors_[t]));
      sums[t].finish(quality.tensors.back());
    }
    const std::vector<std::size_t> worst = worst_of(quality.tensors);
    for (const std::size_t t : worst)
      quality.tensors[t].histogram = empty_histogram(quality.tensors[t]);
    each_tensor(worst, 0.5, [&](std::size_t t, std::span<const float> elements, const Shape&) {
      count(*quality.tensors[t].histogram, elements);
    });
    return quality;
  }

 private:
  std::vector<std::size_t> all() const {
    std::vector<std::size_t> list(tensors_.size());
    for (std::size_t t = 0; t < list.size(); ++t) list[t] = t;
    return list;
  }

  static std::vector<std::size_t> worst_of(const std::vector<TensorQuality>& tensors) {
    std::vector<std::size_t> order;
    for (std::size_t t = 0; t < tensors.size(); ++t)
      if (tensors[t].sqnr_db) order.push_back(t);
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
      return *tensors[a].sqnr_db < *tensors[b].sqnr_db;
    });
    order.resize(std::min(order.size(), kPicturedTensors));
    return order;
  }

  TensorQuality describe(const QuantizedTensor& tensor) const {
    TensorQuality quality;
    quality.name = tensor.name;
    quality.is_constant = tensor.is_constant;
    quality.quant = tensor.quant;
    const Value& value = floating_.value(tensor.value);
    std::uint32_t node = value.producer;
    if (tensor.is_constant && !value.consumers.empty()) node = value.consumers[0];
    if (node == kNone) return quality;
    quality.node = floating_.nodes[node].name;
    quality.op = floating_.nodes[node].op;
    return quality;
  }

  const Tensor& source_of(const QuantizedTensor& tensor) const {
    const Tensor& after = *floating_.value(tensor.value).constant;
    if (tensor.value >= before_.values.size()) return after;
    const Value& was = before_.value(tensor.value);
    const bool same = was.name == tensor.name && was.constant &&
                      was_only_rounded(*was.constant, after, tensor.quant);
    return same ? *was.constant : after;
  }

  template <class Visit>
  void each_tensor(const std::vector<std::size_t>& chosen, double from, Visit&& visit) {
    std::map<std::uint32_t, std::size_t> wanted;
    std::uint64_t bytes = 1;
    bool batches = true;
    for (const std::size_t t : chosen) {
      const Value& value = floating_.value(tensors_[t].value);
      if (tensors_[t].is_constant) {
        visit(t, to_f32(source_of(tensors_[t])), value.constant->shape());
        continue;
      }
      wanted.emplace(tensors_[t].value, t);
      bytes += float_bytes(value);
      batches = batches && value.batch_axis == 0;
    }
    if (wanted.empty()) return;
    for (const std::uint32_t input : floating_.inputs)
      batches = batches && floating_.value(input).batch_axis == 0;
    const auto batch = batches ? static_cast<std::uint32_t>(
                                     std::clamp<std::uint64_t>(kBatchBytes / bytes, 1, kMostBatch))
                               : 1u;
    std::set<std::uint32_t> values;
    for (const auto& [value, t] : wanted) values.insert(value);
    activations_.want(values, batch);
    for (std::size_t at = 0; at < indices_.size(); at += batch) {
      const std::size_t size = std::min<std::size_t>(batch, indices_.size() - at);
      for (const auto& [value, tensor] :
           activations_.run(samples_.batch(indices_.subspan(at, size)))) {
        std::vector<float> storage;
        visit(wanted.at(value), floats_of(tensor, storage), tensor.shape());
      }
      if (progress_)
        progress_(from + static_cast<double>(at) / (2 * static_cast<double>(indices_.size())));
    }
  }

  std::vector<QuantizedTensor> tensors_;
  const Graph& before_;
  Graph floating_;
  const Dataset& samples_;
  std::span<const std::int64_t> indices_;
  Activations activations_;
  const std::function<void(double)>& progress_;
};

}  // namespace

QuantizationQuality measure_quality(const Graph& quantized, const Graph& before,
                                    const Dataset& samples, std::span<const std::int64_t> indices,
                                    MakeRunner make_runner,
                                    const std::function<void(double)>& progress) {
  QuantizationQuality quality =
      Measurement(quantized, before, samples, indices, std::move(make_runner), progress).run();
  quality.int8_mac_share = int8_macs(quantized).int8_share();
  return quality;
}

}  // namespace adze::host
