// L10: what runs when a C++ plugin is loaded. GCC's look at the processor is its own affair, a
// static object is the author's.
#include <string>

#include "plugin.h"

namespace {

#if defined FAULT_L10_static
const std::string greeting = std::string(100, 'x');
std::size_t greeted() { return greeting.size(); }
#else
std::size_t greeted() { return 0; }
#endif

adze_status prune(void*, adze_call* call) noexcept {
#if defined __x86_64__
  const volatile bool is_fast = __builtin_cpu_supports("avx2");
  static_cast<void>(is_fast);
#endif
  return greeted() > 100 ? ADZE_INTERNAL : prune_half(nullptr, call);
}

constexpr adze_pruner kPruner = {sizeof kPruner, 0, prune};
constexpr adze_component kComponent = [] {
  adze_component made{};
  made.struct_size = sizeof made;
  made.flags = ADZE_DETERMINISTIC;
  made.id = "org.example.bad";
  made.doc = "Prunes every second weight.";
  made.pruner = &kPruner;
  return made;
}();
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin = {sizeof kPlugin,    ADZE_ABI_MINOR, 0,         1,
                                 "org.example.bad", "1.0.0",        "Example", "Apache-2.0",
                                 kComponents};

}  // namespace

const adze_plugin* adze_plugin_v1(void) noexcept { return &kPlugin; }
