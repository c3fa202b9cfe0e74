#include "host/dataset/augment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "host/base/error.hpp"

namespace adze::host {

std::uint64_t Augmentation::variants() const {
  const auto steps = static_cast<std::uint64_t>(2 * shift + 1);
  return steps * steps * (mirror ? 2 : 1);
}

void augment(Tensor& images, std::int64_t index, const Augmentation& augmentation,
             std::uint64_t variant) {
  const bool mirrored = augmentation.mirror && variant % 2 == 1;
  const auto steps = static_cast<std::uint64_t>(2 * augmentation.shift + 1);
  const std::uint64_t move = variant / (augmentation.mirror ? 2 : 1);
  const std::int64_t down = static_cast<std::int64_t>(move / steps % steps) - augmentation.shift,
                     right = static_cast<std::int64_t>(move % steps) - augmentation.shift;
  const Shape& shape = images.shape();
  const bool channels_last = augmentation.layout == "nhwc";
  const std::int64_t planes = channels_last ? 1 : shape[1];
  const std::int64_t height = shape[channels_last ? 1 : 2], width = shape[channels_last ? 2 : 3];
  const std::size_t pixel_bytes =
      info(images.dtype()).bits / 8 * static_cast<std::size_t>(channels_last ? shape[3] : 1);
  const std::size_t image_bytes = static_cast<std::size_t>(planes * height * width) * pixel_bytes;
  std::byte* to = images.mutate_bytes().data() + static_cast<std::size_t>(index) * image_bytes;
  const std::vector<std::byte> from(to, to + image_bytes);
  for (std::int64_t plane = 0; plane < planes; ++plane)
    for (std::int64_t y = 0; y < height; ++y) {
      const std::int64_t row = plane * height + std::clamp(y + down, std::int64_t{0}, height - 1);
      for (std::int64_t x = 0; x < width; ++x) {
        const std::int64_t seen = mirrored ? width - 1 - x : x;
        const std::int64_t column = std::clamp(seen + right, std::int64_t{0}, width - 1);
        std::memcpy(to, &from[static_cast<std::size_t>(row * width + column) * pixel_bytes],
                    pixel_bytes);
        to += pixel_bytes;
      }
    }
}

void require_image(std::span<const InputSpec> inputs) {
  if (inputs.size() == 1 && inputs[0].shape.size() == 4) return;
  throw Error(ADZE_INVALID_ARGUMENT,
              inputs.size() == 1
                  ? fmt::format("'mirror' and 'shift' of [train] are for images, but the model's "
                                "input '{}' is {}: leave them out",
                                inputs[0].name, to_string(inputs[0].shape))
                  : fmt::format("'mirror' and 'shift' of [train] are for models with one image as "
                                "input, but this one has {} inputs: leave them out",
                                inputs.size()));
}

}  // namespace adze::host
