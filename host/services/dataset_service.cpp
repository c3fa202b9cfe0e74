#include "host/services/dataset_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <optional>
#include <utility>

#include "host/abi/guard.hpp"
#include "host/base/error.hpp"

namespace adze::host {
namespace {

constexpr std::uint64_t kMaxBatchBytes = std::uint64_t{2} << 30;

struct Key {
  std::uint64_t seed;
  std::uint32_t split, batch_size;
  std::uint64_t epoch, index;
  bool operator==(const Key&) const = default;
};

/// A batch as the component holds it.
struct Held {
  std::vector<Tensor> inputs;
  Tensor labels;
  std::vector<Shape> strides;
  std::vector<adze_tensor> shown;
  std::vector<const adze_tensor*> pointers;
  adze_batch batch{};
};

/// Epochs of one seed must not repeat each other, nor those of the next seed.
std::uint64_t mixed(std::uint64_t seed, std::uint64_t epoch) {
  std::uint64_t x = seed + 0x9e3779b97f4a7c15u * (epoch + 1);  // splitmix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

std::uint64_t bytes_of(std::span<const InputSpec> inputs) {
  std::uint64_t bytes = 0;
  for (const InputSpec& input : inputs)
    bytes += static_cast<std::uint64_t>(element_count(input.shape)) * info(input.dtype).bits / 8;
  return std::max<std::uint64_t>(bytes, 1);
}

}  // namespace

struct DatasetService::Impl {
  const Dataset& samples;
  std::vector<std::int64_t> indices[2];  // by split
  std::uint64_t sample_bytes;
  adze_dataset table{};
  std::unique_ptr<Held> held;
  std::vector<std::int64_t> order;  // of the epoch that was asked for last
  std::optional<std::pair<std::uint64_t, std::uint64_t>> order_of;  // seed, epoch
  std::optional<Key> ahead_key;
  std::future<std::unique_ptr<Held>> ahead;  // joins when it is dropped

  std::uint64_t batches(std::uint32_t split, std::uint32_t batch_size) const {
    return (indices[split].size() + batch_size - 1) / batch_size;
  }

  /// The samples of a batch that exists.
  std::vector<std::int64_t> chosen(const Key& key) {
    const std::vector<std::int64_t>* from = &indices[key.split];
    if (key.split == ADZE_SPLIT_TRAIN) {
      const std::pair wanted(key.seed, key.epoch);
      if (order_of != wanted) {
        const auto count = static_cast<std::int64_t>(from->size());
        order = sample_indices(count, count, mixed(key.seed, key.epoch));
        for (std::int64_t& at : order) at = (*from)[static_cast<std::size_t>(at)];
        order_of = wanted;
      }
      from = &order;
    }
    const std::uint64_t first = key.index * key.batch_size;
    const std::uint64_t end = std::min<std::uint64_t>(first + key.batch_size, from->size());
    return {from->begin() + static_cast<std::ptrdiff_t>(first),
            from->begin() + static_cast<std::ptrdiff_t>(end)};
  }

  std::unique_ptr<Held> load(const std::vector<std::int64_t>& wanted) const {
    auto made = std::make_unique<Held>();
    made->inputs = samples.batch(wanted);
    std::vector<const Tensor*> tensors;
    for (const Tensor& input : made->inputs) tensors.push_back(&input);
    if (samples.has_labels()) {
      std::vector<std::int64_t> labels;
      for (const std::int64_t index : wanted) labels.push_back(samples.label(index));
      made->labels = Tensor(DType::i64, {static_cast<std::int64_t>(labels.size())},
                            std::span<const std::int64_t>(labels));
      tensors.push_back(&made->labels);
    }
    made->strides.resize(tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i)
      made->shown.push_back(view_of(*tensors[i], made->strides[i]));
    for (std::size_t i = 0; i < made->inputs.size(); ++i) made->pointers.push_back(&made->shown[i]);
    made->batch = {.struct_size = sizeof(adze_batch),
                   .input_count = static_cast<std::uint32_t>(made->pointers.size()),
                   .sample_count = wanted.size(),
                   .inputs = made->pointers.data(),
                   .labels = samples.has_labels() ? &made->shown.back() : nullptr};
    return made;
  }

  void load_ahead(Key key) {
    if (++key.index >= batches(key.split, key.batch_size)) {
      key.index = 0;
      if (key.split == ADZE_SPLIT_TRAIN) ++key.epoch;
    }
    ahead_key = key;
    ahead = std::async(std::launch::async, [this, wanted = chosen(key)] { return load(wanted); });
  }

  const adze_batch* batch(const Key& key) {
    if (key.split > ADZE_SPLIT_HELD_OUT)
      throw Error(ADZE_UNIMPLEMENTED,
                  fmt::format("adze_dataset.batch: there is no split {}", key.split));
    if (key.batch_size == 0)
      throw Error(ADZE_INVALID_ARGUMENT, "adze_dataset.batch: a batch has one sample or more");
    const std::uint64_t size = indices[key.split].size();
    if (key.index >= batches(key.split, key.batch_size))
      throw Error(ADZE_OUT_OF_RANGE,
                  fmt::format("adze_dataset.batch: there is no batch {} of {} in {} {} samples",
                              key.index, key.batch_size, size,
                              key.split == ADZE_SPLIT_TRAIN ? "training" : "held-out"));
    if (std::min<std::uint64_t>(size, key.batch_size) > kMaxBatchBytes / sample_bytes)
      throw Error(ADZE_RESOURCE_EXHAUSTED,
                  fmt::format("adze_dataset.batch: {} samples of {} bytes are more than {} MB; ask "
                              "for smaller batches",
                              key.batch_size, sample_bytes, kMaxBatchBytes >> 20));
    held.reset();  // what the component was given is not valid any more
    const bool loaded = ahead_key == key;
    ahead_key.reset();
    std::future<std::unique_ptr<Held>> waiting = std::exchange(ahead, {});
    held = loaded ? waiting.get() : load(chosen(key));
    if (loaded || key.index == 0) load_ahead(key);  // it reads in order
    return &held->batch;
  }

  static adze_status batch_thunk(adze_call* call, std::uint32_t split, std::uint32_t batch_size,
                                 std::uint64_t epoch, std::uint64_t index,
                                 const adze_batch** out) noexcept {
    return guarded(call, [&](Call& self) {
      if (!out) throw Error(ADZE_INVALID_ARGUMENT, "adze_dataset.batch: out is NULL");
      *out = self.service<DatasetService>().batch(self.seed(), split, batch_size, epoch, index);
    });
  }
};

DatasetService::DatasetService(const Dataset& samples, std::vector<std::int64_t> train,
                               std::vector<std::int64_t> held_out,
                               std::span<const InputSpec> inputs)
    : impl_(new Impl{.samples = samples,
                     .indices = {std::move(train), std::move(held_out)},
                     .sample_bytes = bytes_of(inputs)}) {
  impl_->table = {.struct_size = sizeof(adze_dataset),
                  .labeled = samples.has_labels(),
                  .train_count = impl_->indices[ADZE_SPLIT_TRAIN].size(),
                  .held_out_count = impl_->indices[ADZE_SPLIT_HELD_OUT].size(),
                  .batch = Impl::batch_thunk};
}

DatasetService::~DatasetService() = default;

const void* DatasetService::table() const { return &impl_->table; }

const adze_batch* DatasetService::batch(std::uint64_t seed, std::uint32_t split,
                                        std::uint32_t batch_size, std::uint64_t epoch,
                                        std::uint64_t index) {
  return impl_->batch(Key{seed, split, batch_size, epoch, index});
}

}  // namespace adze::host
