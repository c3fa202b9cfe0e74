// The plugins of this process: found in folders, looked at without running them, loaded once and
// never unloaded.
#pragma once

#include <adze/plugin.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace adze::host {

enum class ComponentKind { pruner, quantizer, backend };
const char* kind_name(ComponentKind kind);

struct LoadedPlugin {
  std::filesystem::path path;  ///< canonical
  const adze_plugin* plugin;   ///< lives until the process ends
};

/// One pruner, quantizer or backend with the plugin it came from.
struct Component {
  const adze_component* component;
  const LoadedPlugin* plugin;
  ComponentKind kind() const;
};

/// A file in a plugin folder that is not (or cannot be) loaded, and why.
struct RejectedPlugin {
  std::filesystem::path path;
  std::string reason;
};

class Registry {
 public:
  /// Finds *.so in: `extra` (folders or files, in order), ADZE_PLUGIN_PATH (secure_getenv, absolute
  /// entries only), the installation's lib/adze/plugins; each folder in the order of file names.
  /// Each file is pre-scanned (ELF, entry symbol, no other export, no sanitizer) and loaded with
  /// RTLD_NOW | RTLD_LOCAL; a file that fails is rejected, not fatal. Of two plugins with the same
  /// component id the first wins. Folders that anyone may write to are rejected. Errors: NOT_FOUND
  /// for an entry of `extra` that does not exist.
  explicit Registry(const std::vector<std::filesystem::path>& extra = {});

  const std::vector<LoadedPlugin>& plugins() const { return plugins_; }
  const std::vector<RejectedPlugin>& rejected() const { return rejected_; }
  std::vector<Component> components() const;
  /// By full id ("adze.cpu") or without the "adze." prefix ("cpu"). Errors: NOT_FOUND with the
  /// nearest id.
  Component find(std::string_view id) const;

 private:
  void search(const std::filesystem::path& path);
  void add(const std::filesystem::path& path);

  std::vector<LoadedPlugin> plugins_;
  std::vector<RejectedPlugin> rejected_;
};

/// Loads one file. Errors: PluginError saying what is wrong with it (not ELF, other machine, no
/// entry symbol, undefined symbols, extra exports, needs a newer ABI, ...).
LoadedPlugin load_plugin(const std::filesystem::path& path);

}  // namespace adze::host
