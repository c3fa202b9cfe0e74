/* What a component is given: one adze_call per call, with the graph, its arguments, the target and
 * the host's functions. The host fills every struct of this header but adze_quant. */
#ifndef ADZE_HOST_H
#define ADZE_HOST_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adze_call adze_call;

/* Quantization of one value: q = round_half_even(x / scale) + zero_point, saturated to {code,
 * bits}. Since 1.0 */
typedef struct adze_quant {
  uint32_t struct_size, flags; /* flags: 0 */
  int32_t axis;       /* -1: one scale for the tensor; else one per index along this axis */
  uint8_t code, bits; /* ADZE_INT or ADZE_UINT; 2 to 16 bits */
  uint16_t reserved;
  uint64_t count;            /* scales: 1, or the size of the axis */
  const float* scale;        /* finite, > 0 */
  const int32_t* zero_point; /* NULL: all 0 */
} adze_quant;

enum { ADZE_VALUE_INPUT = 1, ADZE_VALUE_OUTPUT = 2 }; /* adze_value.flags: of the model */

/* One tensor of the model. Indices are dense, and valid for this call only; names last across
 * stages. Since 1.0 */
typedef struct adze_value {
  uint32_t struct_size, flags;
  int32_t rank;       /* -1: not known before the model runs */
  int32_t batch_axis; /* the axis that grows with the batch, which the shape shows as 1; -1: none */
  uint8_t code, bits; /* as the model stores it */
  uint16_t reserved;
  uint32_t producer; /* node, or ADZE_NONE for inputs and constants */
  uint64_t consumer_count;
  const char* name;     /* unique, not empty */
  const int64_t* shape; /* -1: depends on the data; symbolic sizes were settled before the call */
  const uint32_t* consumers;   /* nodes, ascending; a node whose subgraph reads the value counts */
  const adze_tensor* constant; /* NULL: computed. Row-major; f16, bf16 shown as f32 */
  const uint8_t* keep;         /* mask of earlier stages, a byte an element, 0 = pruned; or NULL */
  const adze_quant* quant;     /* NULL: none. QDQ pairs are shown here, never as nodes */
} adze_value;

/* One operator. Conv, ConvTranspose and Gemm always have a bias input that is a constant of their
 * own. Since 1.0 */
typedef struct adze_node {
  uint32_t struct_size, op_version; /* the opset in which this form of the operator came in */
  uint32_t input_count, output_count;
  const char *op, *domain, *name; /* "Conv", "" for ONNX's own; the name is unique and not empty */
  const uint32_t *inputs, *outputs; /* values; ADZE_NONE: optional and left out */
  uint64_t attribute_count;
  const adze_property* const* attributes; /* those the file gives, defaults filled in */
} adze_node;

/* The main graph, in topological order, functions inlined, frozen while the call runs. Since 1.0 */
typedef struct adze_graph {
  uint32_t struct_size, node_count, value_count, input_count, output_count, target_count;
  const adze_node* const* nodes;
  const adze_value* const* values;
  const uint32_t *inputs, *outputs; /* values, in the model's order */
  /* Nodes this stage may change, ascending. The host decides them from the recipe (include and
   * exclude lists, first and last layer, depthwise), the same way for every plugin. */
  const uint32_t* targets;
} adze_graph;

/* The board type the recipe names. Since 1.0 */
typedef struct adze_target {
  uint32_t struct_size, fact_count;
  const char* board_type; /* "rzv2h" */
  /* Its description, flattened and sorted: "clock.ai_mhz", "sparse.group", ... */
  const adze_property* const* facts;
} adze_target;

/* What pruners and quantizers hand back. Every edit speaks of the graph as shown, whatever came
 * before it. Each one is checked at once; a refused edit leaves the list as it was. The host
 * commits the list when the call returns ADZE_OK, all or nothing: constants, then masks, then
 * channels, then quantization; a second edit of one kind on one value replaces the first. [worker]
 * Since 1.0 */
typedef struct adze_edit {
  uint32_t struct_size, flags; /* flags: 0 */
  /* New contents for a constant; shape and type as shown (copy *value->constant and change `data`).
   * Finite, and exactly 0 where the mask of an earlier stage says 0: FAILED_PRECONDITION otherwise.
   * (R02) */
  adze_status (*set_constant)(adze_call*, uint32_t value, const adze_tensor* contents)
      ADZE_NOEXCEPT;
  /* keep[i] == 0 prunes element i of a constant, now and in every later stage. Masks add up: old
   * AND new. (R02) */
  adze_status (*set_mask)(adze_call*, uint32_t value, const uint8_t* keep, uint64_t count)
      ADZE_NOEXCEPT;
  /* Removes channels (ascending, distinct, not all) of a group of adze.structure/1 from all its
   * members; they and their shapes are still shown whole in this call. For pruners. (R02) */
  adze_status (*remove_channels)(adze_call*, uint32_t group, const uint32_t* channels,
                                 uint64_t count) ADZE_NOEXCEPT;
  /* Quantizes a value, constant or not; NULL undoes. A bias follows from its inputs: do not set it.
   * (R02, S02) */
  adze_status (*set_quant)(adze_call*, uint32_t value, const adze_quant* quant) ADZE_NOEXCEPT;
  /* Search: try = mark(); edits; ask adze.evaluate/1; rewind(try) forgets the edits made since. */
  uint64_t (*mark)(adze_call*) ADZE_NOEXCEPT;
  adze_status (*rewind)(adze_call*, uint64_t mark) ADZE_NOEXCEPT;
} adze_edit;

enum { ADZE_LOG_DEBUG = 0, ADZE_LOG_INFO = 1, ADZE_LOG_WARNING = 2, ADZE_LOG_ERROR = 3 };

/* Lives until the process exits. Since 1.0 */
typedef struct adze_host {
  uint32_t struct_size, abi_minor;
  void (*log)(adze_call*, int32_t level, const char* text) ADZE_NOEXCEPT; /* [any] */
  /* fraction in 0..1 of this call. Not 0: stop, clean up, return ADZE_CANCELLED within a second.
   * [any] (H05) */
  int32_t (*progress)(adze_call*, double fraction, const char* doing) ADZE_NOEXCEPT;
  /* Records why the call fails and returns `code`: `return host->fail(call, code, "...")`. The last
   * text wins over the host's own, which is kept as its cause. [any] (R01) */
  adze_status (*fail)(adze_call*, adze_status code, const char* text) ADZE_NOEXCEPT;
  /* "adze.calibration/1" -> const adze_calibration*, valid until the call returns; NULL: not
   * offered to this call. What the component lists in `needs` is never NULL. [worker] (C04) */
  /* clang-format off */
  const void* (*get_extension)(adze_call*, const char* id) ADZE_NOEXCEPT;
  /* clang-format on */
} adze_host;

/* One call of the host into a component. Since 1.0 */
struct adze_call {
  uint32_t struct_size;
  uint32_t threads; /* the most threads the component may keep busy; >= 1 */
  uint64_t seed;    /* the only source of randomness: same seed, same bytes (R03) */
  const adze_host* host;
  const adze_property* const* arguments; /* one for each adze_param, in order, checked */
  const adze_graph* graph;               /* NULL in create() */
  const adze_target* target;             /* NULL: the recipe names none */
  const adze_edit* edit;                 /* NULL but for pruners and quantizers */
  const struct adze_report* report;      /* backend.h; NULL but for backends */
  void* impl;                            /* the host's */
};

#ifdef __cplusplus
}
#endif
#endif
