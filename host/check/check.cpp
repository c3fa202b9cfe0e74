#include "host/check/check.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <ranges>
#include <set>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/text.hpp"
#include "host/check/fault_reporter.hpp"
#include "host/check/held.hpp"
#include "host/check/subject.hpp"
#include "host/worker/process.hpp"

namespace adze::host::check {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kMaxDetailBytes = 4000;
constexpr int kLoadTries = 3;
/// How the child ends when its socket to the parent no longer works.
constexpr int kLostSocket = 113;
constexpr const char* kNotItsOwn = "it closed or wrote to file descriptors that are not its own";
/// What each thread keeps for itself would look like a leak until it is full.
constexpr const char* kExactHeap = "GLIBC_TUNABLES=glibc.malloc.tcache_count=0";

/// Nothing that runs the plugin makes sense after one of these has failed.
bool blocks(const Rule& rule) {
  static const std::set<std::string_view> kBlocking = {"L01", "L02", "L04", "L05", "L09", "D01",
                                                       "D02", "D05", "D06", "P01", "P02", "P03"};
  return kBlocking.contains(rule.id);
}

/// Whether a failure is what `rule` would stumble over too: one thing to mend, told once. A
/// component that ends its process on a small CNN tells nothing about anything else; one that
/// fails there cannot show that it does what its kind does.
bool hides(const RuleResult& before, const Rule& rule) {
  if (before.finding.outcome != Outcome::failed || !rule.runs_plugin) return false;
  if (blocks(*before.rule)) return true;
  const std::string_view groups = before.finding.ended_process ? "CHGRTSF" : "S";
  return std::string_view(before.rule->id) == "P04" &&
         groups.find(rule.id[0]) != std::string_view::npos;
}

Finding judged(const Rule& rule, Subject& subject) {
  Finding finding;
  try {
    finding = rule.check(subject);
  } catch (const PluginError& error) {
    finding = failed(error.what());
  } catch (const Error& error) {
    if (error.code == ADZE_NOT_FOUND) throw;
    finding = failed(error.what());
  }
  if (finding.outcome == Outcome::failed && rule.severity == Severity::warning)
    finding.outcome = Outcome::warning;
  if (finding.detail.size() > kMaxDetailBytes) finding.detail.resize(kMaxDetailBytes);
  return finding;
}

Frame frame_of(const json& message) {
  const std::string text = message.dump(-1, ' ', false, json::error_handler_t::replace);
  Frame frame{.type = FrameType::data};
  const auto bytes = std::as_bytes(std::span(text));
  frame.payload.assign(bytes.begin(), bytes.end());
  return frame;
}

json message_of(const Frame& frame) {
  const auto* text = reinterpret_cast<const char*>(frame.payload.data());
  return json::parse(text, text + frame.payload.size());
}

Outcome outcome_named(const std::string& name) {
  for (const Outcome outcome :
       {Outcome::passed, Outcome::failed, Outcome::warning, Outcome::skipped})
    if (name == name_of(outcome)) return outcome;
  throw Error(ADZE_INTERNAL, "the checking process reported the outcome '" + name + "'");
}

/// Hands rules to children until each has a finding.
class Parent {
 public:
  Parent(const CheckOptions& options, fs::path scratch)
      : options_(options), scratch_(std::move(scratch)) {}

  /// Findings of `rules`, in order, without those that a failure hides.
  std::vector<RuleResult> run(std::vector<const Rule*> rules) {
    std::vector<RuleResult> results;
    while (results.size() < rules.size()) {
      WorkerProcess child(options_.program, arguments_for(std::span(rules).subspan(results.size())),
                          {kExactHeap});
      listen(child, rules, results);
      const auto rest = rules.begin() + static_cast<std::ptrdiff_t>(results.size());
      rules.erase(std::remove_if(rest, rules.end(),
                                 [&](const Rule* rule) { return hides(results.back(), *rule); }),
                  rules.end());
    }
    return results;
  }

 private:
  std::vector<std::string> arguments_for(std::span<const Rule* const> rules) const {
    std::string only;
    for (const Rule* rule : rules) only += (only.empty() ? "" : ",") + std::string(rule->id);
    std::vector<std::string> arguments = {"plugin",    "check",
                                          "--child",   scratch_.string(),
                                          "--only",    only,
                                          "--seconds", fmt::format("{}", options_.fuzz_seconds),
                                          "--seed",    fmt::format("{}", options_.fuzz_seed)};
    if (!options_.component.empty())
      arguments.insert(arguments.end(), {"--component", options_.component});
    if (options_.fuzz_one) arguments.push_back("--one");
    arguments.push_back(options_.file.string());
    return arguments;
  }

