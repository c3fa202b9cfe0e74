#include "plugins/drpai_tvm/calibration_images.hpp"

#include <adze/ext/draft/dataset.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace adze::drpai_tvm {
namespace {

namespace fs = std::filesystem;

/// More would say that the images are not what the model was trained on.
constexpr double kMostClipped = 0.01;

void append_u32(std::vector<std::uint8_t>& to, std::size_t value) {
  for (const int shift : {24, 16, 8, 0}) to.push_back(static_cast<std::uint8_t>(value >> shift));
}

void append_chunk(std::vector<std::uint8_t>& to, const char* kind,
                  std::span<const std::uint8_t> data) {
  append_u32(to, data.size());
  const std::size_t begin = to.size();
  to.insert(to.end(), kind, kind + 4);
  to.insert(to.end(), data.begin(), data.end());
  append_u32(to, ::crc32(0, to.data() + begin, static_cast<uInt>(to.size() - begin)));
}

struct Frame {
  std::size_t channels, height, width;  ///< of a sample
  std::size_t side_y, side_x;           ///< of the image
};

Frame frame_of(const adze_call& call, const Settings& settings) {
  const adze_value& input = *call.graph->values[call.graph->inputs[0]];
  const auto size = [&](int axis) { return static_cast<std::size_t>(input.shape[axis]); };
  if (input.rank != 4 || input.batch_axis != 0 || (input.shape[1] != 1 && input.shape[1] != 3) ||
      input.shape[2] <= 0 || input.shape[3] <= 0)
    throw Error(ADZE_FAILED_PRECONDITION,
                std::string("calibration: the toolchain's script reads images, but input '") +
                    input.name +
                    "' is no image of 1 or 3 channels in the layout NCHW; bring scales with the "
                    "model instead (quantize it first, scales = own)");
  Frame frame{size(1), size(2), size(3), size(2), size(3)};
  const auto resize = static_cast<std::size_t>(settings.recorder_resize);
  const auto crop = static_cast<std::size_t>(settings.recorder_crop);
  if (crop != 0 && (frame.height != crop || frame.width != crop))
    throw Error(ADZE_FAILED_PRECONDITION,
                "calibration: the toolchain's sample script crops images to " +
                    std::to_string(crop) + "x" + std::to_string(crop) + ", the model takes " +
                    std::to_string(frame.height) + "x" + std::to_string(frame.width) +
                    "; change its preprocessing and say so (recorder_resize, recorder_crop; 0: it "
                    "does neither), or bring scales with the model");
  if (resize != 0 && crop != 0) frame.side_y = frame.side_x = resize;
  if (resize != 0 && crop == 0 && std::min(frame.height, frame.width) != resize)
    throw Error(ADZE_FAILED_PRECONDITION,
                "calibration: the toolchain's script resizes images to " + std::to_string(resize) +
                    ", which is not the model's size; set recorder_resize and recorder_crop");
  for (const auto& [name, values] :
       {std::pair{"mean", &settings.mean}, std::pair{"std", &settings.deviation}})
    if (values->size() != 1 && values->size() < frame.channels)
      throw Error(ADZE_INVALID_ARGUMENT, std::string(name) + " has " +
                                             std::to_string(values->size()) +
                                             " values, the model's images have " +
                                             std::to_string(frame.channels) + " channels");
  return frame;
}

double of_channel(const std::vector<double>& values, std::size_t channel) {
  return values.size() == 1 ? values[0] : values[channel];
}

}  // namespace

