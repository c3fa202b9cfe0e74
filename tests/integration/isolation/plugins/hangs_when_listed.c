/* Its entry function does work, without end. */
#include <adze/plugin.h>

const adze_plugin* adze_plugin_v1(void) {
  for (volatile int forever = 1; forever;) {
  }
  return NULL;
}
