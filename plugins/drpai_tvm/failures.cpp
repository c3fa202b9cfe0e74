#include "plugins/drpai_tvm/failures.hpp"

#include <signal.h>

#include <cstring>
#include <regex>

namespace adze::drpai_tvm {
namespace {

struct Known {
  const char* pattern;  ///< of a line
  adze_status code;
  const char* meaning;
};

/// The first that some line matches is taken: special ones first.
constexpr Known kKnown[] = {
    {"No module named '?drpai_quantizer", ADZE_FAILED_PRECONDITION,
     "the DRP-AI Quantizer is not installed for this Python; check QUANTIZER and 'python'"},
    {"No module named '?(tvm|mera|drp)\\b", ADZE_FAILED_PRECONDITION,
     "DRP-AI TVM's Python packages are not found; set it up again, and check TVM_ROOT and "
     "PYTHONPATH"},
    {"No module named", ADZE_FAILED_PRECONDITION,
     "a Python package that the toolchain needs is not installed"},
    {"[Vv]ersion.*([Mm]ismatch|not match|incompatible|not supported|unsupported)",
     ADZE_FAILED_PRECONDITION,
     "DRP-AI TVM, Translator and Quantizer do not fit together; install the versions that one "
     "release names"},
    {"OpNotImplemented|operators are not supported|[Uu]nsupported operator|not implemented for "
     "frontend",
     ADZE_UNIMPLEMENTED, "the model has an operator that the toolchain does not take"},
    {"[Oo]pset", ADZE_UNIMPLEMENTED, "the toolchain does not take the model's opset"},
    {"KeyError: '(PRODUCT|TVM_ROOT|TRANSLATOR|QUANTIZER|SDK)'", ADZE_FAILED_PRECONDITION,
     "the toolchain misses a variable of its environment"},
    {"[Cc]annot reshape|could not broadcast|[Ii]nvalid dimensions|shape mismatch",
     ADZE_INVALID_ARGUMENT,
     "the calibration images do not give what the model wants; the toolchain's sample script "
     "resizes and crops by itself (recorder_resize, recorder_crop)"},
    {"No space left on device", ADZE_RESOURCE_EXHAUSTED, "the disk is full"},
    {"MemoryError|std::bad_alloc|Cannot allocate memory|OutOfMemory", ADZE_RESOURCE_EXHAUSTED,
     "the memory of this machine is too small for the toolchain"},
    {"Cannot connect to the Docker daemon|permission denied.*docker", ADZE_UNAVAILABLE,
     "the container program does not answer"},
    {"Unable to find image|No such image|pull access denied|manifest unknown", ADZE_NOT_FOUND,
     "there is no such container image"},
    {"[Pp]ermission denied|PermissionError", ADZE_PERMISSION_DENIED,
     "the toolchain may not read or write a file"},
    {"FileNotFoundError|No such file or directory|command not found", ADZE_NOT_FOUND,
     "the toolchain misses a file"},
    {"Segmentation fault", ADZE_ABORTED, "a program of the toolchain crashed"},
};

std::vector<std::string> lines_of(const std::string& output) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < output.size();) {
    const std::size_t end = std::min(output.find_first_of("\r\n", begin), output.size());
    std::string line = output.substr(begin, std::min<std::size_t>(end - begin, 400));
    if (line.find_first_not_of(" \t") != std::string::npos) lines.push_back(std::move(line));
    begin = end + 1;
  }
  return lines;
}

}  // namespace

std::string last_lines(const std::string& output, std::size_t count) {
  const std::vector<std::string> lines = lines_of(output);
  std::string text;
  for (std::size_t i = lines.size() - std::min(count, lines.size()); i < lines.size(); ++i)
    text += (text.empty() ? "" : " | ") + lines[i];
  return text.empty() ? "nothing" : text;
}

Error failure_of(const std::string& step, const Outcome& outcome, std::chrono::seconds limit) {
  const std::string what = "DRP-AI TVM failed while " + step + ": ";
  if (outcome.timed_out)
    return {ADZE_DEADLINE_EXCEEDED, "DRP-AI TVM did not finish " + step + " within " +
                                        std::to_string(limit.count()) +
                                        " s and was killed; give it more time (time_limit_s); it "
                                        "last printed: " +
                                        last_lines(outcome.output, 2)};
  const std::vector<std::string> lines = lines_of(outcome.output);
  for (const Known& known : kKnown) {
    const std::regex pattern(known.pattern);
    for (auto line = lines.rbegin(); line != lines.rend(); ++line)
      if (std::regex_search(*line, pattern))
        return {known.code, what + known.meaning + "; it printed: " + *line};
  }
  if (outcome.signal == SIGKILL || outcome.exit_code == 128 + SIGKILL)
    return {ADZE_RESOURCE_EXHAUSTED,
            what + "it was killed, probably because memory ran out; it last printed: " +
                last_lines(outcome.output, 2)};
  const std::string end = outcome.signal
                              ? std::string("signal ") + ::strsignal(outcome.signal) + " ended it"
                              : "exit code " + std::to_string(outcome.exit_code);
  return {ADZE_ABORTED, what + end + "; it last printed: " + last_lines(outcome.output, 4)};
}

}  // namespace adze::drpai_tvm
