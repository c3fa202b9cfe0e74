/* adze.dataset/1: batches of samples for training: those of [train] in the recipe, or else those of
 * [calibration], and what the model made of them before any stage. Never the recipe's evaluation
 * set. Since 1.0 */
#ifndef ADZE_EXT_DRAFT_DATASET_H
#define ADZE_EXT_DRAFT_DATASET_H

#include "../../host.h"

#define ADZE_DATASET "adze.dataset/1"

#ifdef __cplusplus
extern "C" {
#endif

enum { ADZE_SPLIT_TRAIN = 0, ADZE_SPLIT_HELD_OUT = 1 };

typedef struct adze_batch {
  uint32_t struct_size, input_count;
  uint64_t sample_count; /* as asked, or fewer in the last batch of an epoch */
  /* The model's inputs, in order, `sample_count` along their batch_axis. */
  const adze_tensor* const* inputs;
  const adze_tensor* labels; /* i64[sample_count]; NULL: unlabeled */
} adze_batch;

typedef struct adze_dataset {
  uint32_t struct_size, labeled;
  uint64_t train_count, held_out_count;
  /* Batch `index` of an epoch: any order, the same samples each time for the same call->seed. Train
   * is shuffled anew each epoch, held-out never. OUT_OF_RANGE past the end. *out lives until the
   * next batch() or the end of the call; the next batches are loaded meanwhile when asked for in
   * order. [worker] */
  adze_status (*batch)(adze_call*, uint32_t split, uint32_t batch_size, uint64_t epoch,
                       uint64_t index, const adze_batch** out) ADZE_NOEXCEPT;
  /* The outputs, in the model's order, of the model as the recipe loaded it for the samples of the
   * last batch(): what a smaller one is to imitate. They live as the batch does, and cost one run
   * of that model the first time a sample is asked about. NULL: not offered. FAILED_PRECONDITION
   * before batch(). [worker] */
  adze_status (*reference)(adze_call*, uint32_t* out_count, const adze_tensor* const** out)
      ADZE_NOEXCEPT;
} adze_dataset;

#ifdef __cplusplus
}
#endif
#endif
