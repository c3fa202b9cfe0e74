/* A plugin as somebody may have built it with the headers of ABI 1.0: one component of each kind,
 * which between them use every struct and most functions. */
#include <adze/adze.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t count_of(const adze_tensor* tensor) {
  uint64_t count = 1;
  for (int32_t axis = 0; axis < tensor->ndim; ++axis) count *= (uint64_t)tensor->shape[axis];
  return count;
}

static const adze_tensor* weight_of(const adze_call* call, uint32_t target) {
  const adze_node* node = call->graph->nodes[call->graph->targets[target]];
  return call->graph->values[node->inputs[1]]->constant;
}

/* Drops what is smaller than the threshold. */
static adze_status prune(void* self, adze_call* call) {
  (void)self;
  const double threshold = call->arguments[0]->f64[0];
  call->host->log(call, ADZE_LOG_DEBUG, "pruning");
  for (uint32_t t = 0; t < call->graph->target_count; ++t) {
    const adze_tensor* weight = weight_of(call, t);
    const float* elements = weight->data;
    const uint64_t count = count_of(weight);
    uint8_t* keep = malloc(count);
    if (!keep) return call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "out of memory");
    for (uint64_t i = 0; i < count; ++i) keep[i] = fabs((double)elements[i]) >= threshold;
    const uint32_t value = call->graph->nodes[call->graph->targets[t]]->inputs[1];
    const adze_status status = call->edit->set_mask(call, value, keep, count);
    free(keep);
    if (status != ADZE_OK) return status;
    if (call->host->progress(call, 1.0, "pruning")) return ADZE_CANCELLED;
  }
  if (call->host->get_extension(call, "org.example.nobody-offers-this/1"))
    return call->host->fail(call, ADZE_INTERNAL, "an extension came out of nowhere");
  return ADZE_OK;
}

/* One scale for each weight; an edit tried and taken back before. */
static adze_status quantize(void* self, adze_call* call) {
  (void)self;
  for (uint32_t t = 0; t < call->graph->target_count; ++t) {
    const uint32_t value = call->graph->nodes[call->graph->targets[t]]->inputs[1];
    const float coarse = 1.0f, fine = 0.25f;
    adze_quant quant = {.struct_size = sizeof quant,
                        .axis = -1,
                        .code = ADZE_INT,
                        .bits = 8,
                        .count = 1,
                        .scale = &coarse};
    const uint64_t before = call->edit->mark(call);
    adze_status status = call->edit->set_quant(call, value, &quant);
    if (status == ADZE_OK) status = call->edit->rewind(call, before);
    quant.scale = &fine;
    if (status == ADZE_OK) status = call->edit->set_quant(call, value, &quant);
    if (status != ADZE_OK) return status;
  }
  return ADZE_OK;
}

/* A chain of Gemms with transB, without their biases. */
enum { LAYERS = 8, WIDTH = 16 };
typedef struct executable {
  uint32_t layers, input, output;
  int64_t rows[LAYERS], columns[LAYERS];
  float weights[LAYERS][WIDTH * WIDTH];
} executable;

static adze_status place(void* self, adze_call* call) {
  (void)self;
  for (uint32_t n = 0; n < call->graph->node_count; ++n) {
    const adze_status status = call->report->placement(call, n, ADZE_PLACED, "CPU", NULL);
    if (status != ADZE_OK) return status;
  }
  return ADZE_OK;
}

static adze_status estimate(void* self, adze_call* call, const adze_what_if* const* questions,
                            uint64_t count, double* out_latency_ms) {
  (void)self;
  (void)call;
  for (uint64_t i = 0; i < count; ++i) out_latency_ms[i] = 2 - questions[i]->sparsity;
  return ADZE_OK;
}

