// Runs a stage that quantizes: one component, or the policy over several.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/abi/call.hpp"
#include "host/pipeline/optimize.hpp"
#include "host/pipeline/sample_sets.hpp"
#include "host/pipeline/stage_services.hpp"
#include "host/pipeline/stages.hpp"

namespace adze::host {

/// All references must outlive the call.
struct QuantizeJob {
  const Recipe& recipe;
  const Stage& stage;
  const Graph& loaded;  ///< before any stage
  const Graph& before;  ///< before this one
  const std::vector<std::uint32_t>& targets;
  const SampleSets& samples;
  StageServices::Backends backends;
  std::string metric;  ///< of the recipe's [data]
  std::function<CallOptions(const std::string& step)> call;
  std::function<void(const std::string& step, double fraction, const std::string& doing)> report;
};

struct QuantizeOutcome {
  Candidate candidate;
  std::optional<PolicyReport> policy;
  std::vector<GivenOption> options;
  std::vector<std::string> warnings;
  std::vector<StepTime> times;  ///< of the policy's steps
};

/// Errors: those of the component; INVALID_ARGUMENT when the policy has nothing to estimate on or,
/// for a metric without a usual limit, no [accept] max_drop; FAILED_PRECONDITION for a model that
/// is quantized already.
QuantizeOutcome quantize_stage(const QuantizeJob& job);

/// What the recipe says of the stage, and who took it.
std::vector<GivenOption> given_options(const Stage& stage);

}  // namespace adze::host
