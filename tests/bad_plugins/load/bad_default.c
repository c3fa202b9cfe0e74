/* The default of a parameter is outside its own limits. (P02) */
#include "pruner.h"

static const adze_param params[] = {{.struct_size = sizeof(adze_param),
                                     .type = ADZE_F64,
                                     .name = "sparsity",
                                     .doc = "Share of weights to prune.",
                                     .default_number = 1.5,
                                     .max = 1.0}};
static const adze_component component = {.struct_size = sizeof component,
                                         .id = "org.example.bad_default",
                                         .doc = "Changes nothing.",
                                         .params = params,
                                         .param_count = 1,
                                         .pruner = &pruner};
static const adze_component* const components[] = {&component};
static const adze_plugin plugin = {
    sizeof plugin, ADZE_ABI_MINOR, 0,         1, "org.example.bad_default", "1.0.0",
    "Example",     "Apache-2.0",   components};
const adze_plugin* adze_plugin_v1(void) { return &plugin; }
