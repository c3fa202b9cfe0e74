/* P: parameters that contradict themselves. */
#include "plugin.h"

static adze_status prune(void* self, adze_call* call) {
#if defined FAULT_P04 /* its own limit is too much for it */
  if (call->arguments[0]->f64[0] == 1.0) abort();
#elif defined FAULT_P04_defaults /* works for nobody */
  abort();
#elif defined FAULT_P04_refuses
  return call->host->fail(call, ADZE_INTERNAL, "I do not feel like it");
#elif defined FAULT_P04_hang
  for (volatile int forever = 1; forever;) continue;
#endif
  return prune_half(self, call);
}

static const char* const choices[] = {"fast", "exact", NULL};
static const adze_param params[] = {
#if defined FAULT_P01 /* the same name twice */
    {.struct_size = sizeof(adze_param), .type = ADZE_FLAG, .name = "fast", .doc = "Hurry."},
    {.struct_size = sizeof(adze_param), .type = ADZE_FLAG, .name = "fast", .doc = "Hurry more."},
#elif defined FAULT_P02 /* the default is outside the limits */
    {.struct_size = sizeof(adze_param),
     .type = ADZE_F64,
     .name = "strength",
     .doc = "Share of weights to prune.",
     .default_number = 1.5,
     .max = 1.0},
#elif defined FAULT_P03 /* the default is none of the choices */
    {.struct_size = sizeof(adze_param),
     .type = ADZE_TEXT,
     .name = "method",
     .doc = "How to prune.",
     .default_text = "slow",
     .choices = choices},
#elif defined FAULT_P04 || defined FAULT_P04_defaults || defined FAULT_P04_hang || \
    defined FAULT_P04_refuses
    {.struct_size = sizeof(adze_param),
     .type = ADZE_F64,
     .name = "strength",
     .doc = "Share of weights to prune.",
     .default_number = 0.5,
     .max = 1.0},
#elif defined FAULT_P05 /* what is it? */
    {.struct_size = sizeof(adze_param), .type = ADZE_FLAG, .name = "fast", .doc = ""},
#endif
};
static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
COMPONENT(.pruner = &pruner, .params = params, .param_count = sizeof params / sizeof *params);
DESCRIPTOR;
const adze_plugin* adze_plugin_v1(void) {
  (void)choices;
  return &plugin;
}
