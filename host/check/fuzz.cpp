// F: random graphs with random arguments, each from a seed that repeats it.
#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "host/check/each_component.hpp"
#include "host/check/model_builder.hpp"
#include "host/check/rule_checks.hpp"
#include "host/plugin/descriptor.hpp"

namespace adze::host::check {
namespace {

/// An own stream, so that a change to random_graph() does not change the arguments of a seed.
constexpr std::uint64_t kArgumentStream = 0x6164'7a65;
constexpr double kUnlimited = 1000;

Setting random_value(const adze_param& param, Random& random) {
  const bool limited = param.min != 0 || param.max != 0;
  const double low = limited ? param.min : -kUnlimited, high = limited ? param.max : kUnlimited;
  const double share = (static_cast<double>(random.uniform()) + 1) / 2;
  switch (param.type) {
    case ADZE_F64:
      return low + (high - low) * share;
    case ADZE_I64:
      return static_cast<std::int64_t>(std::floor(low + (high - low) * share));
    case ADZE_FLAG:
      return random.below(2) == 1;
    default:
      break;
  }
  std::vector<std::string> texts = {"", ":16", "4:16", "a,b", "\xC3\xA4", std::string(300, 'x')};
  if (param.choices) {
    texts.clear();
    for (const char* const* at = param.choices; *at; ++at) texts.emplace_back(*at);
  }
  return texts[random.below(texts.size())];
}

std::string text_of(const Setting& setting) {
  if (const auto* text = std::get_if<std::string>(&setting)) return "'" + *text + "'";
  if (const auto* number = std::get_if<double>(&setting)) return fmt::format("{}", *number);
  if (const auto* whole = std::get_if<std::int64_t>(&setting)) return fmt::format("{}", *whole);
  return std::get_if<bool>(&setting) ? (std::get<bool>(setting) ? "true" : "false") : "...";
}

struct Case {
  SampleModel model;
  Settings settings;
  Situation situation;
};

Case random_case(const Component& component, const Settings& defaults, std::uint64_t seed) {
  Random random(seed ^ kArgumentStream);
  Case made{random_graph(seed), defaults, {}};
  made.situation.has_target = random.below(4) != 0;
  made.situation.only_needed_extensions = random.below(8) == 0;
  made.situation.threads = static_cast<std::uint32_t>(1 + random.below(3));
  made.situation.seed = random.next();
  for (std::uint64_t i = 0; i < component.component->param_count; ++i) {
    const adze_param& param = param_at(*component.component, i);
    if (param.type == ADZE_PATH || (param.flags & (ADZE_PARAM_LIST | ADZE_PARAM_MAP))) continue;
    if (random.below(2)) made.settings[param.name] = random_value(param, random);
  }
  return made;
}

std::string text_of(const Component& component, std::uint64_t seed, const Case& shown) {
  std::string text = fmt::format("seed {}, {}\n", seed, component.component->id);
  for (const auto& [name, value] : shown.settings)
    text += fmt::format("  {} = {}\n", name, text_of(value));
  return text + text_of(shown.model);
}

Finding judged(Subject& subject, const Component& component, std::uint64_t seed, const Case& each) {
  const Answer answer =
      try_component(subject, component, each.model, each.settings, each.situation);
  if (!answer.refused.empty())
    return failed(fmt::format("the host had to refuse: {} [{}, --reproduce {}]",
                              answer.refused.front(), component.component->id, seed));
  return passed(answer.ok() ? "it succeeded" : answer.describe());
}

}  // namespace

Finding check_F01(Subject& subject) {
  const auto started = std::chrono::steady_clock::now();
  const SubjectOptions& options = subject.options();
  if (!subject.unusable().empty()) return skipped(subject.unusable());
  const auto parts = static_cast<double>(subject.components().size());
  double until = 0;
  return each_component(subject, [&](const Component& component, const Settings& defaults) {
    if (options.fuzz_one) {
      const Case only = random_case(component, defaults, options.fuzz_seed);
      const std::string text = text_of(component, options.fuzz_seed, only);
      subject.note("running " + text);
      Finding finding = judged(subject, component, options.fuzz_seed, only);
      finding.detail += "\n" + text;
      return finding;
    }
    until += options.fuzz_seconds / parts;
    std::uint64_t seed = options.fuzz_seed;
    for (;; ++seed) {
      const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - started;
      if (seed != options.fuzz_seed && spent.count() >= until) break;
      subject.note(fmt::format("running random case {}: --component {} --reproduce {}", seed,
                               component.component->id, seed));
      const Finding finding =
          judged(subject, component, seed, random_case(component, defaults, seed));
      if (finding.outcome == Outcome::failed) return finding;
    }
    return passed(fmt::format("{} cases", seed - options.fuzz_seed));
  });
}

}  // namespace adze::host::check
