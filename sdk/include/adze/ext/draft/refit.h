/* adze.refit/1: layers that stay dense, but may be corrected for what pruning the others costs.
 * Since 1.0 */
#ifndef ADZE_EXT_DRAFT_REFIT_H
#define ADZE_EXT_DRAFT_REFIT_H

#include "../../host.h"

#define ADZE_REFIT "adze.refit/1"

#ifdef __cplusplus
extern "C" {
#endif

/* Offered to pruners. Nodes: those that the host spares by itself (first convolution, depthwise
 * convolutions, last layer), not those that the recipe leaves out. set_constant() is allowed for
 * their constants, as long as no element becomes 0 that was not; set_mask() is not. (R02) */
typedef struct adze_refit {
  uint32_t struct_size, node_count;
  const uint32_t* nodes; /* ascending; none of them is in adze_graph.targets */
} adze_refit;

#ifdef __cplusplus
}
#endif
#endif
