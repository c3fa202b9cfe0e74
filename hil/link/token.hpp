// The shared secret of a TCP link.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace adze::hil {

/// The first line of a file that only its owner may read (mode 0600). Errors: NOT_FOUND,
/// PERMISSION_DENIED when others may read or write it, INVALID_ARGUMENT for fewer than 16
/// characters.
std::string load_token(const std::filesystem::path& file);
/// $ADZE_TOKEN_FILE, or ~/.config/adze/token.
std::filesystem::path token_file();
/// Takes the same time wherever the two differ.
bool same_token(std::string_view a, std::string_view b);

}  // namespace adze::hil
