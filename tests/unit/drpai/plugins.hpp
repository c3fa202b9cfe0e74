// The built backends, as components.
#pragma once

#include <cstdlib>

#include "host/abi/backend.hpp"

namespace adze::host {

inline Component built_component(const char* file) {
  static std::map<std::string, LoadedPlugin> plugins;
  const auto [found, is_new] = plugins.try_emplace(file);
  if (is_new)
    found->second = load_plugin(std::filesystem::path(std::getenv("ADZE_BINARY_DIR")) /
                                "lib/adze/plugins" / file);
  return {found->second.plugin->components[0], &found->second};
}

inline Component cpu_backend() { return built_component("adze_cpu.so"); }
inline Component drpai_backend() { return built_component("adze_drpai.so"); }

}  // namespace adze::host
