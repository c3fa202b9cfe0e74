/* The well-formed part of the plugins of this folder: a pruner that keeps every second weight. Each
 * file breaks the rules of one group, one at a time: FAULT_D05 and the like say which. */
#ifndef ADZE_TESTS_PLUGIN_H
#define ADZE_TESTS_PLUGIN_H

#include <adze/adze.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline uint64_t count_of(const adze_tensor* tensor) {
  uint64_t count = 1;
  for (int32_t axis = 0; axis < tensor->ndim; ++axis) count *= (uint64_t)tensor->shape[axis];
  return count;
}

/* Input 1 of a target node, when it is a constant of f32; else ADZE_NONE. */
static inline uint32_t weight_of(const adze_graph* graph, const adze_node* node) {
  if (node->input_count < 2 || node->inputs[1] == ADZE_NONE) return ADZE_NONE;
  const adze_tensor* weight = graph->values[node->inputs[1]]->constant;
  if (!weight || weight->code != ADZE_FLOAT || weight->bits != 32) return ADZE_NONE;
  return node->inputs[1];
}

/* The small CNN with its own weights, on which every component has to work. */
static inline int is_usual(const adze_graph* graph) {
  if (graph->node_count < 2 || strcmp(graph->nodes[0]->name, "first") != 0) return 0;
  const uint32_t weight = weight_of(graph, graph->nodes[0]);
  if (weight == ADZE_NONE) return 0;
  const float first = ((const float*)graph->values[weight]->constant->data)[0];
  return first != 0 && first > -1 && first < 1;
}

static inline adze_status mask_of(adze_call* call, uint32_t value, double share_kept) {
  const uint64_t count = count_of(call->graph->values[value]->constant);
  uint8_t* keep = (uint8_t*)malloc(count ? count : 1);
  if (!keep) return call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "out of memory");
  for (uint64_t i = 0; i < count; ++i) keep[i] = (double)(i * 37 % 100) < share_kept * 100;
  const adze_status status = call->edit->set_mask(call, value, keep, count);
  free(keep);
  return status;
}

static inline adze_status prune_share(adze_call* call, double share_kept) {
  for (uint32_t i = 0; i < call->graph->target_count; ++i) {
    const uint32_t value = weight_of(call->graph, call->graph->nodes[call->graph->targets[i]]);
    if (value == ADZE_NONE) continue;
    if (call->host->progress(call, 0.5, "pruning")) return ADZE_CANCELLED;
    const adze_status status = mask_of(call, value, share_kept);
    if (status != ADZE_OK) return status;
  }
  return ADZE_OK;
}

static inline adze_status prune_half(void* self, adze_call* call) {
  (void)self;
  return prune_share(call, 0.5);
}

/* PLUGIN(.pruner = &pruner): one component of these fields, and the entry that shows it. */
#define COMPONENT(...)                                                           \
  static const adze_component component = {.struct_size = sizeof component,      \
                                           .flags = ADZE_DETERMINISTIC,          \
                                           .id = "org.example.bad",              \
                                           .doc = "Prunes every second weight.", \
                                           __VA_ARGS__};                         \
  static const adze_component* const components[] = {&component}
#define DESCRIPTOR                                                                               \
  static const adze_plugin plugin = {sizeof plugin,     ADZE_ABI_MINOR, 0,         1,            \
                                     "org.example.bad", "1.0.0",        "Example", "Apache-2.0", \
                                     components}
#define PLUGIN(...)       \
  COMPONENT(__VA_ARGS__); \
  DESCRIPTOR;             \
  const adze_plugin* adze_plugin_v1(void) { return &plugin; }

#endif
