/* Every struct of ABI 1.0 behind an exported function, for abidw and abidiff to find: they follow
 * what exported functions take. Built with -DADZE_TARGET_MINOR=0 -g and never run. */
#include <adze/adze.h>

#define WITNESS(type) \
  ADZE_EXPORT const type* witness_##type(const type* shown) { return shown; }

WITNESS(adze_tensor)
WITNESS(adze_property)
WITNESS(adze_quant)
WITNESS(adze_value)
WITNESS(adze_node)
WITNESS(adze_graph)
WITNESS(adze_target)
WITNESS(adze_edit)
WITNESS(adze_host)
WITNESS(adze_call)
WITNESS(adze_param)
WITNESS(adze_component)
WITNESS(adze_plugin)
WITNESS(adze_pruner)
WITNESS(adze_quantizer)
WITNESS(adze_profile_row)
WITNESS(adze_report)
WITNESS(adze_compile)
WITNESS(adze_what_if)
WITNESS(adze_backend)
WITNESS(adze_stat_request)
WITNESS(adze_stat)
WITNESS(adze_calibration)
WITNESS(adze_onnx_bytes)

static const adze_plugin plugin;
const adze_plugin* adze_plugin_v1(void) { return &plugin; }
