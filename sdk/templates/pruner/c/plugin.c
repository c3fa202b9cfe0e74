/* @ID@: prunes the weights of each layer that are closest to zero. */
#include <adze/pruner.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const adze_param params[] = { /* what a recipe may set; the host checks it */
    {.struct_size = sizeof(adze_param), .type = ADZE_F64, .name = "sparsity", .default_number = 0.7,
     .max = 1.0, .doc = "Share of each layer's weights to prune, 0 to 1."}};
static float magnitude(float weight) { return isnan(weight) ? INFINITY : fabsf(weight); }
static int smaller_first(const void* a, const void* b) { /* ties by place: always the same mask */
  const float *x = *(const float* const*)a, *y = *(const float* const*)b;
  return magnitude(*x) < magnitude(*y) ? -1 : magnitude(*x) > magnitude(*y) ? 1 : x < y ? -1 : 1;
}

static adze_status prune_constant(adze_call* call, uint32_t value, const adze_tensor* tensor) {
  uint64_t count = 1;
  for (int32_t axis = 0; axis < tensor->ndim; ++axis) count *= (uint64_t)tensor->shape[axis];
  const float *elements = tensor->data, **order = malloc(count * sizeof *order + 1);
  uint8_t* keep = malloc(count + 1); /* a byte an element: 0 prunes it */
  adze_status status = ADZE_OK;
  if (order && keep) {
    const uint64_t pruned = (uint64_t)(call->arguments[0]->f64[0] * (double)count + 0.5);
    for (uint64_t i = 0; i < count; ++i) order[i] = elements + i;
    qsort(order, count, sizeof *order, smaller_first);
    for (uint64_t i = 0; i < count; ++i) keep[order[i] - elements] = i >= pruned;
    status = call->edit->set_mask(call, value, keep, count); /* copies the mask */
  } else status = call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "out of memory");
  free(order);
  free(keep);
  return status;
}

static adze_status prune(void* self, adze_call* call) {
  (void)self; /* what create() made, for components that keep something */
  const adze_graph* graph = call->graph;
  for (uint32_t t = 0; t < graph->target_count; ++t) { /* the nodes this stage may change */
    const adze_node* node = graph->nodes[graph->targets[t]];
    if (*node->domain || node->input_count < 2 || node->inputs[1] == ADZE_NONE) continue;
    if (strcmp(node->op, "Conv") && strcmp(node->op, "Gemm") && strcmp(node->op, "MatMul"))
      continue;
    const adze_value* value = graph->values[node->inputs[1]];
    const adze_tensor* weight = value->constant; /* NULL when it is computed */
    if (!weight || weight->code != ADZE_FLOAT || weight->bits != 32) continue;
    if (value->consumer_count > 1) continue; /* another node, which may not be ours, reads it too */
    const adze_status status = prune_constant(call, node->inputs[1], weight);
    if (status != ADZE_OK) return status; /* the host has recorded why */
    if (call->host->progress(call, (t + 1.0) / graph->target_count, node->name))
      return ADZE_CANCELLED; /* the user wants to stop */
  }
  return ADZE_OK;
}

static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
static const adze_component component = {
    .struct_size = sizeof component, .flags = ADZE_DETERMINISTIC, .id = "@ID@", .params = params,
    .doc = "Prunes the weights closest to zero.", .param_count = 1, .pruner = &pruner};
static const adze_plugin plugin = {sizeof plugin, ADZE_ABI_MINOR, 0, 1, "@ID@", "0.1.0", "@VENDOR@",
                                   "Apache-2.0", (const adze_component* const[]){&component}};
const adze_plugin* adze_plugin_v1(void) { return &plugin; } /* the one export */
