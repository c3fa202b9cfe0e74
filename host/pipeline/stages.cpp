#include "host/pipeline/stages.hpp"

#include <fmt/format.h>

#include <optional>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

[[noreturn]] void fail(const std::string& where, const Error& error) {
  throw Error(error.code,
              where.empty() ? error.what() : fmt::format("{}: {}", where, error.what()));
}

std::optional<Error> error_of(const Component& component, const Settings& settings) {
  try {
    const Arguments arguments(*component.component, settings);
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  }
}

/// The place of the key at fault: the one without which the complaint is another, or none.
std::string place_of(const StageSpec& spec, const Component& component, const Settings& settings,
                     const Error& error) {
  for (const auto& [key, place] : spec.places) {
    Settings others = settings;
    others.erase(key);
    const std::optional<Error> remaining = error_of(component, others);
    if (!remaining || std::string(remaining->what()) != error.what()) return place;
  }
  return spec.where;
}

Settings with_absolute_paths(const Recipe& recipe, const Component& component, Settings settings) {
  for (std::uint64_t i = 0; i < component.component->param_count; ++i) {
    const auto& param = *reinterpret_cast<const adze_param*>(
        reinterpret_cast<const char*>(component.component->params) +
        i * component.component->params[0].struct_size);
    const auto found = settings.find(param.name);
    if (param.type != ADZE_PATH || found == settings.end()) continue;
    if (auto* path = std::get_if<std::string>(&found->second))
      *path = std::filesystem::absolute(recipe.file.parent_path() / *path).lexically_normal();
  }
  return settings;
}

void check_board_type(const Component& component, const std::string& board_type) {
  const char* const* targets = component.component->targets;
  if (!targets) return;
  std::string known;
  for (; *targets; ++targets) {
    if (board_type == *targets) return;
    known += (known.empty() ? "" : ", ") + std::string(*targets);
  }
  throw Error(ADZE_INVALID_ARGUMENT, fmt::format("'{}' is not for board type '{}'; it is for {}",
                                                 component.component->id, board_type, known));
}

Stage resolve(const Recipe& recipe, const StageSpec& spec, const Registry& registry) {
  Component component = registry.find(spec.use);
  if (component.kind() == ComponentKind::backend)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("'{}' is a backend; a stage uses a pruner or a quantizer", spec.use));
  check_board_type(component, recipe.board_type);
  Stage stage{&spec, component, with_absolute_paths(recipe, component, spec.settings),
              "unstructured"};
  const auto pattern = spec.settings.find("pattern");
  if (pattern != spec.settings.end())
    if (const auto* text = std::get_if<std::string>(&pattern->second); text && !text->empty())
      stage.pattern = *text;
  return stage;
}

}  // namespace

std::vector<Stage> resolve_stages(const Recipe& recipe, const Registry& registry) {
  std::vector<Stage> stages;
  for (const StageSpec& spec : recipe.stages) {
    try {
      stages.push_back(resolve(recipe, spec, registry));
    } catch (const Error& error) {
      fail(spec.where, error);
    }
    const Stage& stage = stages.back();
    if (const auto error = error_of(stage.component, stage.settings))
      fail(place_of(spec, stage.component, stage.settings, *error), *error);
  }
  return stages;
}

}  // namespace adze::host
