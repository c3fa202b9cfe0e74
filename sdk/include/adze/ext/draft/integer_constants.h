/* Quantized constants as integers, for components that hold models of many weights. Since 1.0 */
#ifndef ADZE_EXT_DRAFT_INTEGER_CONSTANTS_H
#define ADZE_EXT_DRAFT_INTEGER_CONSTANTS_H

#include "../../plugin.h"

/* adze_component.flags: adze_value.constant of a value with `quant` may be shown as what the file
 * stores, code and bits as in `quant`, instead of the floats (q - zero_point) * scale. A host that
 * does not know the flag, or holds only floats, shows floats: look at the tensor's code. The code
 * and bits of the value itself stay those of the floats. */
enum { ADZE_TAKES_INTEGER_CONSTANTS = 1 << 16 };

#endif
