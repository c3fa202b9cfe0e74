// Masks that the user gives: a folder with NODE.npy for each layer it says something about.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace reconstruct {

/// The mask of a node's weight, a byte an element, 0: pruned; nullopt when the folder has none.
/// A '/' of the node's name is '_' in the file's. Files hold bool, int8 or uint8 in C order and
/// have the weight's shape. Errors: adze::Error INVALID_ARGUMENT naming the file.
std::optional<std::vector<std::uint8_t>> read_user_mask(const std::filesystem::path& folder,
                                                        std::string node,
                                                        std::span<const std::int64_t> shape);

}  // namespace reconstruct
