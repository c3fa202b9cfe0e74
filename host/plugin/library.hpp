// A shared library brought into this process, for good.
#pragma once

#include <adze/plugin.h>

#include <filesystem>

namespace adze::host {

/// The entry function of a library that scan_elf() approved. Libraries are never unloaded: a plugin
/// may have threads running, and static data registered for the end of the process. `path` must be
/// canonical. Errors: PluginError with the loader's own reason. [any]
decltype(&adze_plugin_v1) load_entry(const std::filesystem::path& path);

}  // namespace adze::host
