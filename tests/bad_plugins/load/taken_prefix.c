/* Calls itself one of Adze's own. (D03) */
#include "pruner.h"

static const adze_component component = {.struct_size = sizeof component,
                                         .id = "adze.prune.magnitude",
                                         .doc = "Changes nothing.",
                                         .pruner = &pruner};
static const adze_component* const components[] = {&component};
static const adze_plugin plugin = {
    sizeof plugin, ADZE_ABI_MINOR, 0,         1, "org.example.taken_prefix", "1.0.0",
    "Example",     "Apache-2.0",   components};
const adze_plugin* adze_plugin_v1(void) { return &plugin; }
