#include "host/plugin/descriptor_codec.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "host/base/error.hpp"
#include "host/plugin/descriptor.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

json list_of(const char* const* texts) {
  if (!texts) return nullptr;
  json list = json::array();
  for (; *texts; ++texts) list.push_back(*texts);
  return list;
}

json text_or_null(const char* text) { return text ? json(text) : json(nullptr); }

double finite(double number) { return std::isfinite(number) ? number : 0; }

json document_of(const adze_param& param) {
  return {{"type", param.type},
          {"flags", param.flags},
          {"name", param.name},
          {"doc", param.doc},
          {"default_number", finite(param.default_number)},
          {"min", finite(param.min)},
          {"max", finite(param.max)},
          {"default_text", text_or_null(param.default_text)},
          {"choices", list_of(param.choices)}};
}

json document_of(const adze_component& component) {
  json params = json::array(), slots = json::array();
  for (std::uint64_t i = 0; i < component.param_count; ++i)
    params.push_back(document_of(param_at(component, i)));
  if (const adze_backend* backend = component.backend) {
    if (ADZE_HAS(backend, adze_backend, estimate)) slots.push_back("estimate");
    if (ADZE_HAS(backend, adze_backend, load)) slots.push_back("load");
    if (ADZE_HAS(backend, adze_backend, profile)) slots.push_back("profile");
    if (ADZE_HAS(backend, adze_backend, artifacts)) slots.push_back("artifacts");
  }
  return {{"flags", component.flags},
          {"id", component.id},
          {"doc", component.doc},
          {"params", params},
          {"needs", list_of(component.needs)},
          {"targets", list_of(component.targets)},
          {"kind", component.pruner      ? "pruner"
                   : component.quantizer ? "quantizer"
                                         : "backend"},
          {"slots", slots}};
}

adze_status refuse(adze_call* call) noexcept {
  return call->host->fail(call, ADZE_FAILED_PRECONDITION, "its library is not loaded");
}

// create() comes first and refuses, so the others are never reached; but slots are never empty.
adze_status create(adze_call* call, void**) noexcept { return refuse(call); }
adze_status run(void*, adze_call* call) noexcept { return refuse(call); }
adze_status estimate(void*, adze_call* call, const adze_what_if* const*, std::uint64_t,
                     double*) noexcept {
  return refuse(call);
}
adze_status compile(void*, adze_call* call, const adze_compile*, void**) noexcept {
  return refuse(call);
}
adze_status load(void*, adze_call* call, const char*, void**) noexcept { return refuse(call); }
adze_status run_inputs(void*, adze_call* call, const adze_tensor* const*, std::uint64_t) noexcept {
  return refuse(call);
}
void release(void*) noexcept {}

}  // namespace

const ComponentTables& unloaded_tables() {
  static constexpr adze_pruner kPruner = {sizeof(adze_pruner), 0, run};
  static constexpr adze_quantizer kQuantizer = {sizeof(adze_quantizer), 0, run};
  static constexpr adze_backend kBackend = {sizeof(adze_backend), 0,   run, estimate, compile, load,
                                            run_inputs,           run, run, release};
  static constexpr ComponentTables kTables = {create, nullptr, &kPruner, &kQuantizer, &kBackend};
  return kTables;
}

json encode_descriptor(const adze_plugin& plugin) {
  json components = json::array();
  for (std::uint32_t i = 0; i < plugin.component_count; ++i)
    components.push_back(document_of(*plugin.components[i]));
  return {{"abi_minor", plugin.abi_minor},
          {"required_minor", plugin.required_minor},
          {"id", plugin.id},
          {"version", plugin.version},
          {"vendor", plugin.vendor},
          {"license", plugin.license},
          {"components", components}};
}

const char* OwnedDescriptor::keep(const json& document, const char* key) {
  const json& text = document.at(key);
  if (text.is_null()) return nullptr;
  return texts_.emplace_back(text.get<std::string>()).c_str();
}

const char* const* OwnedDescriptor::keep_list(const json& document, const char* key) {
  const json& list = document.at(key);
  if (list.is_null()) return nullptr;
  auto& kept = lists_.emplace_back();
  for (const json& text : list)
    kept.push_back(texts_.emplace_back(text.get<std::string>()).c_str());
  kept.push_back(nullptr);
  return kept.data();
}

void OwnedDescriptor::add(const json& document, const ComponentTables& tables) {
  auto& params = params_.emplace_back();
  for (const json& param : document.at("params"))
    params.push_back({.struct_size = sizeof(adze_param),
                      .type = param.at("type").get<std::uint32_t>(),
                      .flags = param.at("flags").get<std::uint64_t>(),
                      .name = keep(param, "name"),
                      .doc = keep(param, "doc"),
                      .default_number = param.at("default_number").get<double>(),
                      .min = param.at("min").get<double>(),
                      .max = param.at("max").get<double>(),
                      .default_text = keep(param, "default_text"),
                      .choices = keep_list(param, "choices")});
  const auto kind = document.at("kind").get<std::string>();
  adze_component& made = components_.emplace_back(
      adze_component{.struct_size = sizeof(adze_component),
                     .flags = document.at("flags").get<std::uint32_t>(),
                     .id = keep(document, "id"),
                     .doc = keep(document, "doc"),
                     .param_count = params.size(),
                     .params = params.empty() ? nullptr : params.data(),
                     .needs = keep_list(document, "needs"),
                     .targets = keep_list(document, "targets"),
                     .create = tables.create,
                     .destroy = tables.destroy,
                     .pruner = kind == "pruner" ? tables.pruner : nullptr,
                     .quantizer = kind == "quantizer" ? tables.quantizer : nullptr,
                     .backend = nullptr});
  if (kind == "backend") {
    adze_backend& backend = backends_.emplace_back(*tables.backend);
    const json& slots = document.at("slots");
    const auto has = [&](const char* slot) {
      return std::find(slots.begin(), slots.end(), slot) != slots.end();
    };
    if (!has("estimate")) backend.estimate = nullptr;
    if (!has("load")) backend.load = nullptr;
    if (!has("profile")) backend.profile = nullptr;
    if (!has("artifacts")) backend.artifacts = nullptr;
    made.backend = &backend;
  }
  pointers_.push_back(&made);
}

OwnedDescriptor::OwnedDescriptor(const json& document, const ComponentTables& tables) {
  try {
    for (const json& component : document.at("components")) add(component, tables);
    plugin_ = {.struct_size = sizeof plugin_,
               .abi_minor = document.at("abi_minor").get<std::uint32_t>(),
               .required_minor = document.at("required_minor").get<std::uint32_t>(),
               .component_count = static_cast<std::uint32_t>(pointers_.size()),
               .id = keep(document, "id"),
               .version = keep(document, "version"),
               .vendor = keep(document, "vendor"),
               .license = keep(document, "license"),
               .components = pointers_.data()};
  } catch (const json::exception& error) {
    throw Error(ADZE_DATA_LOSS, std::string("not the description of a plugin: ") + error.what());
  }
  // What came from another process is held to the same rules as what is loaded.
  if (const std::string fault = descriptor_fault(&plugin_, true); !fault.empty())
    throw Error(ADZE_DATA_LOSS, "not the description of a plugin: " + fault);
}

}  // namespace adze::host
