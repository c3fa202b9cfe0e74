// What happens to one sample between its file and the model.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "host/dataset/dataset.hpp"
#include "host/dataset/pictures.hpp"

namespace adze::host {

/// Turns samples into one model input. Elements travel as double: every integer of a file and every
/// float survives the way to the model's type.
class Preprocessor {
 public:
  /// `what` names the source in errors. Errors: INVALID_ARGUMENT for settings that make no sense.
  Preprocessor(Preprocess how, InputSpec input, std::string what);

  const InputSpec& input() const { return input_; }
  /// No element is changed, apart from its type.
  bool is_identity() const;
  /// Resizes and crops; the elements keep their type.
  Picture fit(Picture image, const std::string& name) const;
  /// Elements in the layout of the model's input; `shape` receives C x H x W or H x W x C.
  std::vector<double> laid_out(const Picture& image, Shape& shape) const;
  /// An array in the layout of the model's input, resized and cropped when asked for.
  void fit(std::vector<double>& elements, Shape& shape, const std::string& name) const;
  /// (x * scale - mean) / std. Errors: when mean or std do not have one entry a channel.
  void normalize(std::span<double> elements, const Shape& shape) const;
  /// The shape in which the model takes a sample `shape`, without the batch. Errors:
  /// INVALID_ARGUMENT saying both shapes.
  Shape accepted(const Shape& shape) const;
  /// Converts to the model's type, rounding half to even and saturating for integers.
  void store(std::span<const double> elements, Tensor& batch, std::int64_t at) const;

 private:
  [[noreturn]] void fail(const std::string& why) const;
  std::int64_t channels(const Shape& shape) const;

  Preprocess how_;
  InputSpec input_;
  std::string what_;
};

/// Elements [first, first + count) of a numeric array.
std::vector<double> elements_of(const Tensor& array, std::int64_t first, std::int64_t count);

}  // namespace adze::host
