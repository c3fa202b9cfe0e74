/* A shared library that is no plugin. (L02) */
int adze_plugin_v1_is_not_here(void);
int adze_plugin_v1_is_not_here(void) { return 0; }
