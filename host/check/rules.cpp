#include "host/check/rules.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "host/base/error.hpp"
#include "host/base/nearest.hpp"
#include "host/check/rule_checks.hpp"

namespace adze::host::check {
namespace {

constexpr Severity kFailure = Severity::failure, kWarning = Severity::warning;
constexpr bool kStatic = false, kRuns = true;

constexpr std::array kGroups = {
    Group{'L', "library"},   Group{'D', "descriptor"},    Group{'P', "parameters"},
    Group{'C', "lifecycle"}, Group{'H', "host versions"}, Group{'G', "graphs"},
    Group{'R', "results"},   Group{'T', "threads"},       Group{'S', "kind"},
    Group{'F', "fuzz"},
};

constexpr Rule kRules[] = {
    {"L01", "is a 64-bit ELF shared library for this machine", kFailure,
     "Build it as a shared library for the machine that runs the host.", check_L01, kStatic},
    {"L02", "exports the entry function adze_plugin_v1", kFailure,
     "Define adze_plugin_v1 as <adze/plugin.h> declares it and build with adze_add_plugin().",
     check_L02, kStatic},
    {"L03", "exports nothing but its entry functions", kFailure,
     "Build with adze_add_plugin(), or link with its version script and hidden visibility.",
     check_L03, kStatic},
    {"L04", "loads, and its entry returns a descriptor", kFailure,
     "Install the libraries it needs; return the address of a constant adze_plugin.", check_L04,
     kRuns},
    {"L05", "finds all its symbols without the host", kFailure,
     "Link the library that has the symbol (-Wl,-z,defs finds this when linking).", check_L05,
     kRuns},
    {"L06", "loads and describes itself within 100 ms", kWarning,
     "Do no work when loaded or listed; prepare in create() or on first use.", check_L06, kRuns},
    {"L07", "returns the same descriptor each time, from any thread", kFailure,
     "Return the address of one constant.", check_L07, kRuns},
    {"L08", "prints nothing and leaves no thread, process or open file behind when loaded",
     kFailure, "Start threads and open files in create(), end them in destroy().", check_L08,
     kRuns},
    {"L09", "is built with the host's sanitizer or with none", kFailure,
     "Build it without the sanitizer, or use a host built with the same one.", check_L09, kStatic},
    {"L10", "brings no protobuf, no unique symbols and no static constructors", kWarning,
     "Read the graph through the ABI; use constants in place of static objects; keep the version "
     "script.",
     check_L10, kStatic},

    {"D01", "sets struct sizes, counts and tables that fit together", kFailure,
     "Set struct_size with sizeof, and each count together with its table.", check_D01, kRuns},
    {"D02", "requires a minor that it was built with and that this host offers", kFailure,
     "Set abi_minor to ADZE_ABI_MINOR and required_minor to the oldest minor it can work with.",
     check_D02, kRuns},
    {"D03", "has unique reverse-DNS ids of its own and documents its components", kFailure,
     "Use ids like org.example.magnitude in ASCII lower case; 'adze.' is Adze's own.", check_D03,
     kRuns},
    {"D04", "names its version, vendor and license", kFailure,
     "Give a semantic version (1.2.3), a vendor and an SPDX license, in UTF-8.", check_D04, kRuns},
    {"D05", "is exactly one of pruner, quantizer and backend in each component", kFailure,
     "Set one of the three tables; make two components of what is two things.", check_D05, kRuns},
    {"D06", "sets each function of its table that is not optional", kFailure,
     "Implement the slot, or copy the table from a template.", check_D06, kRuns},

    {"P01", "has unique parameter names in snake_case and known types", kFailure,
     "Rename the parameter; use ADZE_F64 to ADZE_PATH, and LIST or MAP but not both.", check_P01,
     kRuns},
    {"P02", "has finite limits with min <= default <= max", kFailure,
     "Correct limits and default; both limits 0 mean no limit.", check_P02, kRuns},
    {"P03", "has choices that are distinct and contain the default", kFailure,
     "Set default_text to one of the choices; give choices to texts only.", check_P03, kRuns},
    {"P04", "runs with its defaults, and with each number at its limits and each choice", kFailure,
     "Make the defaults work on a small CNN; tighten limits to what works, or answer "
     "INVALID_ARGUMENT with a text.",
     check_P04, kRuns},
    {"P05", "documents each parameter", kFailure, "Write one sentence, with the unit.", check_P05,
     kRuns},

    {"C01", "gives back in destroy() all that create() took", kFailure,
     "Free memory, close files and join threads in destroy().", check_C01, kRuns},
    {"C02", "takes nothing in create() when it leaves self NULL", kFailure,
     "destroy() is not called for a NULL self: return a pointer when there is something to keep.",
     check_C02, kRuns},
    {"C03", "keeps instances apart", kFailure,
     "Keep what belongs to an instance behind self, not in global variables.", check_C03, kRuns},
    {"C04", "copes with NULL for every extension it does not list in needs", kFailure,
     "Check what get_extension() returns, ask for 'name/version' ids, or list the id in needs.",
     check_C04, kRuns},
    {"C05", "leaves nothing of a call behind after destroy(): memory, thread, process or open file",
     kFailure,
     "Free what the call took, join its threads, wait for its processes; in destroy() at the "
     "latest.",
     check_C05, kRuns},

    {"H01", "reads nothing behind the struct_size of an older host", kFailure,
     "Read fields that came after the required minor through ADZE_HAS.", check_H01, kRuns},
    {"H02", "works with the larger structs of a newer host", kFailure,
     "Do not compare or copy by the host's struct_size; skip what is unknown.", check_H02, kRuns},
    {"H03", "works where the host may show NULL: no target, or one without facts", kFailure,
     "Check for NULL what the headers say may be NULL.", check_H03, kRuns},
    {"H04", "writes nothing but what it is asked to fill", kFailure,
     "Write one pointer to out_self and out_executable, `count` numbers to out_latency_ms.",
     check_H04, kRuns},
    {"H05", "stops within a second when progress() says so, with CANCELLED", kFailure,
     "Call progress() at least every half second; when it is not 0, clean up and return "
     "ADZE_CANCELLED.",
     check_H05, kRuns},
    {"H06", "fails cleanly when a function of the host fails", kFailure,
     "Check each returned status and return it; release what the call took.", check_H06, kRuns},

    {"G01", "survives a graph without nodes", kFailure, "Do not assume that there are nodes.",
     check_G01, kRuns},
    {"G02", "survives a graph of one node", kFailure,
     "Do not assume that there is a layer before or behind.", check_G02, kRuns},
    {"G03", "survives dimensions of size 0 and unknown shapes", kFailure,
     "Check sizes before dividing or taking a first element; rank and sizes may be -1.", check_G03,
     kRuns},
    {"G04", "survives operators and domains it does not know", kFailure,
     "Look at op and domain before inputs and attributes; skip what is unknown.", check_G04, kRuns},
    {"G05", "survives constants of f16, f64, int8 and int4", kFailure,
     "Look at code and bits of a tensor before reading its data as float.", check_G05, kRuns},
    {"G06", "survives NaN and infinity in weights", kFailure,
     "Check that numbers are finite, say which node's are not, and hand nothing of it back.",
     check_G06, kRuns},
    {"G07", "manages a graph of 10 000 nodes", kFailure,
     "No fixed-size tables, no recursion along the graph, nothing that grows with the square.",
     check_G07, kRuns},

    {"R01", "records a text for every failure", kFailure,
     "Return through host->fail(call, code, text).", check_R01, kRuns},
    {"R02", "hands in edits that the host accepts", kFailure,
     "Name values of the graph as shown, with their count, shape and type; change targets only, "
     "and prune nothing of adze.refit/1.",
     check_R02, kRuns},
    {"R03", "answers the same bytes to the same question, when it says DETERMINISTIC", kFailure,
     "Take randomness from call->seed alone, not from time, addresses or process numbers; sum and "
     "sort in a fixed order; or clear the flag.",
     check_R03, kRuns},
    {"R04", "leaves what it is shown unchanged", kFailure,
     "Copy a constant before changing it, and hand the copy to set_constant.", check_R04, kRuns},

    {"T01", "runs on any thread, and calls [worker] functions only on the one that entered it",
     kFailure, "Keep nothing in thread-local variables between calls; gather, then call the host.",
     check_T01, kRuns},
    {"T02", "runs several instances at the same time", kWarning,
     "Share nothing between instances, or guard it; build with ThreadSanitizer to find where.",
     check_T02, kRuns},

    {"S01",
     "prunes as much as its parameter sparsity asks, within 1 %, and logs why when it changes "
     "nothing",
     kFailure,
     "Count zeros among the weights of the target nodes; call host->log() when there is nothing to "
     "prune.",
     check_S01, kRuns},
    {"S02",
     "quantizes with scales above 0, zero points in range and legal axes, and logs why when it "
     "quantizes nothing",
     kFailure,
     "Check what is handed to set_quant; a constant activation still needs a scale above 0; call "
     "host->log() when there is nothing to quantize.",
     check_S02, kRuns},
    {"S03",
     "places every node, compiles, and reports each output once, of the right type and shape",
     kFailure,
     "Report each node from place(), with a reason unless PLACED, and each output from run().",
     check_S03, kRuns},

    {"F01", "survives random graphs and arguments", kFailure,
     "Repeat the case with --reproduce SEED, in a debugger with --in-process.", check_F01, kRuns},
};

constexpr RunRule kRunRules[] = {
    {"X01", "does not crash"},
    {"X02", "does not abort, and lets no exception out"},
    {"X03", "writes to nothing it is shown: call, graph, constants, what services give"},
    {"X04", "does not overflow its stack"},
    {"X05", "needs no more memory than it may have"},
    {"X06", "does not end its process"},
    {"X07", "reports progress, logs or asks the host before its deadline is over"},
    {"X08", "leaves the file descriptors of its process alone"},
};

/// "l03 " -> "L03"; people write lists with spaces, and in lower case.
std::string plain(const std::string& id) {
  std::string text;
  for (const char c : id)
    if (!std::isspace(static_cast<unsigned char>(c)))
      text += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

void require_known(const std::string& id) {
  std::vector<std::string> known;
  for (const Rule& rule : kRules) known.emplace_back(rule.id);
  for (const Group& group : kGroups) known.emplace_back(1, group.letter);
  if (std::ranges::find(known, id) != known.end()) return;
  const bool is_of_runs = id == "X" || std::ranges::any_of(kRunRules, [&](const RunRule& rule) {
                            return id == rule.id;
                          });
  if (is_of_runs)
    throw Error(
        ADZE_INVALID_ARGUMENT,
        "rules X01 to X08 cannot be asked for: they name what ended a plugin's process while "
        "it was used; what a check looks at are L01 to F01");
  throw Error(ADZE_INVALID_ARGUMENT, "there is no rule '" + id + "'" + did_you_mean(id, known) +
                                         "; rules are L01 to F01, groups L D P C H G R T S F");
}

}  // namespace

std::span<const Rule> rules() { return kRules; }
std::span<const Group> groups() { return kGroups; }

std::span<const RunRule> run_rules() { return kRunRules; }

std::vector<const Rule*> select_rules(std::span<const std::string> wanted) {
  std::vector<std::string> ids;
  for (const std::string& id : wanted)
    if (!plain(id).empty()) ids.push_back(plain(id));
  if (ids.empty() && !wanted.empty())
    throw Error(ADZE_INVALID_ARGUMENT, "no rule is named; write ids like L03 or groups like L");
  for (const std::string& id : ids) require_known(id);
  std::vector<const Rule*> selected;
  for (const Rule& rule : kRules)
    if (ids.empty() || std::ranges::any_of(ids, [&](const std::string& id) {
          return id == rule.id || (id.size() == 1 && id[0] == rule.id[0]);
        }))
      selected.push_back(&rule);
  return selected;
}

}  // namespace adze::host::check
