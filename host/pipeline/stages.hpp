// The stages of a recipe, checked against the components they use before any work is done.
#pragma once

#include <string>
#include <vector>

#include "host/pipeline/recipe.hpp"
#include "host/plugin/registry.hpp"

namespace adze::host {

struct Stage {
  const StageSpec* spec;
  Component component;
  Settings settings;    ///< paths made absolute
  std::string pattern;  ///< of the masks that the stage makes
};

/// `recipe` must outlive the stages. Errors: as optimize(), with the place of the stage or key.
std::vector<Stage> resolve_stages(const Recipe& recipe, const Registry& registry);

}  // namespace adze::host
