/* @ID@: INT8 from the ranges that calibration samples show.
 *
 * Quantizes the weights of Conv, Gemm and MatMul, and what flows into them. A quantizer does not
 * change numbers: it tells the host the grid of a value, and the host quantizes. */
#include <adze/ext/calibration.h>
#include <adze/quantizer.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const adze_param params[] = { /* what a recipe may set; the host checks it */
    {.struct_size = sizeof(adze_param), .type = ADZE_I64, .name = "bits", .default_number = 8,
     .min = 7, .max = 8, .doc = "Bits of the activations."}};

static const adze_node* target(const adze_graph* graph, uint32_t t) {
  return graph->nodes[graph->targets[t]];
}

static int is_f32(const adze_value* value) {
  return value->code == ADZE_FLOAT && value->bits == 32;
}

/* Does the node multiply f32 activations with a constant f32 weight? */
static int is_layer(const adze_graph* graph, const adze_node* node) {
  if (*node->domain || node->input_count < 2 || node->inputs[0] == ADZE_NONE ||
      node->inputs[1] == ADZE_NONE) return 0;
  if (strcmp(node->op, "Conv") && strcmp(node->op, "Gemm") && strcmp(node->op, "MatMul")) return 0;
  const adze_value* input = graph->values[node->inputs[0]];
  const adze_value* weight = graph->values[node->inputs[1]];
  return !input->constant && is_f32(input) && weight->constant && is_f32(weight);
}

/* Scales come out of divisions: a range of zeros must not give a scale of zero. */
static float scale_of(double bound, int levels) {
  const float scale = (float)(bound / levels);
  return scale > 0 ? scale : 1.0f;
}

/* One unsigned grid for a whole activation: from 0, or around the middle when it has negative
 * values. Boards compute fastest without any other zero point. */
static adze_status set_activation(adze_call* call, uint32_t value, const adze_stat* range) {
  const int bits = (int)call->arguments[0]->i64[0], has_negative = range->low < 0;
  const int levels = has_negative ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
  const float scale = scale_of(fmax(-range->low, range->high), levels);
  const int32_t zero_point = has_negative ? 1 << (bits - 1) : 0;
  const adze_quant quant = {.struct_size = sizeof quant, .axis = -1, .code = ADZE_UINT,
                            .bits = (uint8_t)bits, .count = 1, .scale = &scale,
                            .zero_point = &zero_point};
  return call->edit->set_quant(call, value, &quant);
}

static adze_status set_activations(adze_call* call, const adze_calibration* calibration) {
  const adze_graph* graph = call->graph;
  uint8_t* seen = calloc(graph->value_count + 1, 1); /* by value: several layers may read one */
  adze_stat_request* requests = calloc(graph->target_count + 1, sizeof *requests);
  const adze_stat** ranges = calloc(graph->target_count + 1, sizeof *ranges);
  adze_status status = ADZE_OK;
  uint64_t count = 0;
  if (!seen || !requests || !ranges)
    status = call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "out of memory");
  for (uint32_t t = 0; status == ADZE_OK && t < graph->target_count; ++t) {
    const adze_node* node = target(graph, t);
    if (!is_layer(graph, node) || seen[node->inputs[0]]++) continue;
    requests[count++] = (adze_stat_request){.struct_size = sizeof *requests, .node = ADZE_NONE,
                                            .kind = ADZE_STAT_HISTOGRAM, /* no bins: the range */
                                            .value = node->inputs[0]};
  }
  if (status == ADZE_OK && count > 0) /* one pass over the samples for all of them */
    status = calibration->collect(call, requests, count, ranges);
  for (uint64_t i = 0; status == ADZE_OK && i < count; ++i)
    status = set_activation(call, requests[i].value, ranges[i]);
  free(ranges);
  free(requests);
  free(seen);
  return status;
}

/* Records why the call fails, with the node it fails at. */
static adze_status fail_at(adze_call* call, const adze_node* node, const char* why) {
  char text[512];
  snprintf(text, sizeof text, "node '%.200s': %s", node->name, why);
  return call->host->fail(call, ADZE_FAILED_PRECONDITION, text);
}

/* One signed grid an output channel of a Conv, where channels lie one after the other; one for the
 * whole weight of a Gemm or MatMul. */
static adze_status set_weight(adze_call* call, const adze_node* node) {
  const adze_tensor* weight = call->graph->values[node->inputs[1]]->constant;
  const int by_channel = strcmp(node->op, "Conv") == 0;
  const float* elements = weight->data;
  uint64_t count = 1;
  for (int32_t axis = 0; axis < weight->ndim; ++axis) count *= (uint64_t)weight->shape[axis];
  if (count == 0) return ADZE_OK;
  const uint64_t channels = by_channel ? (uint64_t)weight->shape[0] : 1;
  float* scale = calloc(channels, sizeof *scale);
  if (!scale) return call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "out of memory");
  for (uint64_t i = 0; i < count; ++i) {
    float* bound = &scale[i / (count / channels)];
    *bound = isfinite(elements[i]) ? fmaxf(*bound, fabsf(elements[i])) : INFINITY;
  }
  for (uint64_t channel = 0; channel < channels; ++channel)
    if (isinf(scale[channel])) {
      free(scale);
      return fail_at(call, node, "weights are NaN or infinite");
    }
  for (uint64_t channel = 0; channel < channels; ++channel)
    scale[channel] = scale_of(scale[channel], 127);
  const adze_quant quant = {.struct_size = sizeof quant, .axis = by_channel ? 0 : -1,
                            .code = ADZE_INT, .bits = 8, .count = channels, .scale = scale};
  const adze_status status = call->edit->set_quant(call, node->inputs[1], &quant);
  free(scale);
  return status;
}

static adze_status quantize(void* self, adze_call* call) {
  (void)self; /* what create() made, for components that keep something */
  adze_status status = set_activations(call, call->host->get_extension(call, ADZE_CALIBRATION));
  for (uint32_t t = 0; status == ADZE_OK && t < call->graph->target_count; ++t) {
    const adze_node* node = target(call->graph, t);
    if (call->host->progress(call, (t + 1.0) / call->graph->target_count, node->name))
      return ADZE_CANCELLED;
    if (is_layer(call->graph, node)) status = set_weight(call, node);
  }
  return status;
}

static const char* const needs[] = {ADZE_CALIBRATION, NULL}; /* so it is never NULL above */
static const adze_quantizer quantizer = {.struct_size = sizeof quantizer, .quantize = quantize};
static const adze_component component = {
    .struct_size = sizeof component, .flags = ADZE_DETERMINISTIC, .id = "@ID@", .params = params,
    .doc = "INT8 from the ranges of the calibration samples.", .param_count = 1, .needs = needs,
    .quantizer = &quantizer};
static const adze_plugin plugin = {sizeof plugin, ADZE_ABI_MINOR, 0, 1, "@ID@", "0.1.0", "@VENDOR@",
                                   "Apache-2.0", (const adze_component* const[]){&component}};
const adze_plugin* adze_plugin_v1(void) { return &plugin; } /* the one export */
