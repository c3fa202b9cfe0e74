// The plugins of an installation: found in folders, looked at without running them, loaded when
// they are used and never unloaded.
#pragma once

#include <adze/plugin.h>

#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "host/plugin/isolation.hpp"

namespace adze::host {

enum class ComponentKind { pruner, quantizer, backend };
const char* kind_name(ComponentKind kind);

struct LoadedPlugin {
  std::filesystem::path path;  ///< canonical
  const adze_plugin* plugin;   ///< lives as long as the registry, or until the process ends
  /// How its components run in a worker; nullptr: in this process. Outlives the object.
  const Isolation* isolation = nullptr;
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

struct RegistryOptions {
  std::vector<std::filesystem::path> search;  ///< folders or files, in order, before all others
  /// How foreign plugins are looked at and run; `tables` NULL: in this process, as our own.
  Isolation isolation;
  std::vector<std::string> trust;  ///< ids of plugins and components that run in this process
  bool isolate_own = false;        ///< the installation's plugins too
  std::filesystem::path cache;     ///< of scans; empty: none
};

class OwnedDescriptor;

class Registry {
 public:
  /// Finds *.so in: options.search, ADZE_PLUGIN_PATH (secure_getenv, absolute entries only), the
  /// installation's lib/adze/plugins; each folder in the order of file names. Each file is checked
  /// without running it (ELF, entry symbol, no other export, no sanitizer); what passes is
  /// described by a worker. A file that fails is rejected, not fatal. Of two plugins with the same
  /// component id the first wins. Folders that anyone may write to are rejected. Errors: NOT_FOUND
  /// for an entry of `search` that does not exist.
  explicit Registry(RegistryOptions options);
  /// All in this process, loaded at once, nothing remembered.
  explicit Registry(const std::vector<std::filesystem::path>& search = {})
      : Registry(RegistryOptions{.search = search}) {}
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  const std::deque<LoadedPlugin>& plugins() const { return plugins_; }
  const std::vector<RejectedPlugin>& rejected() const { return rejected_; }
  /// For looking at. Those of our own plugins may not be loaded yet: run what find() gives.
  std::vector<Component> components() const;
  /// By full id ("adze.cpu") or without the "adze." prefix ("cpu"). Loads the library when it runs
  /// in this process. Errors: NOT_FOUND with the nearest id; as load_plugin().
  Component find(std::string_view id) const;
  /// Runs in this process: our own, trusted, or all do.
  bool runs_here(const Component& component) const;

 private:
  void search(const std::filesystem::path& path);
  void add(const std::filesystem::path& path);
  LoadedPlugin look_at(const std::filesystem::path& path);
  void check_trust() const;

  RegistryOptions options_;
  std::deque<OwnedDescriptor> descriptors_;
  std::deque<LoadedPlugin> plugins_;
  std::vector<RejectedPlugin> rejected_;
};

/// Lies in the installation's own folder of plugins.
bool is_own_plugin(const std::filesystem::path& canonical);

/// Loads one file into this process. Errors: PluginError saying what is wrong with it (not ELF,
/// other machine, no entry symbol, undefined symbols, extra exports, needs a newer ABI, ...).
LoadedPlugin load_plugin(const std::filesystem::path& path);
/// The same without looking for faults, for whoever wants to find more than the first. `path` must
/// be a library that loads. `plugin` may be NULL or anything else.
LoadedPlugin load_unchecked(const std::filesystem::path& path);

/// Describes one file as the registry does, in a worker when `isolation` has tables.
class DescribedPlugin {
 public:
  /// Errors: PluginError; INVALID_ARGUMENT for a file that is no plugin at all (L01, L02).
  DescribedPlugin(const std::filesystem::path& path, const Isolation& isolation,
                  const std::filesystem::path& cache);
  ~DescribedPlugin();
  const LoadedPlugin& get() const { return plugin_; }

 private:
  std::unique_ptr<OwnedDescriptor> descriptor_;
  LoadedPlugin plugin_;
};

}  // namespace adze::host
