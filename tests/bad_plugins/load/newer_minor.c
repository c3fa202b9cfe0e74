/* Needs a host that does not exist yet. */
#include "pruner.h"

static const adze_component component = {.struct_size = sizeof component,
                                         .id = "org.example.newer_minor",
                                         .doc = "Changes nothing.",
                                         .pruner = &pruner};
static const adze_component* const components[] = {&component};
static const adze_plugin plugin = {
    sizeof plugin, ADZE_ABI_MINOR + 7, ADZE_ABI_MINOR + 7, 1,         "org.example.newer_minor",
    "1.0.0",       "Example",          "Apache-2.0",       components};
const adze_plugin* adze_plugin_v1(void) { return &plugin; }
