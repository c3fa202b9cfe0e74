/* G: components that take every graph for an ordinary one. */
#include <math.h>

#include "plugin.h"

enum { MOST_NODES = 4096 };

#if defined FAULT_G05
/* Prunes whatever stands where weights use to be. */
static adze_status mask_any(adze_call* call, const adze_node* node) {
  if (node->input_count < 2 || node->inputs[1] == ADZE_NONE ||
      !call->graph->values[node->inputs[1]]->constant)
    return ADZE_OK;
  const adze_status status = mask_of(call, node->inputs[1], 0.5);
  return status == ADZE_INVALID_ARGUMENT ? ADZE_OK : status;
}
#endif

#if defined FAULT_G06
/* Hands NaN and infinity on. */
static adze_status scale(adze_call* call, uint32_t value) {
  const adze_tensor* shown = call->graph->values[value]->constant;
  const uint64_t count = count_of(shown);
  float* scaled = malloc((count ? count : 1) * sizeof *scaled);
  if (!scaled) return ADZE_RESOURCE_EXHAUSTED;
  for (uint64_t i = 0; i < count; ++i) scaled[i] = ((const float*)shown->data)[i] * 0.5f;
  adze_tensor made = *shown;
  made.data = scaled;
  const adze_status status = call->edit->set_constant(call, value, &made);
  free(scaled);
  return status;
}
#endif

static adze_status prune(void* self, adze_call* call) {
  const adze_graph* graph = call->graph;
#if defined FAULT_G01 /* there is always a first node, is there not? */
  if (graph->nodes[0]->op[0] == 0) return ADZE_OK;
#elif defined FAULT_G02 /* and one behind it */
  if (graph->node_count > 0 && strcmp(graph->nodes[0]->name, "only") == 0 &&
      graph->nodes[1]->op[0] == 0)
    return ADZE_OK;
#elif defined FAULT_G07 /* and never very many */
  if (graph->node_count > MOST_NODES) abort();
#endif
  for (uint32_t i = 0; i < graph->target_count; ++i) {
    const adze_node* node = graph->nodes[graph->targets[i]];
    const uint32_t value = weight_of(graph, node);
    (void)value;
#if defined FAULT_G03 /* one division by the number of channels */
    if (value != ADZE_NONE && graph->values[value]->rank > 0) {
      const int64_t channels = graph->values[value]->shape[0];
      if (channels == 0) abort();
    }
#elif defined FAULT_G04 /* knows two operators by heart */
    static const char* const known[] = {"Conv", "Gemm"};
    uint32_t which = 0;
    while (which < 2 && strcmp(known[which], node->op) != 0) ++which;
    if (which == 2 && strcmp(node->domain, "") != 0) abort();
#elif defined FAULT_G05
    const adze_status status = mask_any(call, node);
    if (status != ADZE_OK) return status;
#elif defined FAULT_G06
    const adze_status status = value == ADZE_NONE ? ADZE_OK : scale(call, value);
    if (status != ADZE_OK) return status;
#endif
  }
  return prune_half(self, call);
}

static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
PLUGIN(.pruner = &pruner)
