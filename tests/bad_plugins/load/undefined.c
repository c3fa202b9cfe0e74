/* Calls a function that nobody has: must be found when it is loaded, not when it is called. */
#include "pruner.h"

extern adze_status function_that_nobody_has(void);
static adze_status call_it(void* self, adze_call* call) {
  (void)self;
  (void)call;
  return function_that_nobody_has();
}
static const adze_pruner calling = {.struct_size = sizeof calling, .prune = call_it};
static const adze_component component = {.struct_size = sizeof component,
                                         .id = "org.example.undefined",
                                         .doc = "Changes nothing.",
                                         .pruner = &calling};
static const adze_component* const components[] = {&component};
static const adze_plugin plugin = {
    sizeof plugin, ADZE_ABI_MINOR, 0,         1, "org.example.undefined", "1.0.0",
    "Example",     "Apache-2.0",   components};
const adze_plugin* adze_plugin_v1(void) {
  (void)pruner;
  return &plugin;
}
