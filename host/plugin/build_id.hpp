// The id that the linker gives every build of a library.
#pragma once

#include <filesystem>
#include <string>

namespace adze::host {

/// Hexadecimal; "" when the file has none or is no ELF file. Reads the headers only.
std::string build_id_of(const std::filesystem::path& path);

}  // namespace adze::host
