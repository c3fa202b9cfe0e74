/* Uses a library that the loader does not find. */
#include <adze/plugin.h>

int function_of_a_missing_library(void);

const adze_plugin* adze_plugin_v1(void) {
  function_of_a_missing_library();
  return NULL;
}
