#include "host/plugin/registry.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <system_error>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/nearest.hpp"
#include "host/plugin/descriptor.hpp"
#include "host/plugin/elf_scan.hpp"
#include "host/plugin/library.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEntry = "adze_plugin_v1", kEntryOfAnyMajor = "adze_plugin_v";
constexpr std::string_view kOwnPrefix = "adze.";

fs::path own_plugin_folder() {
  return fs::weakly_canonical(installation_root() / "lib" / "adze" / "plugins");
}

[[noreturn]] void refuse(const fs::path& path, const std::string& why) {
  throw PluginError(ADZE_FAILED_PRECONDITION, "cannot load plugin '" + path.string() + "': " + why);
}

bool is_entry(const std::string& symbol) {
  return symbol.starts_with(kEntryOfAnyMajor) && symbol.size() > kEntryOfAnyMajor.size() &&
         symbol.find_first_not_of("0123456789", kEntryOfAnyMajor.size()) == std::string::npos;
}

void check_scan(const fs::path& path, const ElfScan& scan) {
  if (scan.machine != own_machine())
    refuse(path, "built for " + machine_name(scan.machine) + ", this host is " +
                     machine_name(own_machine()) + " (L01)");
  const auto entry = std::ranges::find_if(scan.exported, is_entry);
  if (entry == scan.exported.end())
    refuse(path, "it does not export " + std::string(kEntry) + ", so it is no Adze plugin (L02)");
  if (!std::ranges::binary_search(scan.exported, kEntry))
    refuse(path, "built for ABI " + entry->substr(kEntryOfAnyMajor.size()) +
                     ", this host offers ABI 1; rebuild the plugin or update the host (L02)");
  const auto extra = std::ranges::find_if_not(scan.exported, is_entry);
  if (extra != scan.exported.end())
    refuse(path, "it exports '" + *extra +
                     "' besides its entry, which could clash with the host or another plugin; "
                     "build it with adze_add_plugin() or its version script (L03)");
  const std::string sanitizer = sanitizer_of(scan);
  if (!sanitizer.empty() && sanitizer != own_sanitizer())
    refuse(path, "built with " + sanitizer +
                     ", this host is not; rebuild the plugin without it or the host with it (L09)");
}

bool writable_by_all(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IWOTH);
}

std::vector<fs::path> plugin_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".so") files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

}  // namespace

const char* kind_name(ComponentKind kind) {
  switch (kind) {
    case ComponentKind::pruner:
      return "pruner";
    case ComponentKind::quantizer:
      return "quantizer";
    case ComponentKind::backend:
      break;
  }
  return "backend";
}

ComponentKind Component::kind() const {
  if (component->pruner) return ComponentKind::pruner;
  return component->quantizer ? ComponentKind::quantizer : ComponentKind::backend;
}

LoadedPlugin load_plugin(const fs::path& given) {
  std::error_code missing;
  const fs::path path = fs::canonical(given, missing);
  if (missing) refuse(given, missing.message());
  if (!fs::is_regular_file(path)) refuse(path, "not a file");
  if (writable_by_all(path))
    refuse(path, "anyone may write to it; take that permission away (chmod o-w)");
  try {
    check_scan(path, scan_elf(read_file(path)));
  } catch (const PluginError&) {
    throw;
  } catch (const Error& error) {
    refuse(path, std::string(error.what()) + " (L01)");
  }
  const adze_plugin* plugin = load_entry(path)();
  const std::string fault = descriptor_fault(plugin, path.parent_path() == own_plugin_folder());
  if (!fault.empty()) refuse(path, fault);
  return {path, plugin};
}

Registry::Registry(const std::vector<fs::path>& extra) {
  for (const fs::path& path : extra) {
    if (!fs::exists(path))
      throw Error(ADZE_NOT_FOUND, "cannot search '" + path.string() +
                                      "' for plugins: no such file or folder; check --plugin-path");
    search(path);
  }
  // Not read when the program runs with more rights than its user.
  if (const char* listed = ::secure_getenv("ADZE_PLUGIN_PATH")) {
    std::string_view rest = listed;
    while (!rest.empty()) {
      const std::string_view entry = rest.substr(0, rest.find(':'));
      rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
      if (entry.empty()) continue;
      if (fs::path(entry).is_relative())
        rejected_.push_back({entry, "ADZE_PLUGIN_PATH takes absolute paths only"});
      else if (fs::exists(entry))
        search(entry);
      else
        rejected_.push_back({entry, "ADZE_PLUGIN_PATH names it, but it does not exist"});
    }
  }
  if (const fs::path own = own_plugin_folder(); fs::exists(own)) search(own);
}

void Registry::search(const fs::path& path) {
  if (!fs::is_directory(path)) return add(path);
  if (writable_by_all(path)) {
    rejected_.push_back(
        {path, "anyone may write to this folder; take that permission away (chmod o-w)"});
    return;
  }
  try {
    for (const fs::path& file : plugin_files(path)) add(file);
  } catch (const fs::filesystem_error& error) {
    rejected_.push_back({path, error.code().message()});
  }
}

void Registry::add(const fs::path& path) {
  try {
    const LoadedPlugin loaded = load_plugin(path);
    for (const LoadedPlugin& known : plugins_) {
      if (known.path == loaded.path) return;
      for (std::uint32_t i = 0; i < loaded.plugin->component_count; ++i)
        for (std::uint32_t k = 0; k < known.plugin->component_count; ++k)
          if (std::string_view(loaded.plugin->components[i]->id) ==
              known.plugin->components[k]->id) {
            rejected_.push_back(
                {loaded.path, "component '" + std::string(loaded.plugin->components[i]->id) +
                                  "' already comes from '" + known.path.string() + "'"});
            return;
          }
    }
    plugins_.push_back(loaded);
  } catch (const Error& error) {
    rejected_.push_back({path, error.what()});
  }
}

std::vector<Component> Registry::components() const {
  std::vector<Component> all;
  for (const LoadedPlugin& plugin : plugins_)
    for (std::uint32_t i = 0; i < plugin.plugin->component_count; ++i)
      all.push_back({plugin.plugin->components[i], &plugin});
  std::ranges::sort(all, {}, [](const Component& c) { return std::string_view(c.component->id); });
  return all;
}

Component Registry::find(std::string_view id) const {
  std::vector<std::string> names;
  for (const Component& each : components()) {
    const std::string_view full = each.component->id;
    if (full == id || full == std::string(kOwnPrefix) + std::string(id)) return each;
    names.emplace_back(full);
    if (full.starts_with(kOwnPrefix)) names.emplace_back(full.substr(kOwnPrefix.size()));
  }
  std::string text = "no component '" + std::string(id) + "'" + did_you_mean(id, names);
  if (!rejected_.empty())
    text +=
        " (" + std::to_string(rejected_.size()) + " files were rejected: see 'adze plugin list')";
  throw Error(ADZE_NOT_FOUND, text);
}

}  // namespace adze::host
