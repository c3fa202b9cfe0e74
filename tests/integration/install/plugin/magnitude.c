/* Prunes the smallest weights of every node it may change: a pruner as a third party writes it. */
#include <adze/pruner.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const adze_param params[] = {{.struct_size = sizeof(adze_param),
                                     .type = ADZE_F64,
                                     .name = "sparsity",
                                     .doc = "Share of weights to prune.",
                                     .default_number = 0.7,
                                     .max = 1.0}};

static int ascending(const void* a, const void* b) {
  const float x = *(const float*)a, y = *(const float*)b;
  return (x > y) - (x < y);
}

static adze_status prune_weight(adze_call* call, uint32_t value, const adze_tensor* weight) {
  size_t count = 1;
  for (int32_t axis = 0; axis < weight->ndim; ++axis) count *= (size_t)weight->shape[axis];
  const float* w = weight->data;
  float* magnitude = malloc(count * sizeof *magnitude + 1);
  uint8_t* keep = malloc(count + 1);
  adze_status status = ADZE_OK;
  if (!magnitude || !keep) {
    status = call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "out of memory");
  } else if (count) {
    for (size_t i = 0; i < count; ++i) magnitude[i] = fabsf(w[i]);
    qsort(magnitude, count, sizeof *magnitude, ascending);
    const size_t pruned = (size_t)(call->arguments[0]->f64[0] * (double)count);
    const float cut = pruned ? magnitude[pruned - 1] : -1.0f;
    for (size_t i = 0; i < count; ++i) keep[i] = fabsf(w[i]) > cut;
    status = call->edit->set_mask(call, value, keep, count);
  }
  free(magnitude);
  free(keep);
  return status;
}

static adze_status prune(void* self, adze_call* call) {
  (void)self;
  const adze_graph* graph = call->graph;
  for (uint32_t t = 0; t < graph->target_count; ++t) {
    const adze_node* node = graph->nodes[graph->targets[t]];
    const adze_tensor* weight = graph->values[node->inputs[1]]->constant;
    if (!weight || weight->code != ADZE_FLOAT || weight->bits != 32) continue;
    const adze_status status = prune_weight(call, node->inputs[1], weight);
    if (status != ADZE_OK) return status;
    if (call->host->progress(call, (t + 1.0) / graph->target_count, node->name))
      return ADZE_CANCELLED;
  }
  return ADZE_OK;
}

static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
static const adze_component component = {.struct_size = sizeof component,
                                         .flags = ADZE_DETERMINISTIC,
                                         .id = "org.example.magnitude",
                                         .doc = "Prunes the smallest weights of each tensor.",
                                         .params = params,
                                         .param_count = sizeof params / sizeof *params,
                                         .pruner = &pruner};
static const adze_component* const components[] = {&component};
static const adze_plugin plugin = {
    sizeof plugin, ADZE_ABI_MINOR, 0,         1, "org.example.magnitude", "1.0.0",
    "Example",     "Apache-2.0",   components};
const adze_plugin* adze_plugin_v1(void) { return &plugin; }
