/* A pruner and a quantizer that load well and misbehave as the parameter `fault` says. */
#include <adze/pruner.h>
#include <adze/quantizer.h>
#include <math.h>
#include <string.h>

static const char* const prune_faults[] = {
    "none",        "silent",    "short_mask",     "nan",       "not_target", "no_constant",
    "wrong_shape", "cancelled", "no_such_status", "quantizes", "channels",   "ignores_refusal",
    "bad_rewind",  "revives",   "huge_shape",     NULL};
static const char* const quantize_faults[] = {"none",      "zero_scale",  "wrong_count", "no_scale",
                                              "bad_zero",  "bad_axis",    "bias",        "masks",
                                              "bad_flags", "many_scales", NULL};
static const adze_param prune_params[] = {{.struct_size = sizeof(adze_param),
                                           .type = ADZE_TEXT,
                                           .name = "fault",
                                           .doc = "What to do wrong.",
                                           .default_text = "none",
                                           .choices = prune_faults}};
static const adze_param quantize_params[] = {{.struct_size = sizeof(adze_param),
                                              .type = ADZE_TEXT,
                                              .name = "fault",
                                              .doc = "What to do wrong.",
                                              .default_text = "none",
                                              .choices = quantize_faults}};

enum { LARGEST = 4096 };

static int asked(const adze_call* call, const char* fault) {
  return strcmp(call->arguments[0]->text[0], fault) == 0;
}

static uint64_t count_of(const adze_tensor* tensor) {
  uint64_t count = 1;
  for (int32_t axis = 0; axis < tensor->ndim; ++axis) count *= (uint64_t)tensor->shape[axis];
  return count;
}

static adze_status prune(void* self, adze_call* call) {
  (void)self;
  const adze_graph* graph = call->graph;
  const adze_node* node = graph->nodes[graph->targets[0]];
  const uint32_t weight = node->inputs[1];
  const adze_tensor* shown = graph->values[weight]->constant;
  const uint64_t count = count_of(shown);
  uint8_t keep[LARGEST];
  memset(keep, 1, sizeof keep);
  keep[0] = 0;

  if (asked(call, "none")) return call->edit->set_mask(call, weight, keep, count);
  if (asked(call, "silent")) return ADZE_INTERNAL;
  if (asked(call, "no_such_status")) return 4711;
  if (asked(call, "cancelled")) return ADZE_CANCELLED;
  /* What was edited before the failure must be forgotten. */
  call->edit->set_mask(call, weight, keep, count);
  if (asked(call, "short_mask")) return call->edit->set_mask(call, weight, keep, count - 1);
  if (asked(call, "ignores_refusal")) {
    call->edit->set_mask(call, weight, keep, count - 1);
    return ADZE_OK;
  }
  if (asked(call, "no_constant")) return call->edit->set_mask(call, node->inputs[0], keep, count);
  if (asked(call, "channels")) {
    static const uint32_t all[] = {0, 1, 2};
    return call->edit->remove_channels(call, 0, all, 3);
  }
  if (asked(call, "bad_rewind")) return call->edit->rewind(call, 1000);
  if (asked(call, "not_target")) {
    const adze_node* last = graph->nodes[graph->node_count - 1];
    return call->edit->set_mask(call, last->inputs[1], keep,
                                count_of(graph->values[last->inputs[1]]->constant));
  }
  if (asked(call, "quantizes")) {
    const float scale = 1;
    const adze_quant quant = {.struct_size = sizeof quant,
                              .axis = -1,
                              .code = ADZE_INT,
                              .bits = 8,
                              .count = 1,
                              .scale = &scale};
    return call->edit->set_quant(call, weight, &quant);
  }
  float contents[LARGEST] = {0};
  contents[count - 1] = asked(call, "nan") ? NAN : 1.0f;
  adze_tensor made = *shown;
  made.data = contents;
  const int64_t huge[2] = {(int64_t)1 << 30, 2}; /* far more than `contents` has */
  if (asked(call, "huge_shape")) made.shape = huge;
  if (asked(call, "wrong_shape")) made.ndim = 1, made.strides += 1;
  return call->edit->set_constant(call, weight, &made);
}

static adze_status quantize(void* self, adze_call* call) {
  (void)self;
  const adze_node* node = call->graph->nodes[call->graph->targets[0]];
  uint32_t value = node->inputs[1];
  const float scales[2] = {asked(call, "zero_scale") ? 0.0f : 0.5f, 0.5f};
  const int32_t zero = asked(call, "bad_zero") ? 500 : 0;
  adze_quant quant = {.struct_size = sizeof quant,
                      .axis = -1,
                      .code = ADZE_INT,
                      .bits = 8,
                      .count = 1,
                      .scale = scales,
                      .zero_point = &zero};
  if (asked(call, "wrong_count")) quant.count = 2, quant.zero_point = NULL;
  if (asked(call, "many_scales")) quant.count = (uint64_t)1 << 31, quant.zero_point = NULL;
  if (asked(call, "no_scale")) quant.scale = NULL;
  if (asked(call, "bad_axis")) quant.axis = 9;
  if (asked(call, "bad_flags")) quant.flags = 64;
  if (asked(call, "bias")) value = node->inputs[2];
  if (asked(call, "masks")) {
    const uint8_t keep[LARGEST] = {0};
    return call->edit->set_mask(call, value, keep, count_of(call->graph->values[value]->constant));
  }
  return call->edit->set_quant(call, value, &quant);
}

static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
static const adze_quantizer quantizer = {.struct_size = sizeof quantizer, .quantize = quantize};
static const adze_component pruning = {.struct_size = sizeof pruning,
                                       .id = "org.example.bad.pruner",
                                       .doc = "Misbehaves as asked.",
                                       .params = prune_params,
                                       .param_count = 1,
                                       .pruner = &pruner};
static const adze_component quantizing = {.struct_size = sizeof quantizing,
                                          .id = "org.example.bad.quantizer",
                                          .doc = "Misbehaves as asked.",
                                          .params = quantize_params,
                                          .param_count = 1,
                                          .quantizer = &quantizer};
static const char* const needs[] = {"org.example.nobody-offers-this/1", NULL};
static const adze_component needing = {.struct_size = sizeof needing,
                                       .id = "org.example.bad.needing",
                                       .doc = "Cannot do without what no host has.",
                                       .needs = needs,
                                       .pruner = &pruner};
static const adze_component* const components[] = {&pruning, &quantizing, &needing};
static const adze_plugin plugin = {
    sizeof plugin, ADZE_ABI_MINOR, 0,         3, "org.example.bad.edits", "1.0.0",
    "Example",     "Apache-2.0",   components};
const adze_plugin* adze_plugin_v1(void) { return &plugin; }
