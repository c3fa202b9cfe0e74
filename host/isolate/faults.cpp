#include "host/isolate/faults.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

#include "host/base/protected_memory.hpp"
#include "host/plugin/elf_scan.hpp"
#include "host/plugin/worker_end.hpp"

namespace adze::host {
namespace {

constexpr std::size_t kHandlerStackBytes = 64u << 10;
/// How far from the stack pointer a fault may lie and still be one of the stack.
constexpr std::uintptr_t kStackReach = 256u << 10;

/// Only what a signal handler may do.
void note(const char* text) {
  std::array<char, 512> line{'\n', kWorkerNote};
  const std::size_t size = std::min(std::strlen(text), line.size() - 3);
  std::memcpy(line.data() + 2, text, size);
  std::replace(line.begin() + 2, line.begin() + 2 + static_cast<std::ptrdiff_t>(size), '\n', ' ');
  line[size + 2] = '\n';
  if (::write(STDERR_FILENO, line.data(), size + 3) < 0) return;
}

std::uintptr_t stack_pointer(const void* context) {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(machine.gregs[REG_RSP]);
#elif defined(__aarch64__)
  return machine.sp;
#endif
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const std::uintptr_t stack = stack_pointer(context);
  if (const char* what = watched_at(address))
    note(what);
  else if (address + kStackReach > stack && address < stack + kStackReach)
    note("X04 its stack overflowed");
  // SA_RESETHAND: the same fault again ends the process as if nobody had looked.
  if (info->si_code <= 0) ::raise(signal);  // sent, not met
}

[[noreturn]] void on_terminate() {
  try {
    if (const std::exception_ptr thrown = std::current_exception()) std::rethrow_exception(thrown);
    note("X02 it called std::terminate()");
  } catch (const std::bad_alloc&) {
    note("X05 it ran out of memory");
  } catch (const std::exception& error) {
    std::array<char, 400> text;
    std::snprintf(text.data(), text.size(), "X02 an exception left it: %s", error.what());
    note(text.data());
  } catch (...) {
    note("X02 an exception left it");
  }
  std::abort();
}

}  // namespace

void watch_faults() {
  static std::array<std::byte, kHandlerStackBytes> handler_stack;
  const stack_t stack{
      .ss_sp = handler_stack.data(), .ss_flags = 0, .ss_size = handler_stack.size()};
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND);
  if (::sigaltstack(&stack, nullptr) || ::sigaction(SIGSEGV, &action, nullptr) ||
      ::sigaction(SIGBUS, &action, nullptr))
    throw Error(ADZE_INTERNAL, "cannot install the handler of memory faults");
  std::set_terminate(on_terminate);
}

void limit_memory(std::uint64_t memory_mb) {
  if (memory_mb == 0 || !own_sanitizer().empty()) return;
  const rlimit limit{memory_mb << 20, memory_mb << 20};
  if (::setrlimit(RLIMIT_AS, &limit))
    throw Error(ADZE_INTERNAL, std::string("cannot limit the memory: ") + std::strerror(errno));
}

void give_up(const Error& error) noexcept {
  std::array<char, 400> text;
  const bool no_memory = error.code == ADZE_RESOURCE_EXHAUSTED;
  std::snprintf(text.data(), text.size(), "%s %s: %s", no_memory ? "X05" : kNoFault,
                no_memory ? "its worker found no memory" : "its worker cannot go on", error.what());
  note(text.data());
}

void end_of_link(const char* why) noexcept {
  std::array<char, 400> text;
  std::snprintf(text.data(), text.size(), "X08 its socket to the host no longer works: %s", why);
  note(text.data());
  ::_exit(kLostSocketExit);
}

}  // namespace adze::host
