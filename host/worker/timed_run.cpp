#include "host/worker/timed_run.hpp"

#include <time.h>

#include <algorithm>
#include <cmath>

#include "host/abi/batch.hpp"
#include "host/base/error.hpp"

namespace adze::host {
namespace {

std::int64_t raw_now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

double median(std::vector<std::int64_t> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return static_cast<double>(*middle);
}

/// The median of the second half is within 2 % of that of the first.
bool is_stable(const std::vector<std::int64_t>& times) {
  if (times.size() < 10) return false;
  const auto half = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  const double early = median({times.begin(), half}), late = median({half, times.end()});
  return std::abs(late - early) <= 0.02 * early;
}

/// Samples along the batch; 1 when no input has a batch axis.
std::int64_t sample_count(std::span<const hil::TensorSpec> specs, std::span<const Tensor> inputs) {
  for (std::size_t i = 0; i < specs.size(); ++i)
    if (specs[i].batch_axis >= 0)
      return inputs[i].shape().at(static_cast<std::size_t>(specs[i].batch_axis));
  return 1;
}

class Session {
 public:
  Session(Runner& runner, std::span<const hil::TensorSpec> specs, std::span<const Tensor> inputs,
          std::int64_t batch)
      : runner_(runner), specs_(specs), inputs_(inputs), batch_(batch) {}

  /// The inference of samples first .. first + batch. Cutting them out is not timed.
  std::int64_t run(std::int64_t first, std::vector<NamedTensor>& outputs) {
    const std::int64_t samples = sample_count(specs_, inputs_);
    std::vector<Tensor> part;
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      part.push_back(specs_[i].batch_axis < 0
                         ? inputs_[i]
                         : slice_padded(inputs_[i], static_cast<std::size_t>(specs_[i].batch_axis),
                                        first, std::min(batch_, samples - first)));
    const std::int64_t begin = raw_now_ns();
    outputs = runner_.run(part);
    return raw_now_ns() - begin;
  }

 private:
  Runner& runner_;
  std::span<const hil::TensorSpec> specs_;
  std::span<const Tensor> inputs_;
  std::int64_t batch_;
};

constexpr std::int64_t kWarmupLimit = 5;  ///< times the asked time, when it does not settle

void warm_up(Session& session, const hil::RunSettings& settings, TimedRun& result,
             const std::function<void(double)>& progress) {
  std::vector<NamedTensor> ignored;
  if (settings.drop_first) result.first_ns = session.run(0, ignored);
  std::vector<std::int64_t> times;
  const std::int64_t begin = raw_now_ns(), asked_ns = settings.warmup_ms * 1'000'000;
  while (asked_ns > 0) {
    const std::int64_t spent = raw_now_ns() - begin;
    if (spent >= asked_ns && (is_stable(times) || spent >= kWarmupLimit * asked_ns)) break;
    times.push_back(session.run(0, ignored));
    progress(0);
  }
  result.warmup_count = static_cast<std::int64_t>(times.size());
}

}  // namespace

TimedRun run_timed(Runner& runner, std::span<const hil::TensorSpec> input_specs,
                   std::span<const hil::TensorSpec> output_specs, std::span<const Tensor> inputs,
                   std::int64_t batch, const hil::RunSettings& settings,
                   const std::function<void(double fraction)>& progress) {
  const std::int64_t samples = sample_count(input_specs, inputs);
  if (samples < 1) throw Error(ADZE_INVALID_ARGUMENT, "a run needs at least one sample");
  Session session(runner, input_specs, inputs, batch);
  TimedRun result;
  warm_up(session, settings, result, progress);
  std::vector<std::vector<NamedTensor>> parts;
  const std::int64_t chunks = (samples + batch - 1) / batch, total = chunks * settings.repeats;
  result.times_ns.reserve(static_cast<std::size_t>(total));
  for (std::int64_t i = 0; i < total; ++i) {
    std::vector<NamedTensor> outputs;
    result.times_ns.push_back(session.run(i % chunks * batch, outputs));
    if (i < chunks && settings.outputs_wanted) parts.push_back(std::move(outputs));
    progress(static_cast<double>(i + 1) / static_cast<double>(total));
  }
  for (std::size_t i = 0; !parts.empty() && i < parts.front().size(); ++i) {
    std::vector<Tensor> tensors;
    for (const auto& outputs : parts) tensors.push_back(outputs[i].tensor);
    const std::int32_t axis = i < output_specs.size() ? output_specs[i].batch_axis : -1;
    result.outputs.push_back(
        {parts.front()[i].name,
         axis < 0 ? tensors.front() : join(tensors, static_cast<std::size_t>(axis))});
  }
  return result;
}

}  // namespace adze::host
