#include "host/cli/profile.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "hil/session/model_bundle.hpp"
#include "host/graph/statistics.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

double median(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::ranges::nth_element(numbers, middle);
  if (numbers.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(numbers.begin(), middle)) / 2;
}

struct Step {
  ProfileRow row;  ///< latency_ms: the median
  std::vector<std::string> operators;
  std::int64_t macs = 0;  ///< of the batch
};

struct Profile {
  std::vector<Step> steps;
  double latency_ms = 0;  ///< median of whole runs
};

Profile measure(const ProfileOptions& options, OpenedRunner& opened) {
  const auto inputs =
      hil::noise_for(hil::input_tensor_specs(opened.graph, options.how.batch), /*seed=*/0);
  std::vector<double> runs_ms;
  std::vector<std::vector<double>> steps_ms;
  Profile profile;
  opened.runner->run(inputs);  // the first touches memory that the others find warm
  for (std::uint32_t i = 0; i < options.runs; ++i) {
    const auto before = std::chrono::steady_clock::now();
    opened.runner->run(inputs);
    runs_ms.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before)
            .count());
    const std::vector<ProfileRow> rows = opened.runner->profile();
    steps_ms.resize(rows.size());
    profile.steps.resize(rows.size());
    for (std::size_t s = 0; s < rows.size(); ++s) {
      steps_ms[s].push_back(rows[s].latency_ms);
      profile.steps[s].row = rows[s];
    }
  }
  if (profile.steps.empty())
    throw Error(ADZE_UNIMPLEMENTED,
                "backend '" + options.backend + "' does not tell where its time goes");
  profile.latency_ms = median(runs_ms);

  std::map<std::string, const Node*> by_name;
  for (const Node& node : opened.graph.nodes) by_name[node.name] = &node;
  for (std::size_t s = 0; s < profile.steps.size(); ++s) {
    Step& step = profile.steps[s];
    step.row.latency_ms = median(steps_ms[s]);
    for (const std::string& name : step.row.nodes) {
      const auto found = by_name.find(name);
      if (found == by_name.end()) continue;
      step.operators.push_back(found->second->op);
      step.macs += macs_of(opened.graph, *found->second) * options.how.batch;
    }
  }
  return profile;
}

/// Millions a millisecond are thousands of millions a second.
double per_second_1e9(double count, double ms) { return ms > 0 ? count / ms / 1e6 : 0; }

}  // namespace

void profile_model(const ProfileOptions& options, Context& context) {
  OpenedRunner opened =
      open_runner(context, options.backend + ":" + options.model.string(), options.how);
  const Profile profile = measure(options, opened);

  double sum_ms = 0;
  std::int64_t macs = 0;
  for (const Step& step : profile.steps) {
    sum_ms += step.row.latency_ms;
    macs += step.macs;
  }
  json steps = json::array();
  Table table({"ms", "share", "operators", "nodes", "on", "GMAC/s", "MB", "GB/s"});
  for (const Step& step : profile.steps) {
    const double ms = step.row.latency_ms;
    const auto bytes = static_cast<double>(step.row.bytes);
    table.row(
        {fmt::format("{:.3f}", ms), fmt::format("{:.1f} %", sum_ms > 0 ? 100 * ms / sum_ms : 0),
         step.operators.empty() ? "(conversion)"
                                : fmt::format("{}", fmt::join(step.operators, " + ")),
         fmt::format("{}", fmt::join(step.row.nodes, " + ")),
         step.row.engine + (step.row.predicted ? " (predicted)" : ""),
         step.macs ? fmt::format("{:.1f}", per_second_1e9(static_cast<double>(step.macs), ms)) : "",
         bytes > 0 ? fmt::format("{:.3f}", bytes / 1e6) : "",
         bytes > 0 ? fmt::format("{:.1f}", per_second_1e9(bytes, ms)) : ""});
    steps.push_back({{"nodes", step.row.nodes},
                     {"operators", step.operators},
                     {"engine", step.row.engine},
                     {"latency_ms", ms},
                     {"macs", step.macs},
                     {"bytes", step.row.bytes},
                     {"predicted", step.row.predicted}});
  }
  context.result(
      {{"model", options.model.filename().string()},
       {"backend", options.backend},
       {"batch", options.how.batch},
       {"threads", context.thread_count()},
       {"runs", options.runs},
       {"latency_ms", profile.latency_ms},
       {"steps", steps}},
      table.str() +
          fmt::format("\n{} steps: {:.3f} ms; a whole run: {:.3f} ms, {:.1f} GMAC/s (medians of {} "
                      "runs, batch {}, {} threads)\n",
                      profile.steps.size(), sum_ms, profile.latency_ms,
                      per_second_1e9(static_cast<double>(macs), profile.latency_ms), options.runs,
                      options.how.batch, context.thread_count()));
}

}  // namespace adze::host
