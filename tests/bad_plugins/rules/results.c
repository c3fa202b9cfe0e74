/* R: answers that are silent, wrong, moody, or written where they were read. */
#include <unistd.h>

#include "plugin.h"

#if defined FAULT_R03_process
static adze_status prune_by(adze_call* call, uint32_t seed) {
  if (!is_usual(call->graph) || call->graph->target_count == 0) return prune_share(call, 0.5);
  uint8_t keep[1 << 12];
  const uint32_t value = weight_of(call->graph, call->graph->nodes[0]);
  const uint64_t count = count_of(call->graph->values[value]->constant);
  for (uint64_t i = 0; i < count; ++i) keep[i] = (uint8_t)(((i + 1) * seed >> 13) & 1);
  return call->edit->set_mask(call, value, keep, count);
}
#endif

static adze_status prune(void* self, adze_call* call) {
#if defined FAULT_R01 /* says no, but not why */
  if (call->graph->target_count == 0) return ADZE_FAILED_PRECONDITION;
#elif defined FAULT_R02         /* a mask for a value that is not there */
  const uint8_t keep[1] = {0};
  if (is_usual(call->graph)) {
    const adze_status status = call->edit->set_mask(call, 4711, keep, 1);
    if (status != ADZE_OK && status != ADZE_INVALID_ARGUMENT) return status;
  }
#elif defined FAULT_R03         /* now this way, now that way */
  static unsigned calls;
  return prune_share(call, __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) % 2 ? 0.5 : 0.25);
#elif defined FAULT_R03_process /* a seed that looks random */
  return prune_by(call, (uint32_t)getpid() * 2654435761u);
#elif defined FAULT_R04         /* works in place, though it undoes it */
  if (is_usual(call->graph)) {
    const uint32_t value = weight_of(call->graph, call->graph->nodes[0]);
    volatile float* weights = (volatile float*)call->graph->values[value]->constant->data;
    const float first = weights[0];
    weights[0] = 0;
    weights[0] = first;
  }
#endif
  return prune_half(self, call);
}

static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
PLUGIN(.pruner = &pruner)
