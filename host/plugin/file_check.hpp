// What a plugin's file alone tells: checked before anything in it runs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace adze::host {

/// A rule of the contract that a plugin breaks ("L03"; "" for what is no rule of plugins, such as a
/// missing file), and what is wrong.
struct PluginFault {
  std::string rule, text;
};

/// All that is wrong with the file, worst first; empty: it may be loaded. It is read, not run.
std::vector<PluginFault> file_faults(const std::filesystem::path& path);

/// Anyone may write to the file or folder.
bool writable_by_all(const std::filesystem::path& path);

/// "text (rule)".
std::string to_string(const PluginFault& fault);

}  // namespace adze::host
