// adze plugin list, adze plugin info: what is installed, and what each part of it takes.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/cli/command.hpp"
#include "host/plugin/descriptor.hpp"
#include "host/plugin/scan_cache.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

const char* type_name(std::uint32_t type) {
  static constexpr const char* kNames[] = {"", "number", "integer", "flag", "text", "path"};
  return type < std::size(kNames) ? kNames[type] : "";
}

bool is_number(const adze_param& param) { return param.type == ADZE_F64 || param.type == ADZE_I64; }

bool is_limited(const adze_param& param) {
  return is_number(param) && (param.min != 0 || param.max != 0);
}

/// Null for what has none: lists and maps (which start empty) and required parameters.
json default_of(const adze_param& param) {
  if (param.flags & (ADZE_PARAM_LIST | ADZE_PARAM_MAP | ADZE_PARAM_REQUIRED)) return nullptr;
  if (param.type == ADZE_FLAG) return param.default_number != 0;
  if (param.type == ADZE_I64) return static_cast<std::int64_t>(param.default_number);
  if (param.type == ADZE_F64) return param.default_number;
  return param.default_text ? param.default_text : "";
}

json texts_of(const char* const* list) {
  json texts = json::array();
  for (; list && *list; ++list) texts.push_back(*list);
  return texts;
}

json document_of(const adze_param& param) {
  return {{"name", param.name},
          {"type", type_name(param.type)},
          {"list", (param.flags & ADZE_PARAM_LIST) != 0},
          {"map", (param.flags & ADZE_PARAM_MAP) != 0},
          {"required", (param.flags & ADZE_PARAM_REQUIRED) != 0},
          {"default", default_of(param)},
          {"min", is_limited(param) ? json(param.min) : json(nullptr)},
          {"max", is_limited(param) ? json(param.max) : json(nullptr)},
          {"choices", param.choices ? texts_of(param.choices) : json(nullptr)},
          {"doc", param.doc}};
}

json document_of(const Component& component) {
  const adze_component& shown = *component.component;
  json params = json::array();
  for (std::uint64_t i = 0; i < shown.param_count; ++i)
    params.push_back(document_of(param_at(shown, i)));
  return {{"id", shown.id},
          {"kind", kind_name(component.kind())},
          {"doc", shown.doc},
          {"deterministic", (shown.flags & ADZE_DETERMINISTIC) != 0},
          {"needs", texts_of(shown.needs)},
          {"board_types", texts_of(shown.targets)},
          {"parameters", params}};
}

std::vector<Component> components_of(const LoadedPlugin& plugin) {
  std::vector<Component> all;
  for (std::uint32_t i = 0; i < plugin.plugin->component_count; ++i)
    all.push_back({plugin.plugin->components[i], &plugin});
  return all;
}

json document_of(const LoadedPlugin& plugin) {
  json components = json::array();
  for (const Component& component : components_of(plugin))
    components.push_back(document_of(component));
  return {{"id", plugin.plugin->id},
          {"version", plugin.plugin->version},
          {"vendor", plugin.plugin->vendor},
          {"license", plugin.plugin->license},
          {"abi", fmt::format("1.{}", plugin.plugin->abi_minor)},
          {"path", plugin.path.string()},
          {"components", components}};
}

std::string text_of(const json& parameter) {
  std::string type = parameter["type"];
  if (parameter["list"]) type = "list of " + type;
  if (parameter["map"]) type = "table of " + type;
  std::string text = fmt::format("  {} ({}", parameter["name"].get<std::string>(), type);
  if (!parameter["min"].is_null())
    text +=
        fmt::format(", {} to {}", parameter["min"].get<double>(), parameter["max"].get<double>());
  if (!parameter["choices"].is_null())
    text += ": " + fmt::format("{}", fmt::join(parameter["choices"].get<std::vector<std::string>>(),
                                               " | "));
  if (parameter["required"])
    text += ", required";
  else if (!parameter["default"].is_null() && parameter["default"] != "")
    text +=
        ", default " + (parameter["default"].is_string() ? parameter["default"].get<std::string>()
                                                         : parameter["default"].dump());
  return text + fmt::format(")\n      {}\n", parameter["doc"].get<std::string>());
}

std::string text_of(const LoadedPlugin& plugin, const std::string& only) {
  const adze_plugin& shown = *plugin.plugin;
  std::string text =
      fmt::format("{} {}, {}, {}, ABI 1.{}\n{}\n", shown.id, shown.version, shown.vendor,
                  shown.license, shown.abi_minor, plugin.path.string());
  for (const Component& component : components_of(plugin)) {
    if (!only.empty() && only != component.component->id) continue;
    const json document = document_of(component);
    text += fmt::format("\n{}: {}\n  {}\n", kind_name(component.kind()), component.component->id,
                        component.component->doc);
    for (const json& id : document["needs"])
      text += fmt::format("  needs {}\n", id.get<std::string>());
    for (const json& parameter : document["parameters"]) text += text_of(parameter);
  }
  return text;
}

void list_plugins(Context& context) {
  const Registry& registry = context.registry();
  json plugins = json::array(), rejected = json::array();
  for (const LoadedPlugin& plugin : registry.plugins()) plugins.push_back(document_of(plugin));
  Table table({"component", "kind", "version", "runs in", "plugin"});
  for (const Component& component : registry.components())
    table.row({component.component->id, kind_name(component.kind()),
               component.plugin->plugin->version,
               registry.runs_here(component) ? "this process" : "a worker",
               component.plugin->path.string()});
  std::string text = table.str();
  for (const RejectedPlugin& file : registry.rejected()) {
    rejected.push_back({{"path", file.path.string()}, {"reason", file.reason}});
    text += fmt::format("rejected: {}: {}\n", file.path.string(), file.reason);
  }
  context.result({{"plugins", plugins}, {"rejected", rejected}}, text);
}

/// `what`: a file, or the id of a plugin or of a component.
void show(const std::string& what, Context& context) {
  if (what.find('/') != std::string::npos || what.ends_with(".so")) {
    const DescribedPlugin described(what, context.worker(), default_cache_folder());
    return context.result(document_of(described.get()), text_of(described.get(), ""));
  }
  for (const LoadedPlugin& plugin : context.registry().plugins())
    if (what == plugin.plugin->id) return context.result(document_of(plugin), text_of(plugin, ""));
  const Component component = context.registry().find(what);
  context.result(document_of(*component.plugin),
                 text_of(*component.plugin, component.component->id));
}

}  // namespace

void add_plugin(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("plugin", "Plugins: pruners, quantizers, backends");
  group->require_subcommand(1);
  group->add_subcommand("list", "What is installed, and what was rejected and why")
      ->callback([&context] { list_plugins(context); });
  auto* info = group->add_subcommand("info", "A plugin, its components and their parameters");
  const auto what = std::make_shared<std::string>();
  info->add_option("what", *what, "Id of a plugin or component, or a file")->required();
  info->callback([&context, what] { show(*what, context); });
  add_plugin_new(*group, context);
  add_plugin_check(*group, context);
}

}  // namespace adze::host
