#include "host/pipeline/policy.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string_view>

#include "host/base/error.hpp"
#include "host/graph/precision.hpp"
#include "host/plugin/descriptor.hpp"

namespace adze::host {
namespace {

constexpr const char* kCalibrator = "calibrator";
constexpr double kSmooth = 0.5;

const adze_param* find_param(const Component& component, std::string_view name) {
  for (std::uint64_t i = 0; i < component.component->param_count; ++i)
    if (const adze_param& param = param_at(*component.component, i); param.name == name)
      return &param;
  return nullptr;
}

bool offers(const adze_param& param, std::string_view choice) {
  for (const char* const* at = param.choices; at && *at; ++at)
    if (choice == *at) return true;
  return false;
}

std::vector<Option> texts_of(const Settings& settings) {
  std::vector<Option> texts;
  for (const auto& [name, setting] : settings) texts.emplace_back(name, text_of(setting));
  return texts;
}

template <class Map>
std::string entries(const Map& map) {
  std::string text;
  for (const auto& [key, value] : map)
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", key, value);
  return "{" + text + "}";
}

bool is_better(const DropEstimate& a, const DropEstimate& b) {
  const double noise = std::max(a.standard_error, b.standard_error);
  if (std::abs(a.drop - b.drop) > noise) return a.drop < b.drop;
  return a.output_error < b.output_error;
}

class Policy {
 public:
  Policy(const Component& quantizer, const Graph& before, const PolicyOptions& options,
         const PolicyTools& tools)
      : quantizer_(quantizer), before_(before), options_(options), tools_(tools) {
    report_.max_drop = options.max_drop;
    report_.max_float = options.max_float;
    report_.before_ms = tools.fallback.predict_ms(before);
  }

  PolicyOutcome run() {
    try_quantizer({}, /*must_work=*/true);
    if (!within()) look_at_float();
    if (!within() && options_.automatic) try_calibrators();
    if (!within() && options_.automatic) try_corrections();
    if (!within()) try_fallback();
    if (!within() && options_.automatic) try_qat();
    decide();
    return {std::move(best_->candidate), std::move(report_)};
  }

 private:
  struct Best {
    Candidate candidate;
    DropEstimate estimate;
    std::size_t step;
    Settings changed;  ///< against the user's settings
  };

  bool within() const { return best_ && best_->estimate.drop <= options_.max_drop; }

  void end(PolicyStep step, std::chrono::steady_clock::time_point begin) {
    step.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (tools_.ended) tools_.ended(step);
    report_.steps.push_back(std::move(step));
  }

  void skip(const std::string& name, const std::string& component, const std::string& why) {
    PolicyStep step;
    step.name = name;
    step.component = component;
    step.outcome = "skipped";
    step.reason = why;
    end(std::move(step), std::chrono::steady_clock::now());
  }

  void fill(PolicyStep& step, const Graph& graph, const DropEstimate& estimate) const {
    step.outcome = estimate.drop <= options_.max_drop ? "within" : "outside";
    step.estimate = estimate;
    step.predicted_ms = tools_.fallback.predict_ms(graph);
    step.int8_mac_share = int8_macs(graph).int8_share();
  }

  /// What no way of rounding can win back: the loss of the model that is quantized.
  void look_at_float() {
    const auto begin = std::chrono::steady_clock::now();
    PolicyStep step;
    step.name = "not quantized";
    step.component = "adze";
    floor_ = tools_.fallback.estimate(before_);
    fill(step, before_, *floor_);
    step.reason = "the model before this stage, for comparison";
    end(std::move(step), begin);
  }

  bool lost_before() const { return floor_->drop > options_.max_drop; }

  /// Of steps that only round otherwise; empty: they may help.
  std::string why_hopeless() const {
    const double noise = std::max(floor_->standard_error, best_->estimate.standard_error);
    if (!lost_before() || best_->estimate.drop - floor_->drop > noise) return "";
    return "more than allowed was lost before this stage, and quantizing added nothing that could "
           "be told from noise";
  }

