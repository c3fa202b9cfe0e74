#include "host/services/dataset_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <optional>
#include <unordered_map>
#include <utility>

#include "host/abi/guard.hpp"
#include "host/base/error.hpp"

namespace adze::host {
namespace {

constexpr std::uint64_t kMaxBatchBytes = std::uint64_t{2} << 30;
/// Outputs of the reference that are kept; those of further samples are computed each time.
constexpr std::size_t kMaxKeptBytes = std::size_t{256} << 20;

struct Key {
  std::uint64_t seed;
  std::uint32_t split, batch_size;
  std::uint64_t epoch, index;
  bool operator==(const Key&) const = default;
};

/// Tensors as a component is shown them.
struct Shown {
  std::vector<Shape> strides;
  std::vector<adze_tensor> tensors;
  std::vector<const adze_tensor*> pointers;

  Shown() = default;
  explicit Shown(std::span<const Tensor> from) : strides(from.size()) {
    for (std::size_t i = 0; i < from.size(); ++i) tensors.push_back(view_of(from[i], strides[i]));
    for (const adze_tensor& tensor : tensors) pointers.push_back(&tensor);
  }
};

/// A batch as the component holds it.
struct Held {
  std::vector<std::uint64_t> ids;  ///< of the samples as they are here: each variant has its own
  std::vector<Tensor> inputs, labels, outputs;  ///< outputs: of the reference, once asked for
  Shown shown_inputs, shown_labels, shown_outputs;
  adze_batch batch{};
};

/// The reference's outputs, sample by sample: epochs ask for the same ones again.
class KeptOutputs {
 public:
  /// Empty when one of the samples is missing.
  std::vector<Tensor> find(std::span<const std::uint64_t> ids) const {
    std::vector<Tensor> found;
    if (!std::ranges::all_of(ids, [&](std::uint64_t id) { return rows_.contains(id); }))
      return found;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      Shape shape = outputs_[i].shape;
      shape[0] = static_cast<std::int64_t>(ids.size());
      Tensor& made = found.emplace_back(outputs_[i].dtype, std::move(shape));
      auto to = made.mutate_bytes().begin();
      for (const std::uint64_t id : ids) {
        const std::size_t bytes = outputs_[i].sample_bytes, from = rows_.at(id) * bytes;
        to = std::copy_n(outputs_[i].bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes, to);
      }
    }
    return found;
  }

  void add(std::span<const std::uint64_t> ids, std::span<const Tensor> outputs) {
    const auto count = static_cast<std::int64_t>(ids.size());
    std::size_t bytes = 0;
    for (const Tensor& output : outputs) {
      // An output that does not go by samples cannot be cut into them.
      if (output.shape().empty() || output.shape()[0] != count) return;
      bytes += output.size_bytes();
    }
    if (outputs.empty() || bytes_ + bytes > kMaxKeptBytes) return;
    bytes_ += bytes;
    outputs_.resize(outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      outputs_[i].dtype = outputs[i].dtype();
      outputs_[i].shape = outputs[i].shape();
      outputs_[i].sample_bytes = outputs[i].size_bytes() / ids.size();
      const auto all = outputs[i].bytes();
      outputs_[i].bytes.insert(outputs_[i].bytes.end(), all.begin(), all.end());
    }
    for (const std::uint64_t id : ids) rows_.insert_or_assign(id, row_count_++);
  }

 private:
  struct Output {
    DType dtype = DType::f32;
    Shape shape;
    std::size_t sample_bytes = 0;
    std::vector<std::byte> bytes;
  };
  std::vector<Output> outputs_;
  std::unordered_map<std::uint64_t, std::size_t> rows_;
  std::size_t row_count_ = 0, bytes_ = 0;
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
  std::function<std::unique_ptr<Runner>()> make_reference;
  Augmentation augmentation;
  adze_dataset table{};
  std::unique_ptr<Runner> reference_runner;
  KeptOutputs kept;
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

  /// Which variant of a training sample an epoch shows follows from both alone.
  void augment_all(const Key& key, const std::vector<std::int64_t>& wanted, Held& made) const {
    const std::uint64_t of_epoch = mixed(key.seed, key.epoch), variants = augmentation.variants();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const std::uint64_t variant = mixed(of_epoch, made.ids[i]) % variants;
      augment(made.inputs[0], static_cast<std::int64_t>(i), augmentation, variant);
      made.ids[i] = samples_end() + made.ids[i] * variants + variant;
    }
  }
  std::uint64_t samples_end() const { return static_cast<std::uint64_t>(samples.size()); }

