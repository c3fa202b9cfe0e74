#include "host/dataset/pictures.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::host {
namespace {

/// Never unloaded: OpenCV keeps threads.
const PictureFunctions& load_functions() {
  const auto file = installation_root() / "lib/adze/pictures/adze_pictures.so";
  // RTLD_LOCAL: nothing of OpenCV may stand in for what plugins bring.
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw Error(ADZE_UNAVAILABLE,
                fmt::format("cannot load OpenCV, which reads and resizes images: {}; install the "
                            "Debian packages libopencv-imgcodecs406 and libopencv-imgproc406",
                            dlerror()));
  void* entry = dlsym(library, "adze_pictures");
  if (!entry)
    throw Error(ADZE_FAILED_PRECONDITION,
                fmt::format("'{}' is of another version of Adze", file.string()));
  return *reinterpret_cast<decltype(&adze_pictures)>(entry)();
}

const PictureFunctions& functions() {
  static const PictureFunctions& loaded = load_functions();
  return loaded;
}

}  // namespace

Picture decode_picture(std::span<const std::byte> file, const std::string& color,
                       const std::string& name) {
  const PictureFunctions& opencv = functions();
  try {
    return opencv.decode(file, color);
  } catch (const std::runtime_error& error) {
    throw Error(ADZE_DATA_LOSS, fmt::format("cannot decode {}: {}", name, error.what()));
  }
}

Picture resized(const Picture& picture, int height, int width) {
  return functions().resize(picture, height, width);
}

Picture cropped(const Picture& picture, int top, int left, int height, int width) {
  Picture part{height, width, picture.channels, picture.elements};
  std::visit(
      [&](auto& elements) {
        const auto& whole = std::get<std::decay_t<decltype(elements)>>(picture.elements);
        const std::ptrdiff_t row = std::ptrdiff_t{picture.width} * picture.channels,
                             kept = std::ptrdiff_t{width} * picture.channels;
        auto to = elements.begin();
        for (int y = top; y < top + height; ++y)
          to = std::copy_n(whole.begin() + y * row + std::ptrdiff_t{left} * picture.channels, kept,
                           to);
        elements.resize(static_cast<std::size_t>(kept * height));
      },
      part.elements);
  return part;
}

}  // namespace adze::host
