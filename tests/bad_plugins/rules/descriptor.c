/* D: descriptors that say something impossible. */
#include "plugin.h"

static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune_half};

#if defined FAULT_D01 /* struct_size set by hand, and wrong */
static const adze_component component = {.struct_size = 16,
                                         .id = "org.example.small_struct",
                                         .doc = "Prunes every second weight.",
                                         .pruner = &pruner};
static const adze_component* const components[] = {&component};
DESCRIPTOR;
#elif defined FAULT_D02 /* requires more than it was built with */
COMPONENT(.pruner = &pruner);
static const adze_plugin plugin = {
    sizeof plugin, 0, 1, 1, "org.example.bad", "1.0.0", "Example", "Apache-2.0", components};
#elif defined FAULT_D03 /* calls itself one of Adze's own */
static const adze_component component = {.struct_size = sizeof component,
                                         .id = "adze.prune.magnitude",
                                         .doc = "Prunes every second weight.",
                                         .pruner = &pruner};
static const adze_component* const components[] = {&component};
DESCRIPTOR;
#elif defined FAULT_D04 /* "1" is no semantic version */
COMPONENT(.pruner = &pruner);
static const adze_plugin plugin = {
    sizeof plugin, ADZE_ABI_MINOR, 0,         1, "org.example.bad", "1",
    "Example",     "Apache-2.0",   components};
#elif defined FAULT_D05 /* a pruner and a quantizer at once */
static const adze_quantizer quantizer = {.struct_size = sizeof quantizer, .quantize = prune_half};
COMPONENT(.pruner = &pruner, .quantizer = &quantizer);
DESCRIPTOR;
#elif defined FAULT_D06 /* a pruner that cannot prune */
static const adze_pruner idle = {.struct_size = sizeof idle};
COMPONENT(.pruner = &idle);
DESCRIPTOR;
#endif

const adze_plugin* adze_plugin_v1(void) {
  (void)pruner;
  return &plugin;
}
