/* @ID@: runs models of elementwise operators on the CPU, in floats.
 *
 * The shape of every backend: place() says which nodes it takes and why not the others, compile()
 * makes an executable, run() runs it, release() drops it. Add kernels to `operators`, and what they
 * cannot do to why_not(). The table at the end has room for estimate, load, profile, artifacts. */
#include <adze/backend.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float relu(float a, float b) { return (void)b, a < 0 ? 0 : a; } /* NaN stays NaN */
static float negate(float a, float b) { return (void)b, -a; }
static float absolute(float a, float b) { return (void)b, fabsf(a); }
static float identity(float a, float b) { return (void)b, a; }
static float add(float a, float b) { return a + b; }
static float multiply(float a, float b) { return a * b; }

typedef struct {
  const char* op;
  uint32_t input_count;
  float (*compute)(float, float);
} elementwise;

static const elementwise operators[] = {{"Relu", 1, relu},         {"Neg", 1, negate},
                                        {"Abs", 1, absolute},      {"Identity", 1, identity},
                                        {"Add", 2, add},           {"Mul", 2, multiply}};

static const elementwise* find(const adze_node* node) {
  for (size_t i = 0; !*node->domain && i < sizeof operators / sizeof *operators; ++i)
    if (strcmp(operators[i].op, node->op) == 0 && operators[i].input_count == node->input_count)
      return &operators[i];
  return NULL;
}

static int same_shape(const adze_value* a, const adze_value* b) {
  if (a->rank < 0 || a->rank != b->rank || a->batch_axis != b->batch_axis) return 0;
  for (int32_t axis = 0; axis < a->rank; ++axis)
    if (a->shape[axis] < 0 || a->shape[axis] != b->shape[axis]) return 0;
  return 1;
}

/* Why this backend cannot run a node, for people; NULL: it can. */
static const char* why_not(const adze_graph* graph, const adze_node* node) {
  if (!find(node)) return "there is no kernel for this operator";
  const adze_value* output = graph->values[node->outputs[0]];
  for (uint32_t i = 0; i < node->input_count; ++i) {
    const adze_value* input = graph->values[node->inputs[i]];
    if (input->constant) return "operands that are constants are not supported";
    if (input->code != ADZE_FLOAT || input->bits != 32) return "only 32-bit floats are supported";
    if (input->quant || output->quant) return "quantized values are not supported";
    if (!same_shape(input, output)) return "operands must have one shape, known beforehand";
  }
  return NULL;
}

static adze_status place(void* self, adze_call* call) {
  (void)self; /* what create() made, for components that keep something */
  for (uint32_t n = 0; n < call->graph->node_count; ++n) {
    const char* reason = why_not(call->graph, call->graph->nodes[n]);
    const adze_status status = call->report->placement(
        call, n, reason ? ADZE_REFUSED : ADZE_PLACED, reason ? "" : "CPU", reason ? reason : "");
    if (status != ADZE_OK) return status;
  }
  return ADZE_OK;
}

typedef struct {
  const elementwise* kernel;
  uint32_t inputs[2], output; /* values of the graph that was compiled */
} step;

/* All that run() needs: it may not look at the graph of compile() again. */
typedef struct {
  uint32_t step_count, input_count, value_count;
  step* steps;
  uint32_t* inputs;
  uint8_t* reported; /* by value: report it? */
} executable;

static void release(void* self) {
  executable* made = self;
  free(made->steps);
  free(made->inputs);
  free(made->reported);
  free(made);
}

static adze_status refuse(adze_call* call, const adze_node* node, const char* reason) {
  char text[512];
  snprintf(text, sizeof text, "node '%.200s' (%.50s): %s", node->name, node->op, reason);
  return call->host->fail(call, ADZE_UNIMPLEMENTED, text);
}

