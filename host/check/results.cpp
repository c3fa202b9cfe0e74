// R: what a component hands back.
#include <algorithm>

#include "host/check/each_component.hpp"
#include "host/check/rule_checks.hpp"

namespace adze::host::check {
namespace {

bool is_of_kind_rule(const std::string& refusal) {
  return refusal.find("(S0") != std::string::npos;
}

}  // namespace

Finding check_R01(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    const SampleModel model = usual_model(subject, component, settings);
    struct Case {
      const char* doing;
      Situation situation;
    };
    for (const Case& each :
         {Case{"it ran as usual", {}}, Case{"no node may be changed", {.with_targets = false}},
          Case{"the first function of the host it calls fails", {.fail_at = 1}}}) {
      subject.note(each.doing);
      const Answer answer = try_component(subject, component, model, settings, each.situation);
      if (!answer.ok() && answer.text.empty())
        return failed(fmt::format("when {}, {}", each.doing, answer.describe()));
    }
    return passed();
  });
}

Finding check_R02(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    if (component.kind() == ComponentKind::backend) return skipped("a backend: see S03");
    const SampleModel model = usual_model(subject, component, settings);
    std::size_t count = 0;
    for (const Situation& situation : {Situation{}, Situation{.only_refits = true}}) {
      subject.note(situation.only_refits ? "layers may be corrected, but not pruned"
                                         : "its edits were looked at");
      const Answer answer = try_component(subject, component, model, settings, situation);
      const auto bad = std::ranges::find_if_not(answer.refused, is_of_kind_rule);
      if (bad != answer.refused.end()) return failed("the host refused an edit: " + *bad);
      if (answer.edits) count += answer.edits->edits().size();
    }
    return passed(fmt::format("{} edits", count));
  });
}

Finding check_R03(Subject& subject) {
  std::string fingerprint;
  Finding finding =
      each_component(subject, [&](const Component& component, const Settings& settings) {
        if (!(component.component->flags & ADZE_DETERMINISTIC))
          return skipped("it does not say that it is deterministic");
        const SampleModel model = usual_model(subject, component, settings);
        subject.note("the same question was asked twice");
        Instance instance(subject, component, settings, {});
        const Answer first = instance.call(model), second = instance.call(model);
        instance.destroy();
        const Answer other = try_component(subject, component, model, settings);
        if (first.status != second.status || first.digest != second.digest)
          return failed("an instance that was asked the same twice answered with other bytes");
        if (first.status != other.status || first.digest != other.digest)
          return failed("another instance answered the same question with other bytes");
        fingerprint +=
            fmt::format("{} {} {}\n", component.component->id, first.status, first.digest);
        return passed();
      });
  finding.fingerprint = fingerprint;
  return finding;
}

Finding check_R04(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    const SampleModel model = usual_model(subject, component, settings);
    subject.note("all it was shown lay in memory that cannot be written");
    try_component(subject, component, model, settings, {.read_only = true});
    subject.note("what it was shown was compared before and after");
    if (try_component(subject, component, model, settings).changed_input)
      return failed("what it was shown is not as before the call");
    return passed();
  });
}

}  // namespace adze::host::check
