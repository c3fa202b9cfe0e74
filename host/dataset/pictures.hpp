// Pictures in memory, and the two things that OpenCV does with them. OpenCV brings 130 libraries,
// which few commands need: it is in a library of its own, loaded with the first picture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace adze::host {

/// Height x width x channels; bytes of an image file, or the floats of an array.
struct Picture {
  int height = 0, width = 0, channels = 0;
  std::variant<std::vector<std::uint8_t>, std::vector<float>> elements;
};

/// The picture in an image file. `color` is rgb, bgr or gray. Errors: DATA_LOSS, saying why after
/// `name`; UNAVAILABLE without OpenCV.
Picture decode_picture(std::span<const std::byte> file, const std::string& color,
                       const std::string& name);
/// Linear interpolation; that of bytes gives the same on every machine. Errors: UNAVAILABLE.
Picture resized(const Picture& picture, int height, int width);
/// The part from `top`, `left` on.
Picture cropped(const Picture& picture, int top, int left, int height, int width);

/// What the library with OpenCV offers; what OpenCV refuses is thrown as std::runtime_error.
struct PictureFunctions {
  Picture (*decode)(std::span<const std::byte> file, const std::string& color);
  Picture (*resize)(const Picture& picture, int height, int width);
};

}  // namespace adze::host

/// The library's only symbol; both sides are built together.
extern "C" [[gnu::visibility("default")]] const adze::host::PictureFunctions* adze_pictures();