  std::unique_ptr<Held> load(const Key& key, const std::vector<std::int64_t>& wanted) const {
    auto made = std::make_unique<Held>();
    made->ids.assign(wanted.begin(), wanted.end());
    made->inputs = samples.batch(wanted);
    if (augmentation.changes() && key.split == ADZE_SPLIT_TRAIN) augment_all(key, wanted, *made);
    made->shown_inputs = Shown(made->inputs);
    if (samples.has_labels()) {
      std::vector<std::int64_t> labels;
      for (const std::int64_t index : wanted) labels.push_back(samples.label(index));
      made->labels.emplace_back(DType::i64, Shape{static_cast<std::int64_t>(labels.size())},
                                std::span<const std::int64_t>(labels));
      made->shown_labels = Shown(made->labels);
    }
    const std::vector<const adze_tensor*>& inputs = made->shown_inputs.pointers;
    made->batch = {.struct_size = sizeof(adze_batch),
                   .input_count = static_cast<std::uint32_t>(inputs.size()),
                   .sample_count = wanted.size(),
                   .inputs = inputs.data(),
                   .labels = samples.has_labels() ? made->shown_labels.pointers[0] : nullptr};
    return made;
  }

  void load_ahead(Key key) {
    if (++key.index >= batches(key.split, key.batch_size)) {
      key.index = 0;
      if (key.split == ADZE_SPLIT_TRAIN) ++key.epoch;
    }
    ahead_key = key;
    ahead = std::async(std::launch::async,
                       [this, key, wanted = chosen(key)] { return load(key, wanted); });
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
    held = loaded ? waiting.get() : load(key, chosen(key));
    if (loaded || key.index == 0) load_ahead(key);  // it reads in order
    return &held->batch;
  }

  std::span<const adze_tensor* const> reference() {
    if (!held)
      throw Error(ADZE_FAILED_PRECONDITION,
                  "adze_dataset.reference: ask for a batch first; this is about its samples");
    if (held->outputs.empty()) held->outputs = kept.find(held->ids);
    if (held->outputs.empty()) {
      if (!reference_runner) reference_runner = make_reference();
      for (NamedTensor& output : reference_runner->run(held->inputs))
        held->outputs.push_back(std::move(output.tensor));
      kept.add(held->ids, held->outputs);
    }
    if (held->shown_outputs.pointers.empty()) held->shown_outputs = Shown(held->outputs);
    return held->shown_outputs.pointers;
  }

  static adze_status reference_thunk(adze_call* call, std::uint32_t* out_count,
                                     const adze_tensor* const** out) noexcept {
    return guarded(call, [&](Call& self) {
      if (!out || !out_count)
        throw Error(ADZE_INVALID_ARGUMENT, "adze_dataset.reference: out is NULL");
      const auto found = self.service<DatasetService>().reference();
      *out_count = static_cast<std::uint32_t>(found.size());
      *out = found.data();
    });
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
                               std::span<const InputSpec> inputs,
                               std::function<std::unique_ptr<Runner>()> reference,
                               const Augmentation& augmentation)
    : impl_(new Impl{.samples = samples,
                     .indices = {std::move(train), std::move(held_out)},
                     .sample_bytes = bytes_of(inputs),
                     .make_reference = std::move(reference),
                     .augmentation = augmentation}) {
  if (augmentation.changes()) require_image(inputs);
  impl_->table = {.struct_size = sizeof(adze_dataset),
                  .labeled = samples.has_labels(),
                  .train_count = impl_->indices[ADZE_SPLIT_TRAIN].size(),
                  .held_out_count = impl_->indices[ADZE_SPLIT_HELD_OUT].size(),
                  .batch = Impl::batch_thunk,
                  .reference = impl_->make_reference ? Impl::reference_thunk : nullptr};
}

DatasetService::~DatasetService() = default;

const void* DatasetService::table() const { return &impl_->table; }

const adze_batch* DatasetService::batch(std::uint64_t seed, std::uint32_t split,
                                        std::uint32_t batch_size, std::uint64_t epoch,
                                        std::uint64_t index) {
  return impl_->batch(Key{seed, split, batch_size, epoch, index});
}

std::span<const adze_tensor* const> DatasetService::reference() { return impl_->reference(); }

}  // namespace adze::host
