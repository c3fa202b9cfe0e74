#include "host/plugin/worker_end.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstring>

namespace adze::host {
namespace {

/// AddressSanitizer has a limit of its own, and words for it.
bool out_of_memory_by_asan(const std::string& words) {
  for (const char* sign : {"allocation-size-too-big", "out-of-memory", "exceeds maximum supported"})
    if (words.find(sign) != std::string::npos) return true;
  return false;
}

std::string signal_text(int signal, std::uint64_t memory_mb) {
  std::string text = fmt::format("it was killed by signal {} ({})", signal, ::strsignal(signal));
  // Nothing tells who sent it; only one sender is common.
  if (signal == SIGKILL)
    text += fmt::format(
        ", as the system does when memory runs out; its own limit was {} MB: a lower memory_mb in "
        "[isolation] lets it run into that instead",
        memory_mb);
  return text;
}

}  // namespace

std::string describe_fault(WorkerProcess& process, std::uint64_t memory_mb,
                           const std::string& when) {
  const WorkerEnd end = process.end();
  const std::string words = process.last_words();
  const auto text = [&](const std::string& rule, const std::string& what) {
    return fmt::format("{} ({}){}", what, rule, words);
  };
  if (const std::string& note = process.note(); note.size() > 4) {
    const std::string rule = note.substr(0, 3), what = note.substr(4);
    if (rule == kNoFault) return what + words;
    return text(rule, rule == "X05" ? fmt::format("{} (limit: {} MB)", what, memory_mb) : what);
  }
  if (out_of_memory_by_asan(words))
    return text("X05", fmt::format("it ran out of memory (limit: {} MB)", memory_mb));
  if (end.alive) return text("X08", "it closed the socket to the host");
  if (end.signal == SIGABRT) return text("X02", "it aborted");
  if (end.signal) return text("X01", signal_text(end.signal, memory_mb));
  // Where it could not be noted: the plugin closed that descriptor as well.
  if (end.exit_code == kLostSocketExit)
    return text("X08", "it closed or overwrote the socket to the host");
  if (words.find("AddressSanitizer") != std::string::npos)
    return text("X01", "it crashed under AddressSanitizer");
  return text("X06", fmt::format("it ended its process with exit code {}{}", end.exit_code, when));
}

}  // namespace adze::host
