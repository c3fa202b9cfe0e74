/* Built with the draft of ABI 1.1 and fit for hosts of NEEDS_MINOR: uses what 1.1 brings where the
 * host has it, and does without where it has not. */
#include <adze/pruner.h>

#ifndef NEEDS_MINOR
#define NEEDS_MINOR 0
#endif

/* Prunes the first weight; the second one when the host says how much memory there is. */
static adze_status prune(void* self, adze_call* call) {
  (void)self;
  const adze_node* node = call->graph->nodes[call->graph->targets[0]];
  const adze_tensor* weight = call->graph->values[node->inputs[1]]->constant;
  uint8_t keep[64];
  uint64_t count = 1;
  for (int32_t axis = 0; axis < weight->ndim; ++axis) count *= (uint64_t)weight->shape[axis];
  if (count > sizeof keep) return call->host->fail(call, ADZE_UNIMPLEMENTED, "small models only");
  for (uint64_t i = 0; i < count; ++i) keep[i] = 1;
  if (ADZE_HAS(call->host, adze_host, memory_budget))
    keep[call->host->memory_budget(call) > 1000 ? 1 : 0] = 0;
  else
    keep[0] = 0;
  call->host->log(call, ADZE_LOG_TRACE, "a level that a host of 1.0 does not know");
  return call->edit->set_mask(call, node->inputs[1], keep, count);
}

static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
static const adze_component pruning = {.struct_size = sizeof pruning,
                                       .flags = ADZE_DETERMINISTIC,
                                       .id = "org.example.newer.pruner",
                                       .doc = "Prunes one weight.",
                                       .pruner = &pruner,
                                       .working_set_bytes = 4096};
static const adze_component* const components[] = {&pruning};
static const adze_plugin plugin = {.struct_size = sizeof plugin,
                                   .abi_minor = ADZE_ABI_MINOR,
                                   .required_minor = NEEDS_MINOR,
                                   .component_count = 1,
                                   .id = "org.example.newer",
                                   .version = "1.0.0",
                                   .vendor = "Example",
                                   .license = "Apache-2.0",
                                   .components = components};
const adze_plugin* adze_plugin_v1(void) { return &plugin; }
