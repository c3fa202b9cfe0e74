/* adze.latency/1: what a change would cost on the target, predicted, or measured when a board is
 * attached. Since 1.0 */
#ifndef ADZE_EXT_DRAFT_LATENCY_H
#define ADZE_EXT_DRAFT_LATENCY_H

#include "../../backend.h" /* adze_what_if */

#define ADZE_LATENCY "adze.latency/1"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adze_latency {
  uint32_t struct_size, source; /* ADZE_PREDICTED, ADZE_MEASURED */
  /* One answer a question; ask for all layers and levels at once, a board takes its time. Single
   * nodes do not add up to the model where engines hand over: ask for node ADZE_NONE too, which is
   * answered as shown and takes no change. Channels left: at most those the node has. [worker] */
  adze_status (*ask)(adze_call*, const adze_what_if* questions, uint64_t count,
                     double* out_latency_ms) ADZE_NOEXCEPT;
} adze_latency;

#ifdef __cplusplus
}
#endif
#endif
