// Files that hold whole arrays: IDX, NumPy's npy and npz, raw bytes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/base/tensor.hpp"

namespace adze::host {

// What a header claims is checked against the size of the file before memory is asked for. Errors
// of all: NOT_FOUND; DATA_LOSS and INVALID_ARGUMENT naming the file, what is wrong, what to try.

/// An IDX file (as MNIST's), plain or gzip; big-endian elements come out native.
Tensor read_idx(const std::filesystem::path& path);

/// A file of NumPy, format 1.0 to 3.0, C order, either byte order.
Tensor read_npy(const std::filesystem::path& path);
/// The same from memory; `what` names it in errors.
Tensor parse_npy(std::span<const std::byte> bytes, const std::string& what);

/// The arrays of an npz file, sorted, without ".npy".
std::vector<std::string> npz_names(const std::filesystem::path& path);
Tensor read_npz(const std::filesystem::path& path, const std::string& name);

/// Samples of one shape and type, little-endian, one after the other: [n, shape...].
Tensor read_raw(const std::filesystem::path& path, const Shape& sample, const std::string& dtype);

/// Labels: IDX, npy, npz (its array "labels", or its only one), or text with a number a line.
std::vector<std::int64_t> read_labels(const std::filesystem::path& path);
/// The elements of an integer array [n] or [n, 1].
std::vector<std::int64_t> labels_of(const Tensor& array, const std::string& what);

/// The type called `name` ("float32"); nullopt when there is none that a file can hold.
std::optional<DType> dtype_named(std::string_view name);
/// Reverses the bytes of each element.
void swap_bytes(std::span<std::byte> bytes, std::size_t element_size);
/// Size of a file. Errors: NOT_FOUND when it is not a regular file.
std::uint64_t size_of_file(const std::filesystem::path& path);

}  // namespace adze::host