  /// Runs one component and keeps what it made when it is better than the best.
  bool try_component(PolicyStep step, const Component& component, const Settings& settings,
                     const Settings& changed, bool must_work) {
    const auto begin = std::chrono::steady_clock::now();
    step.component = component.component->id;
    step.options = texts_of(settings);
    try {
      Candidate candidate = tools_.quantize(component, settings, step.name);
      const DropEstimate estimate = tools_.fallback.estimate(candidate.graph);
      fill(step, candidate.graph, estimate);
      const bool better = !best_ || is_better(estimate, best_->estimate) ||
                          (!within() && estimate.drop <= options_.max_drop);
      if (better) best_ = Best{std::move(candidate), estimate, report_.steps.size(), changed};
      end(std::move(step), begin);
      return better;
    } catch (const Error& error) {
      if (must_work || error.code == ADZE_CANCELLED) throw;
      step.outcome = "failed";
      step.reason = error.what();
      end(std::move(step), begin);
      return false;
    }
  }

  bool try_quantizer(const Settings& changed, bool must_work) {
    PolicyStep step;
    step.name = "ptq";
    for (const auto& [name, text] : texts_of(changed))
      step.name += fmt::format(", {} = {}", name, text);
    Settings settings = options_.settings;
    for (const auto& [name, setting] : changed) settings.insert_or_assign(name, setting);
    return try_component(std::move(step), quantizer_, settings, changed, must_work);
  }

  void try_calibrators() {
    const adze_param* param = find_param(quantizer_, kCalibrator);
    if (!param || !param->choices)
      return skip("other calibrators", quantizer_.component->id,
                  "it has no parameter 'calibrator'");
    if (options_.settings.contains(kCalibrator))
      return skip("other calibrators", quantizer_.component->id, "the recipe gives 'calibrator'");
    if (const std::string why = why_hopeless(); !why.empty())
      return skip("other calibrators", quantizer_.component->id, why);
    const std::string_view usual = param->default_text ? param->default_text : "";
    for (const char* const* choice = param->choices; *choice && !within(); ++choice)
      if (usual != *choice) try_quantizer({{kCalibrator, std::string(*choice)}}, false);
  }

  std::vector<std::pair<std::string, Setting>> corrections() const {
    std::vector<std::pair<std::string, Setting>> found;
    const auto add = [&](const char* name, const char* choice) {
      const adze_param* param = find_param(quantizer_, name);
      if (param && param->type == ADZE_TEXT && offers(*param, choice) &&
          std::string_view(param->default_text ? param->default_text : "") != choice)
        found.emplace_back(name, std::string(choice));
    };
    add("equalize", "on");
    add("bias_correction", "on");
    add("rounding", "adaptive");
    const bool normalizes = std::ranges::any_of(
        before_.nodes, [](const Node& node) { return node.op == "LayerNormalization"; });
    if (const adze_param* smooth = find_param(quantizer_, "smooth");
        smooth && smooth->type == ADZE_F64 && normalizes)
      found.emplace_back("smooth", kSmooth);
    std::erase_if(found, [&](const auto& one) { return options_.settings.contains(one.first); });
    return found;
  }

  void try_corrections() {
    const auto all = corrections();
    if (all.empty())
      return skip("corrections", quantizer_.component->id,
                  "it has no parameters for them, or the recipe gives them");
    if (const std::string why = why_hopeless(); !why.empty())
      return skip("corrections", quantizer_.component->id, why);
    Settings changed = best_->changed;
    for (const auto& [name, setting] : all) {
      if (within()) return;
      Settings with = changed;
      with.insert_or_assign(name, setting);
      if (try_quantizer(with, false)) changed = with;
    }
  }

  void try_fallback() {
    if (!options_.fallback) return skip("fallback", "adze", "the recipe says fallback = false");
    if (lost_before())
      return skip("fallback", "adze", "more than allowed was lost before this stage");
    const auto begin = std::chrono::steady_clock::now();
    PolicyStep step;
    step.name = "fallback";
    step.component = "adze";
    try {
      revert_layers(step);
    } catch (const Error& error) {
      if (error.code == ADZE_CANCELLED) throw;
      step.outcome = "failed";
      step.reason = error.what();
    }
    end(std::move(step), begin);
  }

