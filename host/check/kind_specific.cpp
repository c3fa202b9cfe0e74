// S: what each kind of component is there for.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

#include "host/check/each_component.hpp"
#include "host/check/rule_checks.hpp"
#include "host/graph/statistics.hpp"
#include "host/plugin/descriptor.hpp"

namespace adze::host::check {
namespace {

constexpr double kTolerance = 0.01, kUsualSparsity = 0.5;
constexpr double kPathTolerance = 1e-4;

const adze_param* find_param(const Component& component, std::string_view name) {
  for (std::uint64_t i = 0; i < component.component->param_count; ++i)
    if (name == param_at(*component.component, i).name) return &param_at(*component.component, i);
  return nullptr;
}

/// Of the weights of the target nodes, with all edits made.
double sparsity_of(const Answer& answer, const SampleModel& model) {
  const Graph pruned = answer.edits->commit();
  ZeroCount total;
  for (const std::uint32_t target : model.targets) {
    const ZeroCount count = zeros_of(pruned, pruned.nodes[target]);
    total.zeros += count.zeros;
    total.weights += count.weights;
  }
  return total.sparsity();
}

Finding check_pruner(Subject& subject, const Component& component, Settings settings) {
  const SampleModel model = small_cnn();
  const adze_param* param = find_param(component, "sparsity");
  const bool asks =
      param && param->type == ADZE_F64 && !(param->flags & (ADZE_PARAM_LIST | ADZE_PARAM_MAP));
  double asked = kUsualSparsity;
  if (asks) {
    const bool limited = param->min != 0 || param->max != 0;
    if (limited && (asked < param->min || asked > param->max))
      asked = (param->min + param->max) / 2;
    settings["sparsity"] = asked;
    subject.note(fmt::format("it was asked for a sparsity of {}", asked));
  }
  const Answer answer = try_component(subject, component, model, settings);
  if (!answer.ok()) return failed(answer.describe());
  if (answer.edits->edits().empty() && answer.logged.empty())
    return failed("it reported success, changed nothing, and logged no reason");
  if (!asks) return passed("it has no parameter 'sparsity'");
  const double reached = sparsity_of(answer, model);
  const std::string text = fmt::format("asked for {:.3f}, reached {:.3f}", asked, reached);
  return std::abs(reached - asked) <= kTolerance ? passed(text) : failed(text);
}

Finding check_quantizer(Subject& subject, const Component& component, const Settings& settings) {
  subject.note("it was asked to quantize");
  const Answer answer = try_component(subject, component, small_cnn(), settings);
  for (const std::string& refusal : answer.refused)
    if (refusal.find("(S02)") != std::string::npos)
      return failed("the host refused a quantization: " + refusal);
  if (!answer.ok()) return failed(answer.describe());
  const auto count = std::ranges::count_if(answer.edits->edits(), [](const Edit& edit) {
    return edit.kind == Edit::Kind::quant && edit.quant;
  });
  if (count == 0 && answer.logged.empty())
    return failed("it reported success, quantized nothing, and logged no reason");
  return passed(fmt::format("{} values", count));
}

/// The largest difference between outputs of two runs; infinite where shapes differ.
double largest_difference(const Answer& one, const Answer& other) {
  double largest = 0;
  for (const auto& [value, tensor] : one.outputs) {
    const auto found = other.outputs.find(value);
    if (found == other.outputs.end() || found->second.shape() != tensor.shape()) return HUGE_VAL;
    const std::vector<float> a = to_f32(tensor), b = to_f32(found->second);
    for (std::size_t i = 0; i < a.size(); ++i)
      largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return largest;
}

Finding check_backend(Subject& subject, const Component& component, const Settings& settings) {
  const SampleModel model = usual_model(subject, component, settings);
  subject.note("it compiled and ran " + model.name);
  const Answer answer = try_component(subject, component, model, settings);
  if (!answer.executable_fault.empty()) return failed(answer.executable_fault);
  if (answer.lacks_something()) return skipped(answer.text);
  if (!answer.ok()) return failed(answer.describe());
  std::vector<SampleModel> others = one_node_graphs();
  others.push_back(unknown_operators());
  std::ranges::move(odd_types(), std::back_inserter(others));
  for (const SampleModel& other : others) {
    subject.note("it placed " + other.name);
    const Answer placed = try_component(subject, component, other, settings);
    if (placed.function == "place" && !placed.ok())
      return failed(fmt::format("{}: place() must say REFUSED of a node, not fail: {}", other.name,
                                placed.describe()));
    if (placed.function == "run" && !placed.ok())
      return failed(
          fmt::format("{}: it compiled what it cannot run: {}", other.name, placed.describe()));
    if (!placed.executable_fault.empty())
      return failed(fmt::format("{}: {}", other.name, placed.executable_fault));
  }
  const adze_param* path = find_param(component, "path");
  bool has_plain = false;
  for (const char* const* at = path ? path->choices : nullptr; at && *at; ++at)
    has_plain |= std::string_view(*at) == "plain";
  if (!has_plain) return passed();
  subject.note("its plain path ran too");
  Settings plain = settings;
  plain["path"] = std::string("plain");
  const double difference =
      largest_difference(answer, try_component(subject, component, model, plain));
  const std::string text = fmt::format("outputs differ from its plain path by {:.2g}", difference);
  return difference <= kPathTolerance ? passed(text) : failed(text);
}

template <class Check>
Finding for_kind(Subject& subject, ComponentKind kind, Check&& check) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    if (component.kind() != kind)
      return skipped(
          fmt::format("{} is a {}", component.component->id, kind_name(component.kind())));
    return check(subject, component, settings);
  });
}

}  // namespace

Finding check_S01(Subject& subject) {
  return for_kind(subject, ComponentKind::pruner, check_pruner);
}
Finding check_S02(Subject& subject) {
  return for_kind(subject, ComponentKind::quantizer, check_quantizer);
}
Finding check_S03(Subject& subject) {
  return for_kind(subject, ComponentKind::backend, check_backend);
}

}  // namespace adze::host::check
