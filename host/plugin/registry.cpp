#include "host/plugin/registry.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/log.hpp"
#include "host/base/nearest.hpp"
#include "host/plugin/descriptor.hpp"
#include "host/plugin/descriptor_codec.hpp"
#include "host/plugin/file_check.hpp"
#include "host/plugin/library.hpp"
#include "host/plugin/scan.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOwnPrefix = "adze.";
/// Ours, but built only where LibTorch is.
constexpr std::string_view kTraining = "adze.quantize.qat";

const fs::path& own_plugin_folder() {
  static const fs::path folder =
      fs::weakly_canonical(installation_root() / "lib" / "adze" / "plugins");
  return folder;
}

[[noreturn]] void refuse(const fs::path& path, const std::string& why) {
  throw PluginError(ADZE_FAILED_PRECONDITION, "cannot load plugin '" + path.string() + "': " + why);
}

fs::path canonical_or_refuse(const fs::path& path) {
  std::error_code missing;
  fs::path canonical = fs::canonical(path, missing);
  if (missing) refuse(path, missing.message());
  return canonical;
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

bool is_own_plugin(const fs::path& canonical) {
  return canonical.parent_path() == own_plugin_folder();
}

LoadedPlugin load_unchecked(const fs::path& given) {
  const fs::path path = canonical_or_refuse(given);
  return {path, load_entry(path)()};
}

LoadedPlugin load_plugin(const fs::path& given) {
  const fs::path path = canonical_or_refuse(given);
  if (const auto faults = file_faults(path); !faults.empty())
    refuse(path, to_string(faults.front()));
  const LoadedPlugin loaded = load_unchecked(path);
  const std::string fault = descriptor_fault(loaded.plugin, is_own_plugin(path));
  if (!fault.empty()) refuse(path, fault);
  return loaded;
}

DescribedPlugin::DescribedPlugin(const fs::path& given, const Isolation& isolation,
                                 const fs::path& cache) {
  const fs::path path = canonical_or_refuse(given);
  for (const PluginFault& fault : file_faults(path))
    if (fault.rule.empty() || fault.rule == "L01" || fault.rule == "L02")
      throw Error(ADZE_INVALID_ARGUMENT, "'" + path.string() + "': " + to_string(fault));
  if (!isolation.tables) {
    plugin_ = load_plugin(path);
    return;
  }
  // Whoever names a file wants to know how it is now.
  const nlohmann::json found = Scanner(isolation.program, cache)
                                   .scan(path, is_own_plugin(path), Scanner::Faults::asked_again);
  if (!found.contains("descriptor"))
    throw PluginError(ADZE_FAILED_PRECONDITION, found.at("reason").get<std::string>());
  descriptor_ = std::make_unique<OwnedDescriptor>(found.at("descriptor"), *isolation.tables);
  plugin_ = {path, descriptor_->plugin()};
}

DescribedPlugin::~DescribedPlugin() = default;

Registry::Registry(RegistryOptions options) : options_(std::move(options)) {
  for (const fs::path& path : options_.search) {
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
  check_trust();
}

Registry::~Registry() = default;

void Registry::check_trust() const {
  for (const std::string& id : options_.trust)
    if (std::ranges::none_of(plugins_, [&](const LoadedPlugin& plugin) {
          return id == plugin.plugin->id ||
                 std::ranges::any_of(
                     std::span(plugin.plugin->components, plugin.plugin->component_count),
                     [&](const adze_component* each) { return id == each->id; });
        }))
      log(LogLevel::warning, "'" + id + "' is trusted, but there is no such plugin or component");
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

LoadedPlugin Registry::look_at(const fs::path& given) {
  const Isolation& isolation = options_.isolation;
  if (!isolation.tables) return load_plugin(given);
  const fs::path path = canonical_or_refuse(given);
  const bool own = is_own_plugin(path) && !options_.isolate_own;
  const nlohmann::json found = Scanner(isolation.program, options_.cache).scan(path, own);
  if (!found.contains("descriptor"))
    throw PluginError(ADZE_FAILED_PRECONDITION, found.at("reason").get<std::string>());
  const OwnedDescriptor& shown = descriptors_.emplace_back(
      found.at("descriptor"), own ? unloaded_tables() : *isolation.tables);
  return {path, shown.plugin(), own ? nullptr : &isolation};
}

void Registry::add(const fs::path& path) {
  try {
    const LoadedPlugin loaded = look_at(path);
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

bool Registry::runs_here(const Component& component) const {
  if (!component.plugin->isolation) return true;
  return std::ranges::any_of(options_.trust, [&](const std::string& id) {
    return id == component.component->id || id == component.plugin->plugin->id;
  });
}

Component Registry::find(std::string_view id) const {
  std::vector<std::string> names, full_names;
  for (const Component& each : components()) {
    const std::string_view full = each.component->id;
    if (full == id || full == std::string(kOwnPrefix) + std::string(id)) {
      if (!options_.isolation.tables || !runs_here(each)) return each;
      const LoadedPlugin loaded = load_plugin(each.plugin->path);
      for (std::uint32_t i = 0; i < loaded.plugin->component_count; ++i)
        if (full == loaded.plugin->components[i]->id)
          return {loaded.plugin->components[i], each.plugin};
      refuse(loaded.path, "it no longer has the component '" + std::string(full) + "'");
    }
    names.emplace_back(full);
    full_names.emplace_back(full);
    if (full.starts_with(kOwnPrefix)) names.emplace_back(full.substr(kOwnPrefix.size()));
  }
  std::string text = "no component '" + std::string(id) + "'";
  if (id == kTraining || id == kTraining.substr(kOwnPrefix.size())) {
    text +=
        ": training is not installed; install the Debian package adze-qat, or libtorch-dev and "
        "build Adze again, or use adze.quantize.ptq";
  } else if (const std::string nearest = did_you_mean(id, names); !nearest.empty()) {
    text += nearest;
  } else if (!full_names.empty()) {
    text += "; there are: ";
    for (std::size_t i = 0; i < full_names.size(); ++i) text += (i ? ", " : "") + full_names[i];
  }
  if (!rejected_.empty())
    text += " (" + std::to_string(rejected_.size()) + " rejected: see 'adze plugin list')";
  throw Error(ADZE_NOT_FOUND, text);
}

}  // namespace adze::host
