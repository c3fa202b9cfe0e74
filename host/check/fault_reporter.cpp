#include "host/check/fault_reporter.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

namespace adze::host::check {
namespace {

void say(const char* text) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, std::strlen(text));
}

void explain(int signal, siginfo_t* info, void*) {
  if (const char* what = watched_at(reinterpret_cast<std::uintptr_t>(info->si_addr))) {
    say("it ");
    say(what);
    say("\n");
  }
  // Returning runs the instruction again, which now ends the process.
  ::signal(signal, SIG_DFL);
}

}  // namespace

void report_faults() {
  struct sigaction action {};
  action.sa_sigaction = explain;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, nullptr);
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace adze::host::check
