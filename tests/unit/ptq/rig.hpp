// The whole plugin on a small model: the host's services, adze.cpu to run it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/abi/arguments.hpp"
#include "host/dataset/dataset.hpp"
#include "host/edit/edit.hpp"
#include "tests/unit/ptq/builder.hpp"

namespace ptq {

/// Made by a function of the sample's index.
class MadeSamples : public adze::host::Dataset {
 public:
  using Make = std::function<float(std::int64_t sample, std::int64_t element)>;
  MadeSamples(std::int64_t size, Shape shape, Make make)
      : size_(size), shape_(std::move(shape)), make_(std::move(make)) {}
  std::int64_t size() const override { return size_; }
  bool has_labels() const override { return false; }
  std::int64_t label(std::int64_t) const override { return 0; }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override;

 private:
  std::int64_t size_;
  Shape shape_;  ///< of one, with a batch of 1
  Make make_;
};

/// Numbers in -1..1 that look random and follow from `seed`.
float noise(std::uint64_t seed);
Tensor noise_tensor(const Shape& shape, std::uint64_t seed, float size = 1);

struct Quantized {
  Graph shown, edited;
  const Value& value(const std::string& name) const {
    return edited.value(edited.find_value(name));
  }
  bool is_quantized(const std::string& name) const { return value(name).quant.has_value(); }
};

/// Runs adze.quantize.ptq on the first three quarters of `samples`; the others are held out.
/// Errors: as the host's.
Quantized quantize(const Graph& graph, const adze::host::Dataset& samples,
                   const adze::host::Settings& settings);

/// Of the first output, against that of `shown`.
double sqnr_db(const Graph& shown, const Graph& edited, const adze::host::Dataset& samples);

/// `edited` without its scales: what is left are new weights and biases.
Graph without_scales(Graph edited);

}  // namespace ptq
