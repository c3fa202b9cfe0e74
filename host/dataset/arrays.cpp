#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "host/base/error.hpp"
#include "host/dataset/array_file.hpp"
#include "host/dataset/preprocess.hpp"
#include "host/dataset/sources.hpp"

namespace adze::host {
namespace {

// The samples for one input of the model.
class InputArray {
 public:
  InputArray(Tensor array, Preprocessor preprocessor, const std::string& what)
      : array_(std::move(array)), preprocessor_(std::move(preprocessor)), what_(what) {
    if (array_.shape().empty() || array_.count() == 0)
      throw Error(ADZE_DATA_LOSS, fmt::format("'{}' holds no samples: its array is {}", what,
                                              to_string(array_.shape())));
    if (array_.dtype() == DType::f16)
      array_ = Tensor(DType::f32, array_.shape(), std::span<const float>(to_f32(array_)));
    sample_shape_.assign(array_.shape().begin() + 1, array_.shape().end());
    sample_count_ = array_.count() / size();
    copies_ = preprocessor_.is_identity() && array_.dtype() == preprocessor_.input().dtype;
    Shape shape = sample_shape_;
    prepare(0, shape);  // so that wrong settings and shapes show now, not in the first batch
    model_shape_ = preprocessor_.accepted(shape);
  }

  std::int64_t size() const { return array_.shape()[0]; }

  Tensor batch(std::span<const std::int64_t> indices) const {
    Shape shape{static_cast<std::int64_t>(indices.size())};
    shape.insert(shape.end(), model_shape_.begin(), model_shape_.end());
    Tensor made(preprocessor_.input().dtype, std::move(shape));
    const std::int64_t count = element_count(model_shape_);
    std::int64_t at = 0;
    if (copies_) {
      const std::size_t bytes = array_.size_bytes() / static_cast<std::size_t>(size());
      std::vector<std::byte> gathered(bytes * indices.size());
      for (std::size_t i = 0; i < indices.size(); ++i)
        std::memcpy(gathered.data() + i * bytes,
                    array_.bytes().data() + static_cast<std::size_t>(indices[i]) * bytes, bytes);
      return {made.dtype(), made.shape(), std::span<const std::byte>(gathered)};
    }
    for (const std::int64_t index : indices) {
      Shape sample = sample_shape_;
      preprocessor_.store(prepare(index, sample), made, at);
      at += count;
    }
    return made;
  }

 private:
  std::vector<double> prepare(std::int64_t index, Shape& shape) const {
    std::vector<double> elements = elements_of(array_, index * sample_count_, sample_count_);
    preprocessor_.fit(elements, shape, "a sample");
    preprocessor_.normalize(elements, shape);
    return elements;
  }

  Tensor array_;
  Preprocessor preprocessor_;
  std::string what_;
  Shape sample_shape_, model_shape_;
  std::int64_t sample_count_ = 0;
  bool copies_ = false;
};

class ArrayDataset : public Dataset {
 public:
  ArrayDataset(std::vector<InputArray> inputs, std::vector<std::int64_t> labels)
      : inputs_(std::move(inputs)), labels_(std::move(labels)) {}

  std::int64_t size() const override { return inputs_[0].size(); }
  bool has_labels() const override { return !labels_.empty(); }
  std::int64_t label(std::int64_t index) const override {
    if (labels_.empty()) throw Error(ADZE_FAILED_PRECONDITION, "the data has no labels");
    check_index(index, size());
    return labels_[static_cast<std::size_t>(index)];
  }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    for (const std::int64_t index : indices) check_index(index, size());
    std::vector<Tensor> tensors;
    for (const InputArray& input : inputs_) tensors.push_back(input.batch(indices));
    return tensors;
  }

 private:
  std::vector<InputArray> inputs_;
  std::vector<std::int64_t> labels_;
};

// The array of an npz file that goes into `input`: the one of that name, or the only one there is.
std::string npz_name(const DataSpec& spec, const std::vector<std::string>& names,
                     const InputSpec& input, std::size_t input_count) {
  if (std::ranges::find(names, input.name) != names.end()) return input.name;
  std::vector<std::string> others = names;
  std::erase(others, "labels");
  if (input_count == 1 && others.size() == 1) return others[0];
  throw Error(ADZE_NOT_FOUND,
              fmt::format("'{}' holds no array '{}' for the model's input; it holds {}; name the "
                          "arrays as the inputs",
                          spec.images.string(), input.name, fmt::join(names, ", ")));
}

Tensor read_array(const DataSpec& spec) {
  if (spec.source == "idx") return read_idx(spec.images);
  if (spec.source == "npy") return read_npy(spec.images);
  return read_raw(spec.images, spec.shape, spec.dtype);
}

}  // namespace

std::unique_ptr<Dataset> open_arrays(const DataSpec& spec, std::span<const InputSpec> inputs) {
  const std::string what = spec.images.string();
  std::vector<InputArray> arrays;
  std::vector<std::int64_t> labels;
  if (spec.source == "npz") {
    const std::vector<std::string> names = npz_names(spec.images);
    for (const InputSpec& input : inputs) {
      const std::string name = npz_name(spec, names, input, inputs.size());
      const std::string where = what + ":" + name;
      arrays.emplace_back(read_npz(spec.images, name), Preprocessor(spec.preprocess, input, where),
                          where);
    }
    const bool is_input = std::ranges::find(inputs, "labels", &InputSpec::name) != inputs.end();
    if (spec.labels.empty() && !is_input && std::ranges::find(names, "labels") != names.end())
      labels = labels_of(read_npz(spec.images, "labels"), what + ":labels");
  } else {
    arrays.emplace_back(read_array(spec), Preprocessor(spec.preprocess, inputs[0], what), what);
  }
  if (!spec.labels.empty()) labels = read_labels(spec.labels);

  const std::int64_t size = arrays[0].size();
  for (std::size_t i = 1; i < arrays.size(); ++i)
    if (arrays[i].size() != size)
      throw Error(ADZE_DATA_LOSS,
                  fmt::format("'{}' holds {} samples for input '{}' and {} for '{}'", what, size,
                              inputs[0].name, arrays[i].size(), inputs[i].name));
  if (!labels.empty() && static_cast<std::int64_t>(labels.size()) != size)
    throw Error(
        ADZE_DATA_LOSS,
        fmt::format("'{}' holds {} samples but '{}' {} labels; are they of one set?", what, size,
                    spec.labels.empty() ? what : spec.labels.string(), labels.size()));
  if (labels.empty() && !spec.labels.empty())
    throw Error(ADZE_DATA_LOSS, fmt::format("'{}' holds no labels", spec.labels.string()));
  return std::make_unique<ArrayDataset>(std::move(arrays), std::move(labels));
}

}  // namespace adze::host