void write_png(const fs::path& file, std::size_t width, std::size_t height, std::size_t channels,
               std::span<const std::uint8_t> pixels) {
  std::vector<std::uint8_t> lines;
  for (std::size_t y = 0; y < height; ++y) {
    lines.push_back(0);  // not filtered
    const auto line = pixels.subspan(y * width * channels, width * channels);
    lines.insert(lines.end(), line.begin(), line.end());
  }
  uLongf packed_size = ::compressBound(lines.size());
  std::vector<std::uint8_t> packed(packed_size);
  if (::compress2(packed.data(), &packed_size, lines.data(), lines.size(), 6) != Z_OK)
    throw Error(ADZE_RESOURCE_EXHAUSTED, "cannot compress an image");
  packed.resize(packed_size);
  std::vector<std::uint8_t> header;
  append_u32(header, width);
  append_u32(header, height);
  const std::uint8_t color = channels == 3 ? 2 : 0;
  header.insert(header.end(), {8, color, 0, 0, 0});
  std::vector<std::uint8_t> bytes{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  append_chunk(bytes, "IHDR", header);
  append_chunk(bytes, "IDAT", packed);
  append_chunk(bytes, "IEND", {});
  std::ofstream stream(file, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  stream.close();
  if (!stream) throw Error(ADZE_RESOURCE_EXHAUSTED, "cannot write '" + file.string() + "'");
}

WrittenImages write_calibration_images(adze_call* call, const Settings& settings,
                                       const fs::path& folder) {
  const auto* dataset =
      static_cast<const adze_dataset*>(call->host->get_extension(call, ADZE_DATASET));
  if (!dataset || dataset->train_count == 0)
    throw Error(
        ADZE_UNAVAILABLE,
        "the vendor's calibrator needs samples: give `adze bundle make` or `adze validate` "
        "--calibration FILE.toml, or the parameter 'calibration' (a folder of images). Random data "
        "would give a model that is wrong on everything");
  const Frame frame = frame_of(*call, settings);
  fs::create_directories(folder);
  WrittenImages written;
  std::size_t clipped = 0, elements = 0;
  std::vector<std::uint8_t> pixels(frame.side_y * frame.side_x * frame.channels);
  const std::size_t top = (frame.side_y - frame.height) / 2,
                    left = (frame.side_x - frame.width) / 2;
  for (std::uint64_t i = 0; i < dataset->train_count; ++i) {
    progress(call, 0.05 * static_cast<double>(i) / static_cast<double>(dataset->train_count),
             "writing calibration images");
    const adze_batch* batch = nullptr;
    check(dataset->batch(call, ADZE_SPLIT_TRAIN, 1, 0, i, &batch));
    const std::span<const float> sample = f32(batch->inputs[0]);
    if (sample.size() != frame.channels * frame.height * frame.width)
      throw Error(ADZE_INVALID_ARGUMENT, "a calibration sample has another size than the input");
    for (std::size_t y = 0; y < frame.side_y; ++y)
      for (std::size_t x = 0; x < frame.side_x; ++x)
        for (std::size_t c = 0; c < frame.channels; ++c) {
          // Beyond the sample its edge goes on.
          const std::size_t from_y = std::clamp(y, top, top + frame.height - 1) - top;
          const std::size_t from_x = std::clamp(x, left, left + frame.width - 1) - left;
          const double value = (sample[(c * frame.height + from_y) * frame.width + from_x] *
                                    of_channel(settings.deviation, c) +
                                of_channel(settings.mean, c)) *
                               255;
          if (!std::isfinite(value))
            throw Error(ADZE_INVALID_ARGUMENT, "a calibration sample holds no number somewhere");
          const double limited = std::clamp(std::nearbyint(value), 0.0, 255.0);
          ++elements;
          clipped += std::abs(limited - value) > 1;
          pixels[(y * frame.side_x + x) * frame.channels + c] = static_cast<std::uint8_t>(limited);
        }
    std::string name = std::to_string(i);
    name.insert(0, 6 - std::min<std::size_t>(6, name.size()), '0');
    write_png(folder / (name + ".png"), frame.side_x, frame.side_y, frame.channels, pixels);
    ++written.count;
  }
  written.clipped_share = static_cast<double>(clipped) / static_cast<double>(elements);
  if (written.clipped_share > kMostClipped)
    throw Error(ADZE_FAILED_PRECONDITION,
                "calibration: " + std::to_string(std::lround(written.clipped_share * 100)) +
                    " % of the values do not fit into an 8-bit image with this mean and std, which "
                    "must be those of the toolchain's script; set 'mean' and 'std'");
  return written;
}

void require_images(const fs::path& folder) {
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    std::string extension = entry->path().extension().string();
    for (char& c : extension) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    if (extension == ".png" || extension == ".jpg" || extension == ".jpeg" || extension == ".bmp")
      return;
  }
  throw Error(ADZE_NOT_FOUND,
              "calibration: '" + folder.string() +
                  (failed ? "' cannot be read: " + failed.message() : "' holds no images"));
}

}  // namespace adze::drpai_tvm
