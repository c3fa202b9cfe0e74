#include "host/dataset/preprocess.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

constexpr std::int64_t kMaxSide = 1 << 16, kMaxPixels = 1 << 28;
constexpr std::int64_t kMaxChannels = 512;  // that OpenCV takes

template <class T>
void store_as(std::span<const double> from, Tensor& batch, std::int64_t at) {
  T* to = batch.mutate<T>().data() + at;
  if constexpr (std::is_floating_point_v<T>) {
    for (const double x : from) *to++ = static_cast<T>(x);
  } else {
    constexpr auto kLow = static_cast<double>(std::numeric_limits<T>::min());
    constexpr auto kHigh = static_cast<double>(std::numeric_limits<T>::max());
    for (const double x : from) {
      const double rounded = std::nearbyint(x);
      if (rounded >= kHigh)
        *to++ = std::numeric_limits<T>::max();
      else if (rounded > kLow)
        *to++ = static_cast<T>(rounded);
      else  // also what is not a number
        *to++ = std::numeric_limits<T>::min();
    }
  }
}

template <class T>
std::vector<double> widen(const Tensor& array, std::int64_t first, std::int64_t count) {
  const T* from = array.as<T>().data() + first;
  return {from, from + count};
}

Shape without_ones(const Shape& shape) {
  Shape left;
  std::ranges::copy_if(shape, std::back_inserter(left),
                       [](std::int64_t size) { return size != 1; });
  return left;
}

bool matches(const Shape& shape, const Shape& wanted) {
  return std::ranges::equal(
      shape, wanted, [](std::int64_t size, std::int64_t want) { return want < 0 || size == want; });
}

}  // namespace

std::vector<double> elements_of(const Tensor& array, std::int64_t first, std::int64_t count) {
  switch (array.dtype()) {
    case DType::f32:
      return widen<float>(array, first, count);
    case DType::f64:
      return widen<double>(array, first, count);
    case DType::i8:
      return widen<std::int8_t>(array, first, count);
    case DType::i16:
      return widen<std::int16_t>(array, first, count);
    case DType::i32:
      return widen<std::int32_t>(array, first, count);
    case DType::i64:
      return widen<std::int64_t>(array, first, count);
    case DType::u8:
    case DType::boolean:
      return widen<std::uint8_t>(array, first, count);
    case DType::u16:
      return widen<std::uint16_t>(array, first, count);
    case DType::u32:
      return widen<std::uint32_t>(array, first, count);
    case DType::u64:
      return widen<std::uint64_t>(array, first, count);
    default:
      throw Error(ADZE_INTERNAL, fmt::format("samples of {} are not read element by element",
                                             info(array.dtype()).name));
  }
}

Preprocessor::Preprocessor(Preprocess how, InputSpec input, std::string what)
    : how_(std::move(how)), input_(std::move(input)), what_(std::move(what)) {
  if (how_.layout != "nchw" && how_.layout != "nhwc")
    fail(fmt::format("layout '{}' is neither nchw nor nhwc", how_.layout));
  if (how_.color != "rgb" && how_.color != "bgr" && how_.color != "gray")
    fail(fmt::format("color '{}' is none of rgb, bgr, gray", how_.color));
  for (const auto& side : {how_.resize, how_.center_crop})
    if (side && (*side < 1 || *side > kMaxSide))
      fail(fmt::format("resize and center_crop are 1 to {} pixels, not {}", kMaxSide, *side));
  const auto is_finite = [](double x) { return std::isfinite(x); };
  if (!is_finite(how_.scale) || !std::ranges::all_of(how_.mean, is_finite) ||
      !std::ranges::all_of(how_.std, is_finite))
    fail("scale, mean and std must be finite");
  if (std::ranges::find(how_.std, 0.0) != how_.std.end()) fail("std is 0");
  if (input_.shape.empty())
    fail(fmt::format("the model's input '{}' is a scalar without a batch", input_.name));
  if (input_.dtype == DType::f16 || input_.dtype == DType::bf16 || input_.dtype == DType::string)
    fail(fmt::format("the model's input '{}' is {}; export the model with float32 inputs",
                     input_.name, info(input_.dtype).name));
}

void Preprocessor::fail(const std::string& why) const {
  throw Error(ADZE_INVALID_ARGUMENT, fmt::format("cannot use '{}': {}", what_, why));
}

bool Preprocessor::is_identity() const {
  return !how_.resize && !how_.center_crop && how_.scale == 1 && how_.mean.empty() &&
         how_.std.empty();
}

Picture Preprocessor::fit(Picture image, const std::string& name) const {
  if (how_.resize) {
    const std::int64_t shorter = std::min(image.height, image.width);
    if (shorter == 0) fail(fmt::format("{} has no pixels", name));
    const auto scaled = [&](std::int64_t side) { return side * *how_.resize / shorter; };
    const std::int64_t height = scaled(image.height), width = scaled(image.width);
    if (height * width > kMaxPixels)
      fail(fmt::format("{} of {}x{} pixels would be resized to {}x{}", name, image.width,
                       image.height, width, height));
    image = resized(image, static_cast<int>(height), static_cast<int>(width));
  }
  if (how_.center_crop) {
    const int side = static_cast<int>(*how_.center_crop);
    if (image.height < side || image.width < side)
      fail(fmt::format("{} of {}x{} pixels is too small for center_crop = {}; resize first", name,
                       image.width, image.height, side));
    // Half to even, as OpenCV and PyTorch crop.
    const auto offset = [&](int size) { return static_cast<int>(std::lrint((size - side) / 2.0)); };
    image = cropped(image, offset(image.height), offset(image.width), side, side);
  }
  return image;
}

