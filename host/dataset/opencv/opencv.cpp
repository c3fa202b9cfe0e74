// OpenCV behind host/dataset/pictures.hpp.
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <stdexcept>

#include "host/dataset/pictures.hpp"

namespace {

using adze::host::Picture;

template <class T>
constexpr int kDepth = std::is_same_v<T, float> ? CV_32F : CV_8U;

/// Of the same elements; OpenCV only reads them.
template <class T>
cv::Mat matrix_on(const Picture& picture, const std::vector<T>& elements) {
  return {picture.height, picture.width, CV_MAKETYPE(kDepth<T>, picture.channels),
          const_cast<T*>(elements.data())};
}

/// `matrix` has no gaps between its rows.
template <class T>
Picture copy_of(const cv::Mat& matrix) {
  const T* begin = matrix.ptr<T>();
  return {
      matrix.rows, matrix.cols, matrix.channels(),
      std::vector<T>(begin, begin + matrix.total() * static_cast<std::size_t>(matrix.channels()))};
}

Picture decode(std::span<const std::byte> file, const std::string& color) {
  const cv::Mat encoded(1, static_cast<int>(file.size()), CV_8U,
                        const_cast<std::byte*>(file.data()));
  cv::Mat image;
  // Training frameworks do not turn pictures by their EXIF orientation.
  if (!file.empty())
    image = cv::imdecode(encoded, cv::IMREAD_IGNORE_ORIENTATION |
                                      (color == "gray" ? cv::IMREAD_GRAYSCALE : cv::IMREAD_COLOR));
  if (image.empty()) throw std::runtime_error("it is no image, or a kind OpenCV does not read");
  if (color == "rgb") cv::cvtColor(image, image, cv::COLOR_BGR2RGB);
  return copy_of<std::uint8_t>(image);
}

template <class T>
Picture resize(const Picture& picture, const std::vector<T>& elements, int height, int width) {
  // The exact variant gives the same pixels on every machine; it knows integers only.
  constexpr int kMethod =
      std::is_same_v<T, std::uint8_t> ? cv::INTER_LINEAR_EXACT : cv::INTER_LINEAR;
  cv::Mat made;
  cv::resize(matrix_on(picture, elements), made, {width, height}, 0, 0, kMethod);
  return copy_of<T>(made);
}

/// cv::Exception is OpenCV's own class, which the program does not know.
auto translated(auto&& work) {
  try {
    return work();
  } catch (const cv::Exception& error) {
    throw std::runtime_error(error.what());
  }
}

constexpr adze::host::PictureFunctions kFunctions = {
    [](std::span<const std::byte> file, const std::string& color) {
      return translated([&] { return decode(file, color); });
    },
    [](const Picture& picture, int height, int width) {
      return translated([&] {
        return std::visit(
            [&](const auto& elements) { return resize(picture, elements, height, width); },
            picture.elements);
      });
    }};

}  // namespace

const adze::host::PictureFunctions* adze_pictures() { return &kFunctions; }
