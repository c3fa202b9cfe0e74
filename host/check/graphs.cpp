// G: graphs that are legal and unusual. A component may refuse them with a text; it may not crash,
// hang, or hand in edits that the host must refuse.
#include "host/check/each_component.hpp"
#include "host/check/rule_checks.hpp"

namespace adze::host::check {
namespace {

Finding survives(Subject& subject, const std::vector<SampleModel>& models) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    std::string refusals;
    for (const SampleModel& model : models) {
      subject.note(fmt::format("{} was shown {}", component.component->id, model.name));
      const Answer answer = try_component(subject, component, model, settings);
      if (!answer.refused.empty())
        return failed(
            fmt::format("on {} the host had to refuse: {}", model.name, answer.refused.front()));
      if (!answer.ok())
        refusals +=
            fmt::format("{}{}: {}", refusals.empty() ? "" : "; ", model.name, answer.describe());
    }
    return passed(refusals);
  });
}

}  // namespace

Finding check_G01(Subject& subject) { return survives(subject, {empty_graph()}); }
Finding check_G02(Subject& subject) { return survives(subject, one_node_graphs()); }
Finding check_G03(Subject& subject) { return survives(subject, odd_shapes()); }
Finding check_G04(Subject& subject) { return survives(subject, {unknown_operators()}); }
Finding check_G05(Subject& subject) { return survives(subject, odd_types()); }
Finding check_G06(Subject& subject) { return survives(subject, odd_numbers()); }
Finding check_G07(Subject& subject) { return survives(subject, {ten_thousand_nodes()}); }

}  // namespace adze::host::check
