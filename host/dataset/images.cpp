#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/dataset/pictures.hpp"
#include "host/dataset/preprocess.hpp"
#include "host/dataset/sources.hpp"

namespace adze::host {
namespace {

constexpr std::uint64_t kMaxFileBytes = 256u << 20;

struct Sample {
  std::filesystem::path file;
  std::int64_t label = 0;
};

std::vector<Sample> list_folder(const std::filesystem::path& folder) {
  constexpr std::array<std::string_view, 9> kExtensions = {".png", ".jpg",  ".jpeg", ".bmp", ".ppm",
                                                           ".pgm", ".webp", ".tif",  ".tiff"};
  std::vector<Sample> samples;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::string extension = entry.path().extension().string();
    std::ranges::transform(extension, extension.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    if (std::ranges::find(kExtensions, extension) != kExtensions.end())
      samples.push_back({entry.path()});
  }
  std::ranges::sort(samples, {}, [](const Sample& sample) { return sample.file.string(); });
  return samples;
}

// Lines "file,label"; a first line whose label is not a number is the heading.
std::vector<Sample> list_csv(const std::filesystem::path& csv,
                             const std::filesystem::path& folder) {
  const std::string text = read_text_file(csv);
  std::vector<Sample> samples;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line(text.data() + at, end - at);
    at = end + 1;
    ++number;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::size_t comma = line.rfind(',');
    std::string_view file = line.substr(0, std::min(comma, line.size()));
    std::string_view word = comma == std::string_view::npos ? "" : line.substr(comma + 1);
    while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
    if (file.size() >= 2 && file.front() == '"' && file.back() == '"')
      file = file.substr(1, file.size() - 2);
    Sample sample;
    const auto [stop, error] =
        std::from_chars(word.data(), word.data() + word.size(), sample.label);
    if (error != std::errc() || stop != word.data() + word.size() || file.empty()) {
      if (number == 1 && comma != std::string_view::npos) continue;
      throw Error(ADZE_DATA_LOSS,
                  fmt::format("cannot read '{}': line {} is not 'file,label' with a whole number",
                              csv.string(), number));
    }
    sample.file = folder / file;
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(sample.file, ignored))
      throw Error(ADZE_NOT_FOUND, fmt::format("'{}' line {} names '{}', which is no file in '{}'",
                                              csv.string(), number, file, folder.string()));
    samples.push_back(std::move(sample));
  }
  return samples;
}

class ImageDataset : public Dataset {
 public:
  ImageDataset(std::vector<Sample> samples, bool labeled, std::string color, Preprocessor how)
      : samples_(std::move(samples)),
        labeled_(labeled),
        color_(std::move(color)),
        preprocessor_(std::move(how)) {
    Shape shape;
    prepare(samples_[0], shape);
    model_shape_ = preprocessor_.accepted(shape);
    loaded_shape_ = std::move(shape);
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(samples_.size()); }
  bool has_labels() const override { return labeled_; }
  std::int64_t label(std::int64_t index) const override {
    if (!labeled_) throw Error(ADZE_FAILED_PRECONDITION, "the data has no labels");
    check_index(index, size());
    return samples_[static_cast<std::size_t>(index)].label;
  }

  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    Shape batch_shape{static_cast<std::int64_t>(indices.size())};
    batch_shape.insert(batch_shape.end(), model_shape_.begin(), model_shape_.end());
    Tensor made(preprocessor_.input().dtype, std::move(batch_shape));
    std::int64_t at = 0;
    for (const std::int64_t index : indices) {
      check_index(index, size());
      const Sample& sample = samples_[static_cast<std::size_t>(index)];
      Shape shape;
      const std::vector<double> elements = prepare(sample, shape);
      if (shape != loaded_shape_)
        throw Error(ADZE_INVALID_ARGUMENT,
                    fmt::format("cannot use '{}': it is {} after preprocessing, '{}' is {}; set "
                                "resize and center_crop",
                                sample.file.string(), to_string(shape), samples_[0].file.string(),
                                to_string(loaded_shape_)));
      preprocessor_.store(elements, made, at);
      at += static_cast<std::int64_t>(elements.size());
    }
    return {made};
  }

 private:
  std::vector<double> prepare(const Sample& sample, Shape& shape) const {
    const std::string name = fmt::format("'{}'", sample.file.string());
    const Picture picture = decode_picture(read_file(sample.file, kMaxFileBytes), color_, name);
    std::vector<double> elements = preprocessor_.laid_out(preprocessor_.fit(picture, name), shape);
    preprocessor_.normalize(elements, shape);
    return elements;
  }

  std::vector<Sample> samples_;
  bool labeled_;
  std::string color_;
  Preprocessor preprocessor_;
  Shape loaded_shape_, model_shape_;
};

}  // namespace

std::unique_ptr<Dataset> open_images(const DataSpec& spec, const InputSpec& input) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(spec.images, ignored))
    throw Error(ADZE_NOT_FOUND, fmt::format("cannot read images from '{}': it is not a folder",
                                            spec.images.string()));
  const bool labeled = !spec.labels.empty();
  std::vector<Sample> samples =
      labeled ? list_csv(spec.labels, spec.images) : list_folder(spec.images);
  if (samples.empty())
    throw Error(ADZE_DATA_LOSS, fmt::format("'{}' {} no images",
                                            labeled ? spec.labels.string() : spec.images.string(),
                                            labeled ? "names" : "holds"));
  return std::make_unique<ImageDataset>(std::move(samples), labeled, spec.preprocess.color,
                                        Preprocessor(spec.preprocess, input, spec.images.string()));
}

}  // namespace adze::host
