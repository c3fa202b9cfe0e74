/* H: components that know one host only. */
#include "plugin.h"

/* A host as it may be after 1.0. */
struct later_host {
  adze_host known;
  const void* appended;
};

static adze_status create(adze_call* call, void** out_self) {
  (void)call;
#if defined FAULT_H04 /* one pointer was asked for */
  out_self[1] = NULL;
#endif
  out_self[0] = NULL;
  return ADZE_OK;
}

static adze_status prune(void* self, adze_call* call) {
  (void)self;
#if defined FAULT_H01 /* reads what came after 1.0 without asking whether it is there */
  const void* volatile appended = ((const struct later_host*)call->host)->appended;
  (void)appended;
#elif defined FAULT_H02 /* takes a newer host for a broken one */
  if (call->host->struct_size != sizeof(adze_host))
    return call->host->fail(call, ADZE_INTERNAL, "this host is not the one I know");
#elif defined FAULT_H03 /* not every recipe names a board type */
  if (strlen(call->target->board_type) == 0) return ADZE_OK;
#endif
  for (uint32_t i = 0; i < call->graph->target_count; ++i) {
    const uint32_t value = weight_of(call->graph, call->graph->nodes[call->graph->targets[i]]);
    if (value == ADZE_NONE) continue;
    const int32_t stop = call->host->progress(call, 0.5, "pruning");
#if !defined FAULT_H05 /* goes on when it is told to stop */
    if (stop) return ADZE_CANCELLED;
#else
    (void)stop;
#endif
    const adze_status status = mask_of(call, value, 0.5);
#if !defined FAULT_H06 /* does not look whether it worked */
    if (status != ADZE_OK) return status;
#else
    (void)status;
#endif
  }
  return ADZE_OK;
}

static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
PLUGIN(.pruner = &pruner, .create = create)
