#include "host/check/fault_reporter.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>

namespace adze::host::check {
namespace {

/// Read by a signal handler: nothing here may allocate or lock.
struct Slot {
  std::atomic<std::uintptr_t> start{0};
  std::atomic<std::size_t> size{0};
  std::atomic<const char*> what{nullptr};
};
std::array<Slot, 4096> slots;

void say(const char* text) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, std::strlen(text));
}

void explain(int signal, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (const Slot& slot : slots) {
    const std::uintptr_t start = slot.start;
    const char* what = slot.what;
    if (!start || !what || address < start || address - start >= slot.size) continue;
    say("it ");
    say(what);
    say("\n");
    break;
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

WatchedRange::WatchedRange(const void* start, std::size_t size, const char* what)
    : slot_(slots.size()) {
  const auto address = reinterpret_cast<std::uintptr_t>(start);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    std::uintptr_t free = 0;
    if (!slots[i].start.compare_exchange_strong(free, address)) continue;
    slots[i].size = size;
    slots[i].what = what;
    slot_ = i;
    return;
  }
}

WatchedRange::~WatchedRange() {
  if (slot_ == slots.size()) return;
  slots[slot_].what = nullptr;
  slots[slot_].start = 0;
}

}  // namespace adze::host::check
