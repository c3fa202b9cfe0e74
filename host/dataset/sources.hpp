// The kinds of data sets behind open_dataset().
#pragma once

#include <memory>
#include <span>

#include "host/dataset/dataset.hpp"

namespace adze::host {

/// idx, npy, npz, raw: arrays in memory in the type of the file, converted batch by batch.
std::unique_ptr<Dataset> open_arrays(const DataSpec& spec, std::span<const InputSpec> inputs);
/// A folder of image files, decoded batch by batch. `spec.labels` is a CSV file with lines
/// "file,label", whose order is the order of the samples; without it all images, sorted by name.
std::unique_ptr<Dataset> open_images(const DataSpec& spec, const InputSpec& input);

/// Throws OUT_OF_RANGE unless 0 <= index < size.
void check_index(std::int64_t index, std::int64_t size);

}  // namespace adze::host
