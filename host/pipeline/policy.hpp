// `use = "auto"`: quantizes with the least effort that keeps the accuracy.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/abi/arguments.hpp"
#include "host/pipeline/edit_records.hpp"
#include "host/pipeline/fallback.hpp"
#include "host/plugin/registry.hpp"

namespace adze::host {

inline constexpr const char* kAutomatic = "auto";         ///< in place of a component's id
inline constexpr const char* kPtq = "adze.quantize.ptq";  ///< what it drives
inline constexpr const char* kQat = "adze.quantize.qat";  ///< what it reaches last
inline constexpr double kDefaultMaxDrop = 1.0;  ///< points; where the recipe has no [accept]
inline constexpr double kDefaultMaxFloat = 0.5;

/// A parameter and its value, as a recipe writes them.
using Option = std::pair<std::string, std::string>;
std::string text_of(const Setting& setting);

/// A model that a quantizer made.
struct Candidate {
  Graph graph;
  std::vector<EditRecord> records;
};

struct PolicyStep {
  std::string name;  ///< "ptq", "ptq, calibrator = mse", "fallback", "qat"
  std::string component;
  std::vector<Option> options;           ///< what was changed against the component's defaults
  std::string outcome;                   ///< within | outside | skipped | failed
  std::string reason;                    ///< of skipped and failed; what it does, of the others
  std::optional<DropEstimate> estimate;  ///< of within and outside
  double predicted_ms = 0, int8_mac_share = 0;
  bool chosen = false;
  double seconds = 0;
};

/// What was tried, in this order, what it gained and cost, and which was taken.
struct PolicyReport {
  double max_drop = 0;
  bool max_drop_given = true;  ///< else kDefaultMaxDrop
  double max_float = 0;
  std::string measure, source, metric;  ///< see DropEstimate, EstimateSamples
  std::int64_t samples = 0;
  double before_ms = 0;  ///< predicted, before the stage
  std::vector<PolicyStep> steps;
  std::vector<FloatGroup> groups;  ///< of the fallback, when it was reached
  bool within = false;
  std::string decision;  ///< a sentence
};

struct PolicyOptions {
  double max_drop = kDefaultMaxDrop;
  double max_float = kDefaultMaxFloat;
  bool fallback = true;
  bool automatic = true;  ///< all steps; false: the first and the fallback
  bool qat = true;
  std::optional<Component> qat_component;
  std::string qat_missing;          ///< why there is none
  Settings settings, qat_settings;  ///< given by the user: never changed
};

/// What the policy asks of its surroundings.
struct PolicyTools {
  /// Runs a quantizer on the model as it was before the stage. Errors: those of the component.
  std::function<Candidate(const Component&, const Settings&, const std::string& step)> quantize;
  FallbackTools fallback;
  /// Called when a step ends. May be empty.
  std::function<void(const PolicyStep&)> ended;
};

struct PolicyOutcome {
  Candidate candidate;
  PolicyReport report;
};

/// 1. `quantizer` with the user's settings and defaults for the rest. As soon as a candidate's
///    estimated drop is at most max_drop, it is taken and nothing further is tried.
/// 2. The other choices of its parameter `calibrator`, one after the other; with the best of them,
///    one after the other, the corrections: equalize = "on", bias_correction = "on",
///    rounding = "adaptive", smooth = 0.5 (models with LayerNormalization only). Which of these
///    there are is read from the component's own parameters; what the user set is not touched. A
///    correction stays when it makes the candidate better.
///    Neither is tried when more than max_drop was lost before the stage already and the candidate
///    adds nothing to it that could be told from noise.
/// 3. fall_back() from the best candidate. One that does not come within is not taken, for it
///    costs latency and keeps no promise; it is not tried when more than max_drop was lost before.
/// 4. The QAT component, on the model as it was before the stage.
/// Better is: a smaller drop, and where drops differ by less than their standard error, a smaller
/// output error. When nothing is within, the best is taken. A step that fails is reported and
/// passed over, but for the first. Errors: those of the first step; CANCELLED.
PolicyOutcome run_policy(const Component& quantizer, const Graph& before,
                         const PolicyOptions& options, const PolicyTools& tools);

/// "0.35 +- 0.21 points"
std::string drop_text(const DropEstimate& estimate, const std::string& measure);

}  // namespace adze::host
