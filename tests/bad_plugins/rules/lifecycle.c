/* C: instances that do not clean up, or know each other. */
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>

#include "plugin.h"

static _Thread_local int alive;
static void* kept;

static adze_status create(adze_call* call, void** out_self) {
  (void)call;
  void* made = malloc(64);
  if (!made) return ADZE_RESOURCE_EXHAUSTED;
#if defined FAULT_C02 /* counts on destroy(NULL), which is never called */
  memcpy(made, &kept, sizeof kept);
  kept = made;
  *out_self = NULL;
#else
  *out_self = made;
#endif
  ++alive;
  return ADZE_OK;
}

static void destroy(void* self) {
  --alive;
#if !defined FAULT_C01 /* forgets to free */
  free(self ? self : kept);
#else
  kept = self;
#endif
}

#if defined FAULT_C05
static void* linger(void* nothing) {
  sleep(3);
  return nothing;
}
#endif

static adze_status prune(void* self, adze_call* call) {
#if defined FAULT_C03 /* works only as the one instance there is */
  if (alive > 1) return call->host->fail(call, ADZE_INTERNAL, "there is another one");
#elif defined FAULT_C04         /* takes for granted what it did not list in `needs` */
  const adze_calibration* calibration = call->host->get_extension(call, ADZE_CALIBRATION);
  if (calibration->sample_count == 0) return ADZE_OK;
#elif defined FAULT_C05         /* a thread that nobody joins */
  pthread_t thread;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 256 << 10);
  if (pthread_create(&thread, &small, linger, NULL) == 0) pthread_detach(thread);
  pthread_attr_destroy(&small);
#elif defined FAULT_C05_process /* a process that nobody waits for */
  if (fork() == 0) _exit(0);
#elif defined FAULT_C05_memory
  kept = malloc(100);
#endif
  return prune_half(self, call);
}

static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
PLUGIN(.pruner = &pruner, .create = create, .destroy = destroy)
