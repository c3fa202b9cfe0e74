/* Linked without the version script: `helper` is visible to everyone. (L03) */
#include "pruner.h"

__attribute__((visibility("default"))) int helper(void) { return 1; }

static const adze_component component = {.struct_size = sizeof component,
                                         .id = "org.example.extra_export",
                                         .doc = "Changes nothing.",
                                         .pruner = &pruner};
static const adze_component* const components[] = {&component};
static const adze_plugin plugin = {
    sizeof plugin, ADZE_ABI_MINOR, 0,         1, "org.example.extra_export", "1.0.0",
    "Example",     "Apache-2.0",   components};
const adze_plugin* adze_plugin_v1(void) { return &plugin; }
