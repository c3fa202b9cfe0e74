/* Says that it is an ONNX Runtime of another version, or nothing at all. */
#include <stddef.h>
#include <stdint.h>

#ifndef NO_ENTRY
static const void* get_api(uint32_t version) {
  (void)version;
  return NULL;
}

static const char* version(void) { return VERSION; }

static const struct {
  const void* (*get_api)(uint32_t);
  const char* (*version)(void);
} base = {get_api, version};

const void* OrtGetApiBase(void);
const void* OrtGetApiBase(void) { return &base; }
#else
int adze_nothing(void);
int adze_nothing(void) { return 0; }
#endif
