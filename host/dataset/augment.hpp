// Images moved and mirrored, so that a training sees others in each epoch.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "host/dataset/dataset.hpp"

namespace adze::host {

/// [train] of a recipe: what an image may become. Labels stay, so it must not change them.
struct Augmentation {
  bool mirror = false;     ///< left to right, every other image
  std::int64_t shift = 0;  ///< up to so many pixels each way; what is at the border is repeated
  std::string layout = "nchw";  ///< of the images: nchw | nhwc

  bool changes() const { return mirror || shift > 0; }
  /// In how many ways an image can come, itself included.
  std::uint64_t variants() const;
};

/// Changes image `index` of a batch; `variant` is below variants(). The batch must have the layout:
/// four axes.
void augment(Tensor& images, std::int64_t index, const Augmentation& augmentation,
             std::uint64_t variant);

/// Errors: INVALID_ARGUMENT for inputs that are not one image.
void require_image(std::span<const InputSpec> inputs);

}  // namespace adze::host
