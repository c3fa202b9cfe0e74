// Calibration samples as the toolchain's sample script reads them: images, which it resizes, crops
// and normalizes by itself.
#pragma once

#include <adze/adze.hpp>
#include <filesystem>

#include "plugins/drpai_tvm/settings.hpp"

namespace adze::drpai_tvm {

/// The share of elements that an 8-bit image cannot hold.
struct WrittenImages {
  std::size_t count = 0;
  double clipped_share = 0;
};

/// Writes each sample of adze.dataset/1 as an image from which the script makes the sample again:
/// its normalization undone, in the middle of a frame of the size that it resizes to and crops
/// from. Errors: FAILED_PRECONDITION when no image can do that for this model.
WrittenImages write_calibration_images(adze_call* call, const Settings& settings,
                                       const std::filesystem::path& folder);

/// The folder of a user's images. Errors: NOT_FOUND when there are none.
void require_images(const std::filesystem::path& folder);

/// A PNG file of 8-bit pixels; `channels` is 1 or 3. Errors: RESOURCE_EXHAUSTED.
void write_png(const std::filesystem::path& file, std::size_t width, std::size_t height,
               std::size_t channels, std::span<const std::uint8_t> pixels);

}  // namespace adze::drpai_tvm
