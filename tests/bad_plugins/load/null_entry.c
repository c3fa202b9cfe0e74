/* Its entry function returns nothing. (L04) */
#include <adze/plugin.h>

const adze_plugin* adze_plugin_v1(void) { return NULL; }
