/* Everything stable. A plugin may include just the header of its kind and the extensions it asks
 * for. */
#ifndef ADZE_ADZE_H
#define ADZE_ADZE_H

#include "backend.h"
#include "ext/calibration.h"
#include "ext/onnx_bytes.h"
#include "pruner.h"
#include "quantizer.h"

#endif
