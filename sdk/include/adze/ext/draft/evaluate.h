/* adze.evaluate/1: how good the model is with the edits made so far. Measured on held-out
 * calibration samples, never on the recipe's evaluation set, whose figure must stay unseen until
 * the end. Since 1.0 */
#ifndef ADZE_EXT_DRAFT_EVALUATE_H
#define ADZE_EXT_DRAFT_EVALUATE_H

#include "../../host.h"

#define ADZE_EVALUATE "adze.evaluate/1"

#ifdef __cplusplus
extern "C" {
#endif

/* Higher is better in all of them. */
enum {
  ADZE_SCORE_SQNR_DB = 1, /* outputs against those of the graph as shown; identical: 200 */
  ADZE_SCORE_TASK = 2     /* the recipe's metric; NOT_FOUND without labels or with a metric that
                             needs none */
};

typedef struct adze_evaluate {
  uint32_t struct_size, sample_count; /* held out: adze.calibration/1 never sees them */
  /* Of the first max_samples of them; 0: all. DATA_LOSS: the edits made an output NaN or infinite,
   * which a search may take as the worst of all. [worker] */
  adze_status (*score)(adze_call*, uint32_t kind, uint32_t max_samples, double* out_score)
      ADZE_NOEXCEPT;
} adze_evaluate;

#ifdef __cplusplus
}
#endif
#endif