  /// Until the child has answered all rules, died, or broke a rule that blocks the rest.
  void listen(WorkerProcess& child, const std::vector<const Rule*>& rules,
              std::vector<RuleResult>& results) {
    const auto limit_ms = static_cast<std::int64_t>(options_.deadline_seconds * 1000);
    Doing doing;
    Deadline deadline = after_ms(limit_ms);
    const auto found = [&](Finding finding) {
      results.push_back({rules[results.size()], std::move(finding)});
    };
    try {
      while (results.size() < rules.size()) {
        const auto frame = child.receive_before(deadline);
        if (!frame && remaining_ms(deadline) == 0) {
          child.kill();
          return found(
              ended(fmt::format("did not return within {} s{}{}", options_.deadline_seconds,
                                doing.text(), child.last_words())));
        }
        if (!frame) continue;
        deadline = after_ms(limit_ms);
        const json message = message_of(*frame);
        if (message.contains("doing")) doing.what = message["doing"];
        if (message.contains("inside")) doing.inside = message["inside"];
        if (message.contains("no_component"))
          throw Error(ADZE_NOT_FOUND, message["no_component"].get<std::string>());
        if (!message.contains("outcome")) continue;
        found({outcome_named(message["outcome"]), message["detail"],
               message.value("fingerprint", "")});
        doing = {};
        const RuleResult& last = results.back();
        if (last.finding.outcome == Outcome::failed && blocks(*last.rule)) return;
      }
    } catch (const ChannelClosed&) {
      const bool lost = child.end().exit_code == kLostSocket;
      found(ended((lost ? std::string(kNotItsOwn) : child.describe_end()) + doing.text()));
    } catch (const FrameError& error) {
      found(ended(fmt::format("{}: {}", kNotItsOwn, error.what())));
    } catch (const json::exception&) {
      found(ended(std::string(kNotItsOwn) + doing.text()));
    }
  }

  static Finding ended(std::string how) {
    Finding finding = failed(std::move(how));
    finding.ended_process = true;
    return finding;
  }

  /// What the child was at, as it last said.
  struct Doing {
    std::string what, inside;
    /// " [in prune() of org.example.mine, while progress() said stop]"
    std::string text() const {
      const std::string in = inside.empty() ? "" : "in " + inside;
      const std::string during = what.empty() ? "" : "while " + what;
      if (in.empty() && during.empty()) return "";
      return " [" + in + (in.empty() || during.empty() ? "" : ", ") + during + "]";
    }
  };

  const CheckOptions& options_;
  fs::path scratch_;
};

using Tell = std::function<void(const std::string&)>;

Subject subject_of(const CheckOptions& options, const fs::path& scratch, Tell note = {},
                   Tell inside = {}) {
  return Subject({.file = options.file,
                  .component = options.component,
                  .scratch = scratch,
                  .fuzz_seconds = options.fuzz_seconds,
                  .fuzz_seed = options.fuzz_seed,
                  .fuzz_one = options.fuzz_one,
                  .note = std::move(note),
                  .inside = std::move(inside)});
}

/// Loading may be slow because the file came from the disk: the best of a few tries counts.
void retry_slow_load(Parent& parent, RuleResult& result) {
  for (int tries = 1; tries < kLoadTries && result.finding.outcome == Outcome::warning; ++tries)
    result = parent.run({result.rule}).front();
}

/// Addresses, hash seeds and process numbers are others in another process; answers must not be.
void compare_with_another_process(Parent& parent, RuleResult& result) {
  if (result.finding.outcome != Outcome::passed || result.finding.fingerprint.empty()) return;
  const Finding again = parent.run({result.rule}).front().finding;
  if (again.outcome != Outcome::passed)
    result.finding = again;
  else if (again.fingerprint != result.finding.fingerprint)
    result.finding = failed("another process answered the same question with other bytes");
}

}  // namespace

