/* adze.parallel/1: the host's threads, so that plugins bring none of their own. Since 1.0 */
#ifndef ADZE_EXT_DRAFT_PARALLEL_H
#define ADZE_EXT_DRAFT_PARALLEL_H

#include "../../host.h"

#define ADZE_PARALLEL "adze.parallel/1"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adze_parallel {
  uint32_t struct_size, flags; /* flags: 0 */
  /* body(user, i) for each i < count, on up to call->threads threads, in no order; returns when all
   * are done. body may call what is tagged [any] and nothing else, must not throw, and must not
   * nest (FAILED_PRECONDITION). Write results by index: then they do not depend on the number of
   * threads. CANCELLED: progress() said stop before all were started. [worker] */
  adze_status (*for_each)(adze_call*, uint64_t count, void (*body)(void* user, uint64_t index),
                          void* user) ADZE_NOEXCEPT;
} adze_parallel;

#ifdef __cplusplus
}
#endif
#endif
