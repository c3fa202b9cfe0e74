// A pruner that does, on request, each thing that would take its host down.
#include <unistd.h>

#include <adze/adze.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string_view>

namespace {

constexpr int kSocket = 3;  // where adze-worker has its end of the socket

const char* const kFaults[] = {
    "none",       "segfault",  "abort",    "loop",      "allocate",    "malloc",     "write_view",
    "exit",       "_exit",     "overflow", "close",     "garbage",     "exception",  "kill",
    "print_loop", "bad_edit",  "fork",     "forged",    "write_graph", "write_node", "write_name",
    "write_call", "close_all", "log_loop", "log_flood", nullptr};

const adze_param kParams[] = {{.struct_size = sizeof(adze_param),
                               .type = ADZE_TEXT,
                               .name = "fault",
                               .doc = "What to do.",
                               .default_text = "none",
                               .choices = kFaults}};

// Each level needs the one below: no compiler turns it into a loop.
[[gnu::noinline]] int overflow(int level) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(level);
  return overflow(level + 1) + frame[0];
}

const adze_tensor* first_constant(const adze_graph& graph) {
  for (std::uint32_t i = 0; i < graph.value_count; ++i)
    if (const adze_tensor* constant = graph.values[i]->constant)
      if (constant->data && adze::element_count(*constant) > 0) return constant;
  throw adze::Error(ADZE_NOT_FOUND, "no constant");
}

[[gnu::noinline]] void touch(volatile char* at) { *at = 1; }

void misbehave(adze_call* call, std::string_view fault) {
  std::printf("about to do: %s\n", std::string(fault).c_str());
  std::fflush(stdout);
  if (fault == "segfault") touch(reinterpret_cast<volatile char*>(std::uintptr_t{64}));
  if (fault == "abort") std::abort();
  if (fault == "loop")
    for (volatile bool forever = true; forever;) {
    }
  if (fault == "print_loop")
    for (volatile bool forever = true; forever;) std::puts("and another line");
  if (fault == "allocate") std::memset(::operator new(100ull << 30), 1, 100ull << 30);
  if (fault == "malloc") {
    void* memory = std::malloc(100ull << 30);
    if (!memory) throw adze::Error(ADZE_RESOURCE_EXHAUSTED, "malloc gave no 100 GB");
    std::memset(memory, 1, 100ull << 30);
  }
  if (fault == "write_view")
    touch(static_cast<char*>(const_cast<void*>(first_constant(*call->graph)->data)));
  if (fault == "write_graph") touch(reinterpret_cast<char*>(const_cast<adze_graph*>(call->graph)));
  if (fault == "write_node")
    touch(reinterpret_cast<char*>(const_cast<adze_node*>(call->graph->nodes[0])));
  if (fault == "write_name") touch(const_cast<char*>(call->graph->values[0]->name));
  if (fault == "write_call") touch(reinterpret_cast<char*>(call));
  if (fault == "log_loop")
    for (volatile bool forever = true; forever;)
      call->host->log(call, ADZE_LOG_WARNING, "here I am again");
  if (fault == "log_flood") {
    for (int i = 0; i < 20000; ++i) call->host->log(call, ADZE_LOG_WARNING, "drop of the flood");
    throw adze::Error(ADZE_ABORTED, "the flood is over");
  }
  if (fault == "exit") std::exit(0);
  if (fault == "_exit") ::_exit(0);
  if (fault == "overflow") std::printf("%d", overflow(0));
  if (fault == "close") {
    ::close(kSocket);
    for (;;) ::pause();
  }
  if (fault == "close_all") {
    for (int fd = 0; fd <= 100; ++fd) ::close(fd);
    call->edit->mark(call);
  }
  if (fault == "garbage") {
    const char garbage[] = "this is no frame of any kind, and it is longer than a header is";
    if (::write(kSocket, garbage, sizeof garbage) < 0) std::abort();
    for (;;) ::pause();
  }
  if (fault == "exception") throw std::runtime_error("nobody catches this");
  if (fault == "kill") ::kill(::getpid(), SIGKILL);
  if (fault == "fork") {
    if (::fork() == 0) {
      ::setsid();
      ::sleep(30);
      ::_exit(0);
    }
    std::raise(SIGSEGV);
  }
  if (fault == "forged")
    throw adze::Error(ADZE_ABORTED, "\033[2Jdone\nadze: error: everything is fine\xff");
  if (fault == "bad_edit") adze::check(call->edit->set_mask(call, 4000000, nullptr, 0));
}

// Not by adze::guard(), which would catch the exception.
adze_status prune(void*, adze_call* call) noexcept {
  const std::string_view fault = call->arguments[0]->text[0];
  if (fault == "exception" || fault == "allocate") {
    misbehave(call, fault);
    return ADZE_OK;
  }
  return adze::guard(call, [&] { misbehave(call, fault); });
}

const adze_pruner kPruner = {.struct_size = sizeof kPruner, .flags = 0, .prune = prune};
const adze_component kComponent = {.struct_size = sizeof kComponent,
                                   .flags = 0,
                                   .id = "org.example.hostile",
                                   .doc = "Does what no plugin should.",
                                   .param_count = 1,
                                   .params = kParams,
                                   .pruner = &kPruner};
const adze_component* const kComponents[] = {&kComponent};
const adze_plugin kPlugin =
    adze::plugin("org.example.hostile", "1.0.0", "Example", "Apache-2.0", kComponents);

}  // namespace

const adze_plugin* adze_plugin_v1() noexcept { return &kPlugin; }
