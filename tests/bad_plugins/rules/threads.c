/* T: components that know one thread only. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>

#include "plugin.h"

static adze_status prune(void* self, adze_call* call) {
#if defined FAULT_T01 /* the main thread or none */
  if (syscall(SYS_gettid) != getpid())
    return call->host->fail(call, ADZE_INTERNAL, "this is not the main thread");
#elif defined FAULT_T02 /* one after the other, please */
  static int busy;
  if (__atomic_exchange_n(&busy, 1, __ATOMIC_SEQ_CST))
    return call->host->fail(call, ADZE_INTERNAL, "I am busy");
  usleep(20 * 1000);
  const adze_status status = prune_half(self, call);
  __atomic_store_n(&busy, 0, __ATOMIC_SEQ_CST);
  return status;
#endif
  return prune_half(self, call);
}

static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune};
PLUGIN(.pruner = &pruner)