static adze_status compile(void* self, adze_call* call, const adze_compile* options,
                           void** out_executable) {
  (void)self;
  if (options->batch != 1 || call->graph->node_count > LAYERS)
    return call->host->fail(call, ADZE_UNIMPLEMENTED, "one sample and few layers only");
  executable* made = calloc(1, sizeof *made);
  if (!made) return call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "out of memory");
  made->layers = call->graph->node_count;
  made->input = call->graph->inputs[0];
  made->output = call->graph->outputs[0];
  for (uint32_t n = 0; n < made->layers; ++n) {
    const adze_tensor* weight = call->graph->values[call->graph->nodes[n]->inputs[1]]->constant;
    made->rows[n] = weight->shape[0];
    made->columns[n] = weight->shape[1];
    memcpy(made->weights[n], weight->data, count_of(weight) * sizeof(float));
  }
  *out_executable = made;
  return ADZE_OK;
}

static adze_status run(void* self, adze_call* call, const adze_tensor* const* inputs,
                       uint64_t count) {
  const executable* model = self;
  if (count != 1) return call->host->fail(call, ADZE_INVALID_ARGUMENT, "one input only");
  float from[WIDTH], to[WIDTH];
  memcpy(from, inputs[0]->data, count_of(inputs[0]) * sizeof(float));
  for (uint32_t n = 0; n < model->layers; ++n) {
    for (int64_t row = 0; row < model->rows[n]; ++row) {
      to[row] = 0;
      for (int64_t column = 0; column < model->columns[n]; ++column)
        to[row] += model->weights[n][row * model->columns[n] + column] * from[column];
    }
    memcpy(from, to, sizeof to);
  }
  const int64_t shape[2] = {1, model->rows[model->layers - 1]}, strides[2] = {shape[1], 1};
  const adze_tensor made = {.data = from,
                            .device_type = 1,
                            .ndim = 2,
                            .code = ADZE_FLOAT,
                            .bits = 32,
                            .lanes = 1,
                            .shape = shape,
                            .strides = strides};
  return call->report->output(call, model->output, &made);
}

static adze_status profile(void* self, adze_call* call) {
  const executable* model = self;
  for (uint32_t n = 0; n < model->layers; ++n) {
    const adze_profile_row row = {.struct_size = sizeof row,
                                  .source = ADZE_PREDICTED,
                                  .node_count = 1,
                                  .nodes = &n,
                                  .engine = "CPU",
                                  .latency_ms = 0.5};
    const adze_status status = call->report->profile(call, &row);
    if (status != ADZE_OK) return status;
  }
  return ADZE_OK;
}

static void release(void* self) { free(self); }

static const adze_param params[] = {{.struct_size = sizeof(adze_param),
                                     .type = ADZE_F64,
                                     .name = "threshold",
                                     .doc = "Weights below it are dropped.",
                                     .default_number = 2.5,
                                     .max = 1000}};
static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
static const adze_quantizer quantizer = {.struct_size = sizeof quantizer, .quantize = quantize};
static const adze_backend backend = {.struct_size = sizeof backend,
                                     .place = place,
                                     .estimate = estimate,
                                     .compile = compile,
                                     .run = run,
                                     .profile = profile,
                                     .release = release};
static const adze_component pruning = {.struct_size = sizeof pruning,
                                       .flags = ADZE_DETERMINISTIC,
                                       .id = "org.example.old.pruner",
                                       .doc = "Drops small weights.",
                                       .param_count = 1,
                                       .params = params,
                                       .pruner = &pruner};
static const adze_component quantizing = {.struct_size = sizeof quantizing,
                                          .flags = ADZE_DETERMINISTIC,
                                          .id = "org.example.old.quantizer",
                                          .doc = "One scale for each weight.",
                                          .quantizer = &quantizer};
static const adze_component running = {.struct_size = sizeof running,
                                       .flags = ADZE_DETERMINISTIC,
                                       .id = "org.example.old.backend",
                                       .doc = "Runs chains of Gemm.",
                                       .backend = &backend};
static const adze_component* const components[] = {&pruning, &quantizing, &running};
static const adze_plugin plugin = {.struct_size = sizeof plugin,
                                   .abi_minor = ADZE_ABI_MINOR,
                                   .required_minor = 0,
                                   .component_count = 3,
                                   .id = "org.example.old",
                                   .version = "1.0.0",
                                   .vendor = "Example",
                                   .license = "Apache-2.0",
                                   .components = components};
const adze_plugin* adze_plugin_v1(void) { return &plugin; }
