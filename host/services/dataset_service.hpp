// adze.dataset/1: batches of samples for components that train.
#pragma once

#include <adze/ext/draft/dataset.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "host/abi/call.hpp"
#include "host/dataset/augment.hpp"
#include "host/dataset/dataset.hpp"
#include "host/evaluate/runner.hpp"

namespace adze::host {

/// Serves one call. The order of an epoch follows from the call's seed and the epoch alone. While a
/// component works on a batch, the one after it is loaded on a thread of the service.
class DatasetService : public Service {
 public:
  /// `train` and `held_out`: indices into `samples`, which must outlive the service and allow
  /// batch() on several threads. `inputs`: what `samples` was opened for. `reference`: makes the
  /// runner of the model that is imitated, called when that is first asked for; empty: not offered.
  /// `augmentation`: what training samples become, another in each epoch; held-out ones stay.
  /// Errors: INVALID_ARGUMENT for an augmentation of inputs that are not one image.
  DatasetService(const Dataset& samples, std::vector<std::int64_t> train,
                 std::vector<std::int64_t> held_out, std::span<const InputSpec> inputs,
                 std::function<std::unique_ptr<Runner>()> reference = {},
                 const Augmentation& augmentation = {});
  ~DatasetService() override;
  const char* id() const override { return ADZE_DATASET; }
  const void* table() const override;

  /// Valid until the next batch. Errors: UNIMPLEMENTED for an unknown split; INVALID_ARGUMENT for a
  /// batch of 0; OUT_OF_RANGE past the end; RESOURCE_EXHAUSTED for a batch of more than 2 GiB;
  /// those of the dataset.
  const adze_batch* batch(std::uint64_t seed, std::uint32_t split, std::uint32_t batch_size,
                          std::uint64_t epoch, std::uint64_t index);
  /// For the samples of the last batch, valid until the next. Errors: FAILED_PRECONDITION before a
  /// batch; those of the runner.
  std::span<const adze_tensor* const> reference();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace adze::host