std::vector<RuleResult> check_plugin(const CheckOptions& given) {
  CheckOptions options = given;
  std::error_code missing;
  options.file = fs::canonical(given.file, missing);
  if (missing || !fs::is_regular_file(options.file))
    throw Error(ADZE_NOT_FOUND, fmt::format("cannot check '{}': {}", given.file.string(),
                                            missing ? missing.message() : "not a file"));
  const TemporaryDirectory scratch;
  Subject subject = subject_of(options, scratch.path());
  Parent parent(options, scratch.path());
  std::vector<RuleResult> results;
  const auto hidden_by = [&](const Rule& rule) -> const Rule* {
    const auto found = std::ranges::find_if(
        results, [&](const RuleResult& result) { return hides(result, rule); });
    return found == results.end() ? nullptr : found->rule;
  };
  // Whether it can be loaded at all is settled first.
  for (const Rule* rule : options.rules)
    if (!rule->runs_plugin) results.push_back({rule, judged(*rule, subject)});
  std::vector<const Rule*> running;
  for (const Rule* rule : options.rules)
    if (rule->runs_plugin && !hidden_by(*rule)) running.push_back(rule);
  if (options.in_process) {
    for (const Rule* rule : running)
      if (!hidden_by(*rule)) results.push_back({rule, judged(*rule, subject)});
  } else {
    for (RuleResult& result : parent.run(running)) {
      if (hidden_by(*result.rule)) continue;
      if (std::string_view(result.rule->id) == "L06") retry_slow_load(parent, result);
      if (std::string_view(result.rule->id) == "R03") compare_with_another_process(parent, result);
      results.push_back(result);
    }
  }
  for (const Rule* rule : options.rules)
    if (std::ranges::find(results, rule, &RuleResult::rule) == results.end())
      results.push_back(
          {rule, skipped(fmt::format("not looked at before {} is mended", hidden_by(*rule)->id))});
  std::ranges::sort(results, {}, [](const RuleResult& result) { return result.rule; });
  for (const RuleResult& result : results) options.on_result(result);
  return results;
}

void serve_checks(const CheckOptions& options, const fs::path& scratch, int socket) {
  report_faults();
  Channel channel{OwnedFd(socket)};
  keep_from_forks(socket);
  const auto send = [&](const json& message) {
    try {
      channel.send(frame_of(message), {}, after_ms(10'000));
    } catch (const Error&) {
      ::_exit(kLostSocket);
    }
  };
  const auto tell = [&](const char* name) {
    return [&send, name](const std::string& text) { send({{name, text}}); };
  };
  // What the plugin starts and leaves alone becomes a child of this process, and is counted.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  Subject subject = subject_of(options, scratch, tell("doing"), tell("inside"));
  for (const Rule* rule : options.rules) {
    try {
      const Finding finding = judged(*rule, subject);
      end_child_processes();
      send({{"outcome", name_of(finding.outcome)},
            {"detail", finding.detail},
            {"fingerprint", finding.fingerprint}});
    } catch (const Error& error) {
      return send({{"no_component", error.what()}});
    }
  }
}

json document_of(const fs::path& file, const std::vector<RuleResult>& results) {
  json rules = json::array();
  std::map<Outcome, int> counts;
  for (const RuleResult& result : results) {
    ++counts[result.finding.outcome];
    rules.push_back({{"id", result.rule->id},
                     {"title", result.rule->title},
                     {"outcome", name_of(result.finding.outcome)},
                     {"detail", result.finding.detail}});
  }
  return {{"plugin", file.string()},
          {"rules", rules},
          {"passed", counts[Outcome::passed]},
          {"failed", counts[Outcome::failed]},
          {"warnings", counts[Outcome::warning]},
          {"skipped", counts[Outcome::skipped]}};
}

std::string text_of(const fs::path& file, const std::vector<RuleResult>& results) {
  std::string text = file.string() + "\n";
  char group = 0;
  std::map<Outcome, int> counts;
  for (const auto& [rule, finding] : results) {
    ++counts[finding.outcome];
    if (rule->id[0] != group) {
      group = rule->id[0];
      text += fmt::format("\n{}\n", std::ranges::find(groups(), group, &Group::letter)->name);
    }
    text += fmt::format("  {:<7}  {}  {}\n", name_of(finding.outcome), rule->id, rule->title);
    const bool bad = finding.outcome == Outcome::failed || finding.outcome == Outcome::warning;
    // Plugins' words are in there; the lines are ours.
    for (const auto line : std::views::split(finding.detail, '\n'))
      if (!line.empty())
        text += fmt::format("                {}\n", one_line({line.begin(), line.end()}));
    if (bad) text += fmt::format("                What to do: {}\n", rule->advice);
  }
  return text + fmt::format("\n{} passed, {} failed, {} warnings, {} skipped\n",
                            counts[Outcome::passed], counts[Outcome::failed],
                            counts[Outcome::warning], counts[Outcome::skipped]);
}

}  // namespace adze::host::check
