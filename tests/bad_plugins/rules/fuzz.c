/* F: a fault that only one number in seven shows. */
#include "plugin.h"

static adze_status prune(void* self, adze_call* call) {
  if (call->arguments[0]->i64[0] % 7 == 3) abort();
  return prune_half(self, call);
}

static const adze_param params[] = {{.struct_size = sizeof(adze_param),
                                     .type = ADZE_I64,
                                     .name = "rounds",
                                     .doc = "How often to look at the weights.",
                                     .default_number = 50,
                                     .max = 100}};
static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
PLUGIN(.pruner = &pruner, .params = params, .param_count = 1)