std::vector<double> Preprocessor::laid_out(const Picture& image, Shape& shape) const {
  const std::int64_t pixels = std::int64_t{image.height} * image.width, count = image.channels;
  std::vector<double> elements =
      std::visit([](const auto& some) { return std::vector<double>(some.begin(), some.end()); },
                 image.elements);
  if (how_.layout == "nhwc") {
    shape = {image.height, image.width, count};
    return elements;
  }
  shape = {count, image.height, image.width};
  const std::vector<double> from = elements;
  double* to = elements.data();
  for (std::int64_t channel = 0; channel < count; ++channel)
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel)
      *to++ = from[static_cast<std::size_t>(pixel * count + channel)];
  return elements;
}

void Preprocessor::fit(std::vector<double>& elements, Shape& shape, const std::string& name) const {
  if (!how_.resize && !how_.center_crop) return;
  const bool first = how_.layout == "nchw", flat = shape.size() == 2;
  if (!flat && shape.size() != 3)
    fail(fmt::format("{} is {}, which is no image to resize or crop", name, to_string(shape)));
  const std::int64_t count = flat ? 1 : shape[first ? 0 : 2];
  const std::int64_t height = shape[first && !flat ? 1 : 0], width = shape[first && !flat ? 2 : 1];
  if (count < 1 || count > kMaxChannels || height < 1 || width < 1 || height > kMaxSide ||
      width > kMaxSide)
    fail(fmt::format("{} is {}, which is no image to resize or crop", name, to_string(shape)));
  std::vector<float> interleaved(elements.size());
  float* to = interleaved.data();
  const std::int64_t pixels = height * width;
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel)
    for (std::int64_t channel = 0; channel < count; ++channel)
      *to++ = static_cast<float>(elements[static_cast<std::size_t>(
          first ? channel * pixels + pixel : pixel * count + channel)]);
  const Picture image{static_cast<int>(height), static_cast<int>(width), static_cast<int>(count),
                      std::move(interleaved)};
  elements = laid_out(fit(image, name), shape);
  if (flat) shape.erase(first ? shape.begin() : shape.end() - 1);
}

std::int64_t Preprocessor::channels(const Shape& shape) const {
  if (shape.size() < 3) return 1;
  return how_.layout == "nchw" ? shape.front() : shape.back();
}

void Preprocessor::normalize(std::span<double> elements, const Shape& shape) const {
  if (how_.scale == 1 && how_.mean.empty() && how_.std.empty()) return;
  const auto count = static_cast<std::size_t>(channels(shape));
  for (const auto* list : {&how_.mean, &how_.std})
    if (list->size() > 1 && list->size() != count)
      fail(fmt::format("mean and std have {} entries, a sample {} has {} channels", list->size(),
                       to_string(shape), count));
  const auto pick = [](const std::vector<double>& list, std::size_t channel, double none) {
    return list.empty() ? none : list[list.size() == 1 ? 0 : channel];
  };
  const bool planar = how_.layout == "nchw";
  const std::size_t plane = count ? elements.size() / count : 0;
  for (std::size_t channel = 0; channel < count; ++channel) {
    const double mean = pick(how_.mean, channel, 0), deviation = pick(how_.std, channel, 1);
    for (std::size_t i = 0; i < plane; ++i) {
      double& x = elements[planar ? channel * plane + i : i * count + channel];
      x = (x * how_.scale - mean) / deviation;
    }
  }
}

Shape Preprocessor::accepted(const Shape& shape) const {
  const Shape wanted(input_.shape.begin() + 1, input_.shape.end());
  Shape in_front{1}, behind = shape;
  in_front.insert(in_front.end(), shape.begin(), shape.end());
  behind.push_back(1);
  for (const Shape& candidate : {shape, in_front, behind, Shape{element_count(shape)}})
    if (matches(candidate, wanted)) return candidate;
  if (std::ranges::equal(without_ones(shape), without_ones(wanted))) return wanted;
  fail(fmt::format(
      "a sample is {}, the model's input '{}' takes {}; check layout, color, resize and "
      "center_crop",
      to_string(shape), input_.name, to_string(wanted)));
}

void Preprocessor::store(std::span<const double> elements, Tensor& batch, std::int64_t at) const {
  switch (batch.dtype()) {
    case DType::f32:
      return store_as<float>(elements, batch, at);
    case DType::f64:
      return store_as<double>(elements, batch, at);
    case DType::i8:
      return store_as<std::int8_t>(elements, batch, at);
    case DType::i16:
      return store_as<std::int16_t>(elements, batch, at);
    case DType::i32:
      return store_as<std::int32_t>(elements, batch, at);
    case DType::i64:
      return store_as<std::int64_t>(elements, batch, at);
    case DType::u8:
    case DType::boolean:
      return store_as<std::uint8_t>(elements, batch, at);
    case DType::u16:
      return store_as<std::uint16_t>(elements, batch, at);
    case DType::u32:
      return store_as<std::uint32_t>(elements, batch, at);
    case DType::u64:
      return store_as<std::uint64_t>(elements, batch, at);
    default:
      throw Error(ADZE_INTERNAL, "the constructor refuses other types");
  }
}

}  // namespace adze::host
