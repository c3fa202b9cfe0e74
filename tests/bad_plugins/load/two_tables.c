/* One component that says it is a pruner and a quantizer. (D05) */
#include "pruner.h"

static const adze_quantizer quantizer = {.struct_size = sizeof quantizer, .quantize = do_nothing};
static const adze_component component = {.struct_size = sizeof component,
                                         .id = "org.example.two_tables",
                                         .doc = "Changes nothing.",
                                         .pruner = &pruner,
                                         .quantizer = &quantizer};
static const adze_component* const components[] = {&component};
static const adze_plugin plugin = {
    sizeof plugin, ADZE_ABI_MINOR, 0,         1, "org.example.two_tables", "1.0.0",
    "Example",     "Apache-2.0",   components};
const adze_plugin* adze_plugin_v1(void) { return &plugin; }
