/* Its entry function crashes. */
#include <adze/plugin.h>
#include <stdlib.h>

const adze_plugin* adze_plugin_v1(void) { abort(); }
