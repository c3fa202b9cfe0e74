/* adze.structure/1: the channels that can only leave together. Since 1.0 */
#ifndef ADZE_EXT_DRAFT_STRUCTURE_H
#define ADZE_EXT_DRAFT_STRUCTURE_H

#include "../../host.h"

#define ADZE_STRUCTURE "adze.structure/1"

#ifdef __cplusplus
extern "C" {
#endif

/* adze_member.role */
enum {
  ADZE_ROLE_PRODUCES = 1, /* computes the channels: output axis of a weight, a bias */
  ADZE_ROLE_CONSUMES = 2, /* reads them: input axis of a weight */
  ADZE_ROLE_PASSES = 3    /* one entry a channel: depthwise weight, slope, ... */
};

/* One axis of one constant. Channel c stands at indices[c * span .. c * span + span - 1] of it. */
typedef struct adze_member {
  uint32_t struct_size, role;
  uint32_t value, node;    /* the constant, and the node that uses it so */
  uint32_t axis, span;     /* span > 1 behind a Flatten: height x width entries a channel */
  const uint32_t* indices; /* channel_count * span */
} adze_member;

typedef struct adze_group {
  uint32_t struct_size, channel_count;
  uint32_t multiple; /* what is left should be a multiple of this on the target; 1: any */
  uint32_t member_count;
  const adze_member* const* members;
} adze_group;

typedef struct adze_structure {
  uint32_t struct_size, reserved;
  /* Groups of two channels or more that may leave; indices into *out name them in remove_channels.
   * They speak of the graph as shown, whatever was removed since. Channels that a node computes
   * which is no target, those of model inputs and outputs, and those that meet an operator the
   * analysis does not understand are in no group; nodes that only read or pass them need not be
   * targets. A convolution in groups loses whole ones: span > 1 then. In the order of the nodes
   * that compute them. [worker] */
  adze_status (*groups)(adze_call*, uint64_t* out_count, const adze_group* const** out)
      ADZE_NOEXCEPT;
} adze_structure;

#ifdef __cplusplus
}
#endif
#endif
