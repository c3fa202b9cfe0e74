/* A plugin of one symbol, and of one more when asked. */
#include <adze/plugin.h>

static const adze_plugin plugin = {.struct_size = sizeof plugin};
const adze_plugin* adze_plugin_v1(void) { return &plugin; }

#ifdef ADZE_EXTRA_EXPORT
ADZE_EXPORT int helper(void);
int helper(void) { return 1; }
#endif