static adze_status compile(void* self, adze_call* call, const adze_compile* options, void** out) {
  (void)self;
  const adze_graph* graph = call->graph;
  for (uint32_t n = 0; n < graph->node_count; ++n) {
    const char* reason = why_not(graph, graph->nodes[n]);
    if (reason) return refuse(call, graph->nodes[n], reason);
  }
  for (uint32_t i = 0; i < graph->output_count; ++i)
    if (graph->values[graph->outputs[i]]->constant)
      return call->host->fail(call, ADZE_UNIMPLEMENTED, "an output of the model is a constant");

  executable* made = calloc(1, sizeof *made);
  if (!made) return call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "out of memory");
  made->steps = calloc(graph->node_count + 1, sizeof *made->steps);
  made->inputs = calloc(graph->input_count + 1, sizeof *made->inputs);
  made->reported = calloc(graph->value_count + 1, 1);
  if (!made->steps || !made->inputs || !made->reported) {
    release(made);
    return call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "out of memory");
  }
  made->value_count = graph->value_count;
  for (uint32_t n = 0; n < graph->node_count; ++n) { /* topological order: ready to run */
    const adze_node* node = graph->nodes[n];
    const uint32_t last = node->inputs[node->input_count - 1];
    made->steps[made->step_count++] =
        (step){find(node), {node->inputs[0], last}, node->outputs[0]};
  }
  for (uint32_t i = 0; i < graph->input_count; ++i)
    made->inputs[made->input_count++] = graph->inputs[i];
  for (uint32_t i = 0; i < graph->output_count; ++i) made->reported[graph->outputs[i]] = 1;
  for (uint64_t i = 0; i < options->extra_output_count; ++i) { /* asked for by comparisons */
    const uint32_t value = options->extra_outputs[i];
    made->reported[value] = !graph->values[value]->constant;
    const adze_status status =
        made->reported[value] ? ADZE_OK : call->report->unavailable(call, value, "a constant");
    if (status != ADZE_OK) return release(made), status;
  }
  *out = made;
  return ADZE_OK;
}

/* Elementwise: the result has the shape of the first operand, whatever the batch. */
static float* compute(const step* current, const adze_tensor* a, const adze_tensor* b) {
  uint64_t count = 1;
  for (int32_t axis = 0; axis < a->ndim; ++axis) count *= (uint64_t)a->shape[axis];
  const float *x = a->data, *y = b->data;
  float* result = malloc(count * sizeof *result + 1);
  for (uint64_t i = 0; result && i < count; ++i) result[i] = current->kernel->compute(x[i], y[i]);
  return result;
}

static adze_status run(void* self, adze_call* call, const adze_tensor* const* inputs,
                       uint64_t count) {
  const executable* made = self;
  adze_tensor* tensors = calloc((size_t)made->value_count + 1, sizeof *tensors); /* by value */
  adze_status status = ADZE_OK;
  uint32_t done = 0;
  if (!tensors) return call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "out of memory");
  for (uint64_t i = 0; i < count && i < made->input_count; ++i)
    tensors[made->inputs[i]] = *inputs[i];
  for (; status == ADZE_OK && done < made->step_count; ++done) {
    const step* current = &made->steps[done];
    adze_tensor* output = &tensors[current->output];
    *output = tensors[current->inputs[0]];
    output->data = compute(current, &tensors[current->inputs[0]], &tensors[current->inputs[1]]);
    if (!output->data)
      status = call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "out of memory");
  }
  for (uint32_t value = 0; status == ADZE_OK && value < made->value_count; ++value)
    if (made->reported[value]) status = call->report->output(call, value, &tensors[value]);
  while (done > 0) free((void*)tensors[made->steps[--done].output].data);
  free(tensors);
  return status;
}

static const adze_backend backend = {.struct_size = sizeof backend, .place = place,
                                     .compile = compile, .run = run, .release = release};
static const adze_component component = {
    .struct_size = sizeof component, .flags = ADZE_DETERMINISTIC, .id = "@ID@",
    .doc = "Runs elementwise operators on the CPU.", .backend = &backend};
static const adze_plugin plugin = {sizeof plugin, ADZE_ABI_MINOR, 0, 1, "@ID@", "0.1.0", "@VENDOR@",
                                   "Apache-2.0", (const adze_component* const[]){&component}};
const adze_plugin* adze_plugin_v1(void) { return &plugin; } /* the one export */
