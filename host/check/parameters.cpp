// P: the schema of each component's parameters, and whether it runs with what the schema allows.
#include <fmt/format.h>

#include "host/check/each_component.hpp"
#include "host/check/rule_checks.hpp"
#include "host/plugin/descriptor.hpp"

namespace adze::host::check {
namespace {

/// A value the schema allows, and how to call it.
struct Choice {
  std::string name;
  Setting value;
};

std::vector<Choice> extremes_of(const adze_param& param) {
  std::vector<Choice> choices;
  const auto add = [&](const Setting& value, const std::string& text) {
    choices.push_back({fmt::format("{} = {}", param.name, text), value});
  };
  if (param.flags & (ADZE_PARAM_LIST | ADZE_PARAM_MAP)) return choices;
  const bool limited = param.min != 0 || param.max != 0;
  if (param.type == ADZE_F64 && limited)
    for (const double limit : {param.min, param.max}) add(limit, fmt::format("{}", limit));
  if (param.type == ADZE_I64 && limited)
    for (const double limit : {param.min, param.max})
      add(static_cast<std::int64_t>(limit), fmt::format("{:.0f}", limit));
  if (param.type == ADZE_FLAG)
    for (const bool flag : {false, true}) add(flag, flag ? "true" : "false");
  if (param.type == ADZE_TEXT)
    for (const char* const* at = param.choices; at && *at; ++at)
      add(std::string(*at), fmt::format("'{}'", *at));
  return choices;
}

/// What a component may say about a value that its schema allows but this graph does not.
bool is_fair(const Answer& answer) {
  switch (answer.status) {
    case ADZE_OK:
    case ADZE_INVALID_ARGUMENT:
    case ADZE_NOT_FOUND:
    case ADZE_FAILED_PRECONDITION:
    case ADZE_OUT_OF_RANGE:
    case ADZE_RESOURCE_EXHAUSTED:
    case ADZE_UNIMPLEMENTED:
    case ADZE_UNAVAILABLE:
      return true;
    default:
      return false;
  }
}

Finding check_component(Subject& subject, const Component& component, const Settings& defaults) {
  const SampleModel model = usual_model(subject, component, defaults);
  subject.note(fmt::format("{} ran with its defaults", component.component->id));
  const Answer usual = try_component(subject, component, model, defaults);
  if (usual.lacks_something()) return skipped(usual.text);
  if (!usual.ok())
    return failed(fmt::format("with its defaults on {}: {}", model.name, usual.describe()));
  std::size_t tried = 0;
  for (std::uint64_t i = 0; i < component.component->param_count; ++i) {
    const adze_param& param = param_at(*component.component, i);
    for (const Choice& choice : extremes_of(param)) {
      Settings settings = defaults;
      settings[param.name] = choice.value;
      subject.note(fmt::format("{} ran with {}", component.component->id, choice.name));
      const Answer answer = try_component(subject, component, model, settings);
      if (!is_fair(answer))
        return failed(fmt::format("with {}: {}", choice.name, answer.describe()));
      ++tried;
    }
  }
  return passed(tried ? fmt::format("{} values", tried) : "");
}

}  // namespace

Finding check_P01(Subject& subject) { return descriptor_finding(subject, "P01"); }
Finding check_P02(Subject& subject) { return descriptor_finding(subject, "P02"); }
Finding check_P03(Subject& subject) { return descriptor_finding(subject, "P03"); }
Finding check_P05(Subject& subject) { return descriptor_finding(subject, "P05"); }

Finding check_P04(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& defaults) {
    return check_component(subject, component, defaults);
  });
}

}  // namespace adze::host::check