  void revert_layers(PolicyStep& step) {
    FallbackResult fallen = fall_back(best_->candidate.graph, best_->estimate, before_,
                                      options_.max_drop, options_.max_float, tools_.fallback);
    report_.groups = std::move(fallen.groups);
    const auto reverted = std::ranges::count_if(report_.groups, &FloatGroup::reverted);
    if (reverted == 0) {
      step.outcome = "failed";
      step.reason = fmt::format("none of {} groups of layers could be reverted with a gain",
                                report_.groups.size());
      return;
    }
    fill(step, fallen.graph, fallen.estimate);
    step.reason = fmt::format(
        "from '{}': {} of {} groups of layers back in floating point, {:+.4g} ms predicted",
        report_.steps[best_->step].name, reverted, report_.groups.size(),
        fallen.predicted_ms - tools_.fallback.predict_ms(best_->candidate.graph));
    if (fallen.within) {
      Candidate candidate{std::move(fallen.graph), std::move(best_->candidate.records)};
      take_back(candidate, fallen.values);
      best_ = Best{std::move(candidate), fallen.estimate, report_.steps.size(), best_->changed};
    }
  }

  /// The records of grids and constants that were given up leave.
  void take_back(Candidate& candidate, const std::vector<std::string>& values) const {
    std::erase_if(candidate.records, [&](const EditRecord& record) {
      if (record.kind == "quant") return std::ranges::find(values, record.target) != values.end();
      const std::uint32_t value = before_.find_value(record.target);
      if (record.kind != "constant" || value == kNone || !before_.value(value).constant)
        return false;
      return std::ranges::equal(before_.value(value).constant->bytes(),
                                candidate.graph.value(value).constant->bytes());
    });
  }

  void try_qat() {
    if (!options_.qat) return skip("qat", kQat, "the recipe says qat = false");
    if (!options_.qat_component) return skip("qat", kQat, options_.qat_missing);
    PolicyStep step;
    step.name = "qat";
    try_component(std::move(step), *options_.qat_component, options_.qat_settings, {}, false);
  }

  void decide() {
    PolicyStep& chosen = report_.steps[best_->step];
    chosen.chosen = true;
    report_.within = within();
    report_.decision =
        report_.within
            ? fmt::format("'{}' is taken: its estimated drop is within the {:.4g} allowed",
                          chosen.name, options_.max_drop)
            : fmt::format(
                  "no step came within the {:.4g} allowed; '{}' is taken, which is the "
                  "nearest",
                  options_.max_drop, chosen.name);
  }

  const Component& quantizer_;
  const Graph& before_;
  const PolicyOptions& options_;
  const PolicyTools& tools_;
  std::optional<Best> best_;
  std::optional<DropEstimate> floor_;  ///< of the model before the stage
  PolicyReport report_;
};

}  // namespace

std::string text_of(const Setting& setting) {
  struct Writer {
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return fmt::format("{:g}", number); }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const std::vector<double>& list) const {
      return fmt::format("[{:g}]", fmt::join(list, ", "));
    }
    std::string operator()(const std::vector<std::string>& list) const {
      return fmt::format("[{}]", fmt::join(list, ", "));
    }
    std::string operator()(const std::map<std::string, double>& map) const { return entries(map); }
    std::string operator()(const std::map<std::string, std::string>& map) const {
      return entries(map);
    }
  };
  return std::visit(Writer{}, setting);
}

std::string drop_text(const DropEstimate& estimate, const std::string& measure) {
  if (measure == "output_error") return fmt::format("{:.2f} %", estimate.drop);
  return fmt::format("{:.2f} +- {:.2f} points", estimate.drop, estimate.standard_error);
}

PolicyOutcome run_policy(const Component& quantizer, const Graph& before,
                         const PolicyOptions& options, const PolicyTools& tools) {
  return Policy(quantizer, before, options, tools).run();
}

}  // namespace adze::host
