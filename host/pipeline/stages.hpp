// The stages of a recipe, checked against the components they use before any work is done.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/pipeline/recipe.hpp"
#include "host/plugin/registry.hpp"

namespace adze::host {

struct Stage {
  const StageSpec* spec;
  Component component;  ///< with use = "auto": that of PTQ
  Settings settings;    ///< paths made absolute
  std::string pattern;  ///< of the masks that the stage makes
  bool automatic = false;
  bool fallback = false;
  std::optional<Component> qat = std::nullopt;  ///< with use = "auto", where there is one
  std::string qat_missing = {};                 ///< else: why
  Settings qat_settings = {};

  std::string use() const;  ///< what the recipe calls it
};

bool has_parameter(const Component& component, const std::string& name);
/// The parameters of "auto" that belong to `component`.
Settings settings_for(const Component& component, const Settings& settings);

/// `recipe` must outlive the stages. Errors: as optimize(), with the place of the stage or key.
std::vector<Stage> resolve_stages(const Recipe& recipe, const Registry& registry);

}  // namespace adze::host
