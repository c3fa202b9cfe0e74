/* Built for an ABI that comes after ours. */
__attribute__((visibility("default"))) const void* adze_plugin_v2(void);
const void* adze_plugin_v2(void) { return 0; }
