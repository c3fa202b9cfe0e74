/* A backend places, estimates, compiles, loads, runs and profiles a model. It hands everything back
 * through call->report, which copies; its own options are ordinary parameters. */
#ifndef ADZE_BACKEND_H
#define ADZE_BACKEND_H

#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ADZE_PREDICTED = 1, ADZE_MEASURED = 2 }; /* adze_profile_row.source */

/* Nodes that ran as one, and what they cost. Since 1.0 */
typedef struct adze_profile_row {
  uint32_t struct_size, source;
  uint64_t node_count; /* > 1: fused; 0: work that belongs to no node, such as a hand-over */
  const uint32_t* nodes;
  const char* engine; /* "DRP-AI", "CPU", ... */
  double latency_ms;
  uint64_t bytes; /* moved to and from memory; 0: not known */
} adze_profile_row;

enum { ADZE_PLACED = 1, ADZE_PLACED_WITH_LIMITS = 2, ADZE_REFUSED = 3 }; /* verdict */

/* What a backend hands back. [worker] Since 1.0 */
typedef struct adze_report {
  uint32_t struct_size, flags; /* flags: 0 */
  /* From place(): once a node. `reason` is for people and required unless PLACED. (S03) */
  adze_status (*placement)(adze_call*, uint32_t node, uint32_t verdict, const char* engine,
                           const char* reason) ADZE_NOEXCEPT;
  /* From compile(): an extra output that cannot be shown, for instance because it is fused away. */
  adze_status (*unavailable)(adze_call*, uint32_t value, const char* reason) ADZE_NOEXCEPT;
  /* From run(): one output, as soon as it exists and in any order; the buffer may be reused at
   * once. The model's type and layout; the batch in batch_axis; a shape that depends on the data is
   * first known here. */
  adze_status (*output)(adze_call*, uint32_t value, const adze_tensor* contents) ADZE_NOEXCEPT;
  /* From profile(): one row. */
  adze_status (*profile)(adze_call*, const adze_profile_row* row) ADZE_NOEXCEPT;
  /* From compile() or artifacts(): a finished file below work_dir that belongs into the bundle. */
  adze_status (*artifact)(adze_call*, const char* relative_path) ADZE_NOEXCEPT;
} adze_report;

/* Since 1.0 */
typedef struct adze_compile {
  uint32_t struct_size;
  uint32_t batch; /* samples in one run; >= 1 */
  uint64_t extra_output_count;
  const uint32_t* extra_outputs; /* values to report besides the model's outputs */
  const char* work_dir;          /* empty folder, writable, kept until the executable is released */
} adze_compile;

/* "What would it cost if": a question that names a node asks for that node's latency with the
 * change and the rest as shown; ADZE_NONE asks for the whole model's. Since 1.0 */
typedef struct adze_what_if {
  uint32_t struct_size, node;               /* ADZE_NONE: the whole model as shown */
  double sparsity;                          /* share of zero weights, 0..1 */
  uint32_t input_channels, output_channels; /* left; 0: as shown */
} adze_what_if;

/* Since 1.0. Slots marked (optional) may be NULL. */
typedef struct adze_backend {
  uint32_t struct_size, flags; /* flags: 0 */
  /* Where each node would run, and why not where hoped. No work beyond the graph. [worker] (S03) */
  adze_status (*place)(void* self, adze_call*) ADZE_NOEXCEPT;
  /* Predicted latency of each question, without compiling. (optional) [worker] (H04) */
  adze_status (*estimate)(void* self, adze_call*, const adze_what_if* const* questions,
                          uint64_t count, double* out_latency_ms) ADZE_NOEXCEPT;
  /* Makes an executable; it must not use the graph, nor self, after the call returns. [worker] */
  adze_status (*compile)(void* self, adze_call*, const adze_compile*, void** out_executable)
      ADZE_NOEXCEPT;
  /* Makes an executable from the files that artifacts() named, in `dir`, on another machine or at
   * another time. call->graph shows the inputs and outputs of the model and no nodes; run() reports
   * by these values, in the same order as when it was compiled, and profile() by the nodes of the
   * graph that was compiled. Anything may be wrong with the files: DATA_LOSS then. (optional)
   * [worker] */
  adze_status (*load)(void* self, adze_call*, const char* dir, void** out_executable) ADZE_NOEXCEPT;
  /* inputs: in the model's order, its types and layout. Reports every model output and every
   * available extra output once. call->graph is the one compile() or load() was shown. Executables
   * may run at the same time. [worker] (S03, T02) */
  adze_status (*run)(void* executable, adze_call*, const adze_tensor* const* inputs, uint64_t count)
      ADZE_NOEXCEPT;
  /* Rows of the last run, or predicted ones before the first. (optional) [worker] */
  adze_status (*profile)(void* executable, adze_call*) ADZE_NOEXCEPT;
  /* Files for the bundle. (optional) [worker] */
  adze_status (*artifacts)(void* executable, adze_call*) ADZE_NOEXCEPT;
  void (*release)(void* executable) ADZE_NOEXCEPT; /* [worker] */
} adze_backend;

#ifdef __cplusplus
}
#endif
#endif
