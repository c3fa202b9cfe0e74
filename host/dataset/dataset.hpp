// Samples of a file or folder, preprocessed as in training.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

/// [data.preprocess] of a recipe, in the order it is applied.
struct Preprocess {
  std::optional<std::int64_t> resize;       ///< shorter side, bilinear
  std::optional<std::int64_t> center_crop;  ///< square
  std::string color = "rgb";                ///< images only: rgb | bgr | gray
  std::string layout = "nchw";              ///< of the model's input: nchw | nhwc
  double scale = 1.0;                       ///< x * scale, then (x - mean) / std
  std::vector<double> mean, std;            ///< one for all channels, or one a channel; empty: none
};

/// Where samples come from. Paths are absolute.
struct DataSpec {
  std::string source;                    ///< idx | npz | npy | images | raw
  std::filesystem::path images, labels;  ///< labels empty: unlabeled
  Shape shape;                           ///< raw only: of one sample
  std::string dtype = "float32";         ///< raw only
  Preprocess preprocess;
  std::string metric;  ///< top1 | top5 | output_error; empty: the default
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  virtual bool has_labels() const = 0;
  /// Errors: FAILED_PRECONDITION without labels.
  virtual std::int64_t label(std::int64_t index) const = 0;
  /// Samples `indices` as one batch per model input, in the model's order, batch on axis 0.
  virtual std::vector<Tensor> batch(std::span<const std::int64_t> indices) const = 0;
};

/// What a model wants to be fed: name, type and shape of each input, batch axis shown as 1.
struct InputSpec {
  std::string name;
  DType dtype;
  Shape shape;
};

/// What the inputs of a model want to be fed. Errors: INVALID_ARGUMENT when a shape is not known.
std::vector<InputSpec> input_specs(const Graph& graph);

/// Errors: NOT_FOUND, INVALID_ARGUMENT, DATA_LOSS naming the file and what is wrong with it; also
/// when a sample does not have the shape of the model's input.
std::unique_ptr<Dataset> open_dataset(const DataSpec& spec, std::span<const InputSpec> inputs);

/// `count` distinct indices of 0..size-1 in random order, the same for the same seed; all of them
/// when there are fewer.
std::vector<std::int64_t> sample_indices(std::int64_t size, std::int64_t count, std::uint64_t seed);

}  // namespace adze::host
