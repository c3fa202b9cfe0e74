/* Prunes every target by magnitude to the one sparsity, found by bisection, at which the outputs
 * are still as good as asked: adze.evaluate/1 scores each try, adze.parallel/1 makes its masks. */
#include <adze/adze.h>
#include <adze/ext/draft/evaluate.h>
#include <adze/ext/draft/parallel.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SQNR_DB, STEPS };

struct layer {
  uint32_t value;
  uint64_t count;
  const float* weights;
  float* sorted; /* |weights|, ascending */
  uint8_t* keep;
};

struct work {
  struct layer* layers;
  double sparsity;
};

static int ascending(const void* a, const void* b) {
  const float x = *(const float*)a, y = *(const float*)b;
  return (x > y) - (x < y);
}

static void sort_layer(void* user, uint64_t index) {
  struct layer* layer = &((struct work*)user)->layers[index];
  for (uint64_t i = 0; i < layer->count; ++i) layer->sorted[i] = fabsf(layer->weights[i]);
  qsort(layer->sorted, layer->count, sizeof(float), ascending);
}

static void make_mask(void* user, uint64_t index) {
  const struct work* work = (const struct work*)user;
  const struct layer* layer = &work->layers[index];
  const uint64_t pruned = (uint64_t)(work->sparsity * (double)layer->count);
  const float cut = pruned ? layer->sorted[pruned - 1] : -1.0f;
  for (uint64_t i = 0; i < layer->count; ++i) layer->keep[i] = fabsf(layer->weights[i]) > cut;
}

static adze_status prune_to(adze_call* call, const adze_parallel* parallel, struct work* work,
                            double sparsity) {
  work->sparsity = sparsity;
  adze_status status = parallel->for_each(call, call->graph->target_count, make_mask, work);
  for (uint32_t t = 0; status == ADZE_OK && t < call->graph->target_count; ++t)
    status = call->edit->set_mask(call, work->layers[t].value, work->layers[t].keep,
                                  work->layers[t].count);
  return status;
}

static adze_status search(adze_call* call, struct work* work) {
  const adze_parallel* parallel = call->host->get_extension(call, ADZE_PARALLEL);
  const adze_evaluate* evaluate = call->host->get_extension(call, ADZE_EVALUATE);
  adze_status status = parallel->for_each(call, call->graph->target_count, sort_layer, work);
  double low = 0, high = 1;
  for (int64_t step = 0; status == ADZE_OK && step < call->arguments[STEPS]->i64[0]; ++step) {
    const double middle = (low + high) / 2;
    const uint64_t before = call->edit->mark(call);
    double sqnr_db = 0;
    status = prune_to(call, parallel, work, middle);
    if (status == ADZE_OK) status = evaluate->score(call, ADZE_SCORE_SQNR_DB, 64, &sqnr_db);
    if (status == ADZE_OK) status = call->edit->rewind(call, before);
    if (sqnr_db >= call->arguments[SQNR_DB]->f64[0])
      low = middle;
    else
      high = middle;
  }
  if (status == ADZE_OK) status = prune_to(call, parallel, work, low);
  double sqnr_db = 0, task = 0;
  char text[120];
  if (status == ADZE_OK) status = evaluate->score(call, ADZE_SCORE_SQNR_DB, 0, &sqnr_db);
  if (status != ADZE_OK) return status;
  /* Without labels the pruner goes on: the text of the refusal is a warning then. */
  if (evaluate->score(call, ADZE_SCORE_TASK, 0, &task) == ADZE_OK)
    snprintf(text, sizeof text, "sparsity %.4f, %.1f dB, task %.3f on %u", low, sqnr_db, task,
             evaluate->sample_count);
  else
    snprintf(text, sizeof text, "sparsity %.4f, %.1f dB, no task score", low, sqnr_db);
  call->host->log(call, ADZE_LOG_WARNING, text);
  return ADZE_OK;
}

static adze_status prune(void* self, adze_call* call) {
  (void)self;
  const adze_graph* graph = call->graph;
  adze_status status = ADZE_OK;
  struct work work = {calloc(graph->target_count, sizeof(struct layer)), 0};
  if (!work.layers) return call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "out of memory");
  for (uint32_t t = 0; t < graph->target_count; ++t) {
    struct layer* layer = &work.layers[t];
    layer->value = graph->nodes[graph->targets[t]]->inputs[1];
    const adze_tensor* weights = graph->values[layer->value]->constant;
    layer->weights = weights->data;
    layer->count = 1;
    for (int32_t axis = 0; axis < weights->ndim; ++axis)
      layer->count *= (uint64_t)weights->shape[axis];
    layer->sorted = malloc(layer->count * sizeof(float));
    layer->keep = malloc(layer->count);
    if (!layer->sorted || !layer->keep)
      status = call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "out of memory");
  }
  if (status == ADZE_OK) status = search(call, &work);
  for (uint32_t t = 0; t < graph->target_count; ++t) {
    free(work.layers[t].sorted);
    free(work.layers[t].keep);
  }
  free(work.layers);
  return status;
}

static const adze_param params[] = {
    [SQNR_DB] = {.struct_size = sizeof(adze_param),
                 .type = ADZE_F64,
                 .name = "sqnr_db",
                 .doc = "How good the outputs must stay, in decibels.",
                 .default_number = 15,
                 .min = 0,
                 .max = 200},
    [STEPS] = {.struct_size = sizeof(adze_param),
               .type = ADZE_I64,
               .name = "steps",
               .doc = "Sparsities to try.",
               .default_number = 6,
               .min = 1,
               .max = 30}};
static const char* const needs[] = {ADZE_EVALUATE, ADZE_PARALLEL, NULL};
static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
static const adze_component component = {.struct_size = sizeof component,
                                         .flags = ADZE_DETERMINISTIC,
                                         .id = "org.example.search",
                                         .doc = "Prunes as far as the outputs stay good.",
                                         .param_count = 2,
                                         .params = params,
                                         .needs = needs,
                                         .pruner = &pruner};
static const adze_component* const components[] = {&component};
static const adze_plugin plugin = {.struct_size = sizeof plugin,
                                   .abi_minor = ADZE_ABI_MINOR,
                                   .component_count = 1,
                                   .id = "org.example.search",
                                   .version = "1.0.0",
                                   .vendor = "Example",
                                   .license = "Apache-2.0",
                                   .components = components};

const adze_plugin* adze_plugin_v1(void) { return &plugin; }
