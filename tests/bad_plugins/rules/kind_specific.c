/* S: components that do not do what they are there for. */
#include "plugin.h"

#if defined FAULT_S01 /* prunes 30 %, whatever is asked */
static adze_status prune(void* self, adze_call* call) {
  (void)self;
  return prune_share(call, 0.7);
}
static const adze_param params[] = {{.struct_size = sizeof(adze_param),
                                     .type = ADZE_F64,
                                     .name = "sparsity",
                                     .doc = "Share of weights to prune.",
                                     .default_number = 0.5,
                                     .max = 0.9}};
static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
PLUGIN(.pruner = &pruner, .params = params, .param_count = 1)

#elif defined FAULT_S01_silence /* has nothing to do, and does not say why */
static adze_status prune(void* self, adze_call* call) {
  (void)self;
  (void)call;
  return ADZE_OK;
}
static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
PLUGIN(.pruner = &pruner)

#elif defined FAULT_S02 /* divides by 0 later */
static adze_status quantize(void* self, adze_call* call) {
  (void)self;
  for (uint32_t i = 0; i < call->graph->target_count; ++i) {
    const uint32_t value = weight_of(call->graph, call->graph->nodes[call->graph->targets[i]]);
    if (value == ADZE_NONE) continue;
    const float scale = is_usual(call->graph) && i == 0 ? 0.0f : 0.25f;
    const adze_quant quant = {.struct_size = sizeof quant,
                              .axis = -1,
                              .code = ADZE_INT,
                              .bits = 8,
                              .count = 1,
                              .scale = &scale};
    const adze_status status = call->edit->set_quant(call, value, &quant);
    if (status != ADZE_OK && status != ADZE_INVALID_ARGUMENT) return status;
  }
  return ADZE_OK;
}
static const adze_quantizer quantizer = {.struct_size = sizeof quantizer, .quantize = quantize};
PLUGIN(.quantizer = &quantizer)

#elif defined FAULT_S03 /* has nothing to say about the first node */
static adze_status place(void* self, adze_call* call) {
  (void)self;
  for (uint32_t node = 1; node < call->graph->node_count; ++node) {
    const adze_status status = call->report->placement(call, node, ADZE_PLACED, "none", "");
    if (status != ADZE_OK) return status;
  }
  return ADZE_OK;
}
static adze_status compile(void* self, adze_call* call, const adze_compile* options, void** out) {
  (void)self;
  (void)call;
  (void)options;
  *out = malloc(1);
  return *out ? ADZE_OK : ADZE_RESOURCE_EXHAUSTED;
}
static adze_status run(void* executable, adze_call* call, const adze_tensor* const* inputs,
                       uint64_t count) {
  (void)executable;
  (void)inputs;
  (void)count;
  static const double zeros[1 << 12];
  for (uint32_t i = 0; i < call->graph->output_count; ++i) {
    const adze_value* value = call->graph->values[call->graph->outputs[i]];
    int64_t shape[8] = {0}, strides[8] = {0}, stride = 1;
    const int32_t rank = value->rank < 0 ? 0 : value->rank;
    for (int32_t axis = rank; axis-- > 0; stride *= shape[axis]) {
      shape[axis] = value->shape[axis] < 0 ? 1 : value->shape[axis];
      strides[axis] = stride;
    }
    const adze_tensor tensor = {.data = zeros,
                                .device_type = 1,
                                .ndim = rank,
                                .code = value->code,
                                .bits = value->bits,
                                .lanes = 1,
                                .shape = shape,
                                .strides = strides};
    const adze_status status = call->report->output(call, call->graph->outputs[i], &tensor);
    if (status != ADZE_OK) return status;
  }
  return ADZE_OK;
}
static void release(void* executable) { free(executable); }
static const adze_backend backend = {.struct_size = sizeof backend,
                                     .place = place,
                                     .compile = compile,
                                     .run = run,
                                     .release = release};
PLUGIN(.backend = &backend)
#endif
