/* A pruner that costs nothing itself: what remains is the price of its worker. */
#include <adze/pruner.h>
#include <stdlib.h>
#include <string.h>

static const adze_param params[] = {
    {sizeof(adze_param), ADZE_I64, 0, "round_trips", "Questions to the host.", 0, 0, 1e9, NULL,
     NULL},
    {sizeof(adze_param), ADZE_FLAG, 0, "masks", "Give a mask for each constant.", 0, 0, 0, NULL,
     NULL},
};

static uint64_t count_of(const adze_tensor* tensor) {
  uint64_t count = 1;
  for (int32_t axis = 0; axis < tensor->ndim; ++axis) count *= (uint64_t)tensor->shape[axis];
  return count;
}

static adze_status prune(void* self, adze_call* call) {
  (void)self;
  for (int64_t i = 0; i < call->arguments[0]->i64[0]; ++i) call->edit->mark(call);
  for (uint32_t v = 0; call->arguments[1]->i64[0] && v < call->graph->value_count; ++v) {
    const adze_tensor* constant = call->graph->values[v]->constant;
    if (!constant) continue;
    uint8_t* keep = malloc(count_of(constant));
    if (!keep) return ADZE_RESOURCE_EXHAUSTED;
    memset(keep, 1, count_of(constant));
    const adze_status status = call->edit->set_mask(call, v, keep, count_of(constant));
    free(keep);
    if (status) return status;
  }
  return ADZE_OK;
}

static const adze_pruner pruner = {sizeof pruner, 0, prune};
static const adze_component component = {sizeof component,
                                         ADZE_DETERMINISTIC,
                                         "org.example.trivial",
                                         "Does next to nothing.",
                                         2,
                                         params,
                                         NULL,
                                         NULL,
                                         NULL,
                                         NULL,
                                         &pruner,
                                         NULL,
                                         NULL};
static const adze_component* const components[] = {&component};
static const adze_plugin plugin = {
    sizeof plugin, ADZE_ABI_MINOR, 0,         1, "org.example.trivial", "1.0.0",
    "Example",     "Apache-2.0",   components};

const adze_plugin* adze_plugin_v1(void) { return &plugin; }
