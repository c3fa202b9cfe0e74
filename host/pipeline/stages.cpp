#include "host/pipeline/stages.hpp"

#include <fmt/format.h>

#include <optional>

#include "host/base/error.hpp"
#include "host/pipeline/policy.hpp"
#include "host/plugin/descriptor.hpp"

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
    const adze_param& param = param_at(*component.component, i);
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

/// `fallback` and `max_float` are for quantizers. `where` becomes the place of what is wrong.
void check_fallback(const StageSpec& spec, const Component& component, std::string& where) {
  const auto refuse = [&](const char* key, const std::string& text) {
    if (const auto place = spec.places.find(key); place != spec.places.end()) where = place->second;
    throw Error(ADZE_INVALID_ARGUMENT, text);
  };
  if (component.kind() != ComponentKind::quantizer && (spec.fallback || spec.max_float)) {
    const char* key = spec.fallback ? "fallback" : "max_float";
    refuse(key, fmt::format("'{}' is no quantizer: `{}` is for those", spec.use, key));
  }
  if (!spec.fallback.value_or(false) && spec.max_float)
    refuse("max_float", "`max_float` has no effect without `fallback = true`");
}

/// PTQ, and QAT where it is installed; every parameter must be one of theirs.
Stage resolve_automatic(const Recipe& recipe, const StageSpec& spec, const Registry& registry) {
  Stage stage{&spec, registry.find(kPtq), {}, "unstructured", true, spec.fallback.value_or(true)};
  check_board_type(stage.component, recipe.board_type);
  try {
    stage.qat = registry.find(kQat);
  } catch (const Error& error) {
    stage.qat_missing = error.what();
  }
  if (stage.qat)
    stage.qat_settings =
        with_absolute_paths(recipe, *stage.qat, settings_for(*stage.qat, spec.settings));
  stage.settings =
      with_absolute_paths(recipe, stage.component, settings_for(stage.component, spec.settings));
  for (const auto& [name, setting] : spec.settings)
    if (!stage.settings.contains(name) && !stage.qat_settings.contains(name)) {
      // Complains as the component would, with what was probably meant.
      stage.settings.emplace(name, setting);
      break;
    }
  return stage;
}

Stage resolve(const Recipe& recipe, const StageSpec& spec, const Registry& registry,
              std::string& where) {
  if (spec.use == kAutomatic) return resolve_automatic(recipe, spec, registry);
  Component component = registry.find(spec.use);
  if (component.kind() == ComponentKind::backend)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("'{}' is a backend; a stage uses a pruner or a quantizer", spec.use));
  check_fallback(spec, component, where);
  check_board_type(component, recipe.board_type);
  Stage stage{&spec,          component, with_absolute_paths(recipe, component, spec.settings),
              "unstructured", false,     spec.fallback.value_or(false)};
  const auto pattern = spec.settings.find("pattern");
  if (pattern != spec.settings.end())
    if (const auto* text = std::get_if<std::string>(&pattern->second); text && !text->empty())
      stage.pattern = *text;
  return stage;
}

}  // namespace

bool has_parameter(const Component& component, const std::string& name) {
  for (std::uint64_t i = 0; i < component.component->param_count; ++i)
    if (param_at(*component.component, i).name == name) return true;
  return false;
}

Settings settings_for(const Component& component, const Settings& settings) {
  Settings own;
  for (const auto& [name, setting] : settings)
    if (has_parameter(component, name)) own.emplace(name, setting);
  return own;
}

std::string Stage::use() const { return automatic ? kAutomatic : component.component->id; }

std::vector<Stage> resolve_stages(const Recipe& recipe, const Registry& registry) {
  std::vector<Stage> stages;
  for (const StageSpec& spec : recipe.stages) {
    std::string where = spec.where;
    try {
      stages.push_back(resolve(recipe, spec, registry, where));
    } catch (const Error& error) {
      fail(where, error);
    }
    const Stage& stage = stages.back();
    if (const auto error = error_of(stage.component, stage.settings))
      fail(place_of(spec, stage.component, stage.settings, *error), *error);
    if (!stage.qat) continue;
    if (const auto error = error_of(*stage.qat, stage.qat_settings))
      fail(place_of(spec, *stage.qat, stage.qat_settings, *error), *error);
  }
  return stages;
}

}  // namespace adze::host
