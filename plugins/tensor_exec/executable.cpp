#include "plugins/tensor_exec/executable.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "plugins/tensor_exec/half.hpp"
#include "plugins/tensor_exec/memory_limit.hpp"

namespace adze::exec {
namespace {

constexpr std::int64_t kMaxSamplesInPart = 8;
/// A part with less work, about a millisecond, is done before threads that wait for each other
/// after each layer have made it faster.
constexpr double kProductsToShare = 50e6;
constexpr std::int64_t kPartBytes = 512 << 10;  ///< of the largest value: a second-level cache

/// Samples in a part: divides the batch, depends on nothing but the program.
std::int64_t samples_in_part(const Program& program) {
  const std::int64_t batch = program.batch;
  std::int64_t largest = 1;
  for (const Value& value : program.values) {
    if (value.is_constant()) continue;
    // Without a batch axis a value belongs to one sample, or to none: parts of one are right.
    if (value.batch_axis < 0) return 1;
    const std::int64_t bytes = quant8_of(value) ? 1 : sizeof(float);
    largest = std::max<std::int64_t>(largest, element_count(value.shape) * bytes);
  }
  std::int64_t samples = std::clamp<std::int64_t>(kPartBytes / largest, 1, kMaxSamplesInPart);
  samples = std::min(samples, std::max<std::int64_t>(batch / 4, 1));
  while (batch % samples != 0) --samples;
  return samples;
}

/// Products of all layers, for one sample.
double products_of(const Program& program) {
  double products = 0;
  for (const Node& node : program.nodes) {
    if ((node.op != "Conv" && node.op != "Gemm" && node.op != "MatMul") || node.inputs.size() < 2 ||
        node.inputs[1] == ADZE_NONE || node.outputs.front() == ADZE_NONE)
      continue;
    const Shape& weights = program.values[node.inputs[1]].shape;
    const Shape& result = program.values[node.outputs.front()].shape;
    if (weights.empty() || result.size() < 2) continue;
    const std::int64_t channels = node.op == "Conv" ? result[1] : result.back();
    products += static_cast<double>(element_count(weights)) *
                static_cast<double>(element_count(result)) /
                static_cast<double>(std::max<std::int64_t>(channels, 1));
  }
  return products;
}

std::uint64_t constant_bytes(const Program& program) {
  std::uint64_t bytes = 0;
  for (const Value& value : program.values)
    if (value.constant) bytes += value.constant->bytes.size();
  return bytes;
}

constexpr std::uint64_t kLargeModelBytes = 4 << 20;  ///< of less there is little to give back

Plan plan_for(const Program& program, Options options) {
  if (constant_bytes(program) >= kLargeModelBytes) give_back_freed_memory();
  check_values_fit(program, options.memory_limit_bytes);
  const std::int64_t samples = samples_in_part(program);
  if (samples != program.batch) options.threads = 1;  // parts run at the same time
  const ThreadCount count(options.threads);
  return make_plan(program, samples, options);
}

/// Asked for once, and the same for all that is checked.
Options with_limit(Options options) {
  if (options.memory_limit_bytes == 0) options.memory_limit_bytes = machine_memory_bytes();
  return options;
}

double now_ms() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::int64_t elements_before(const Shape& shape, std::int32_t axis) {
  std::int64_t count = 1;
  for (std::int32_t i = 0; i < axis; ++i) count *= shape[static_cast<std::size_t>(i)];
  return count;
}

}  // namespace

Executable::Executable(Program program, const Options& options)
    : program_(std::move(program)), plan_(plan_for(program_, with_limit(options))) {
  shares_parts_ = products_of(program_) * static_cast<double>(plan_.batch) >= kProductsToShare;
  reported_ = program_.outputs;
  reported_.insert(reported_.end(), program_.extra_outputs.begin(), program_.extra_outputs.end());
  if (constant_bytes(program_) >= kLargeModelBytes) give_back_freed_memory();
  check_total_fits(needed_bytes(options.threads), with_limit(options).memory_limit_bytes);
  for (const std::uint32_t value : reported_) {
    const Value& whole = program_.values[value];
    if (program_.batch > 1 && whole.batch_axis < 0 && !whole.is_constant())
      throw Error(
          ADZE_UNIMPLEMENTED,
          "output '" + whole.name + "' has no batch axis; compile the model for a batch of 1");
    results_.emplace_back(static_cast<std::size_t>(element_count(full_shape(value))) *
                          size_of(whole.element_type()));
  }
  for (Value& value : program_.values)
    if (value.constant) {
      value.constant.reset();
      value.omitted = true;
    }
}

std::uint64_t Executable::needed_bytes(int threads) const {
  const std::int64_t parts = program_.batch / plan_.batch;
  const auto workers = static_cast<std::uint64_t>(std::clamp<std::int64_t>(threads, 1, parts));
  std::uint64_t bytes = workers * (plan_.arena_bytes + plan_.scratch_bytes);
  for (const std::uint32_t value : reported_)
    bytes += static_cast<std::uint64_t>(element_count(full_shape(value))) *
             size_of(program_.values[value].element_type());
  return bytes;
}

Shape Executable::full_shape(std::uint32_t value) const {
  Shape shape = program_.values[value].shape;
  const std::int32_t axis = program_.values[value].batch_axis;
  if (axis >= 0 && !program_.values[value].is_constant())
    shape[static_cast<std::size_t>(axis)] *= program_.batch;
  return shape;
}

void Executable::check_input(std::size_t index, const adze_tensor& tensor) const {
  const Value& value = program_.values[program_.inputs[index]];
  const Shape expected = full_shape(program_.inputs[index]);
  const Shape given(tensor.shape, tensor.shape + tensor.ndim);
  const auto [code, bits] = abi_type_of(value.dtype, value.half);
  if (given != expected || tensor.code != code || tensor.bits != bits)
    throw Error(ADZE_INVALID_ARGUMENT, "input '" + value.name + "' must be " +
                                           (value.half == Half::none  ? name_of(value.dtype)
                                            : value.half == Half::f16 ? "float16"
                                                                      : "bfloat16") +
                                           " " + to_string(expected) + ", not " + to_string(given) +
                                           " of type " + std::to_string(tensor.code) + " with " +
                                           std::to_string(tensor.bits) + " bits");
}

const std::byte* Executable::input_part(std::size_t index, const adze_tensor& tensor,
                                        std::int64_t part, Worker& worker) const {
  const Value& value = program_.values[program_.inputs[index]];
  const auto* data = static_cast<const std::byte*>(tensor.data) + tensor.byte_offset;
  const std::size_t element = value.half == Half::none ? size_of(value.dtype) : 2;
  const std::int64_t count = element_count(value.shape);
  if (value.batch_axis < 0) part = 0;
  const std::int64_t samples = value.batch_axis < 0 ? 1 : plan_.batch;
  const std::int64_t outer =
      value.batch_axis < 0 ? 1 : elements_before(value.shape, value.batch_axis);
  const std::int64_t inner = count / std::max<std::int64_t>(outer, 1);
  const auto offset = static_cast<std::size_t>(part * samples * count) * element;
  if (outer == 1 && value.half == Half::none) return data + offset;

  std::byte* dst = worker.inputs[index].data();
  const std::int64_t stride = inner * program_.batch;
  const std::size_t block = static_cast<std::size_t>(samples * inner) * element;
  for (std::int64_t i = 0; i < outer && value.half != Half::none; ++i)
    for (std::int64_t j = 0; j < samples * inner; ++j) {
      std::uint16_t bits;
      std::memcpy(&bits,
                  data + static_cast<std::size_t>(i * stride + part * samples * inner + j) * 2,
                  sizeof bits);
      reinterpret_cast<float*>(dst)[i * samples * inner + j] = from_half(bits, value.half);
    }
  for (std::int64_t i = 0; i < outer && value.half == Half::none; ++i)
    std::memcpy(dst + static_cast<std::size_t>(i) * block,
                data + static_cast<std::size_t>(i * stride + part * samples * inner) * element,
                block);
  return worker.inputs[index].data();
}

void Executable::store_part(std::int64_t part, const std::vector<std::byte*>& buffers) {
  for (std::size_t i = 0; i < reported_.size(); ++i) {
    const Value& value = program_.values[reported_[i]];
    const bool batched = value.batch_axis >= 0 && !value.is_constant();
    if (!batched && part > 0) continue;
    const std::int64_t samples = batched ? plan_.batch : 1;
    const std::int64_t outer = batched ? elements_before(value.shape, value.batch_axis) : 1;
    const std::int64_t inner =
        element_count(value.shape) / std::max<std::int64_t>(outer, 1) * samples;
    const std::int64_t parts = batched ? program_.batch / plan_.batch : 1;
    const std::size_t block = static_cast<std::size_t>(inner) * size_of(value.element_type());
    if (block == 0) continue;
    for (std::int64_t o = 0; o < outer; ++o)
      std::memcpy(results_[i].data() + static_cast<std::size_t>(o * parts + part) * block,
                  buffers[plan_.reported[i]] + static_cast<std::size_t>(o) * block, block);
  }
}

Executable::Result Executable::result(std::size_t index, const Shape& shape) const {
  const Value& value = program_.values[reported_[index]];
  const DType dtype = value.element_type();
  if (value.half != Half::none)
    return {reported_[index], dtype, value.half, std::as_bytes(std::span(half_results_[index])),
            shape};
  const std::size_t bytes = static_cast<std::size_t>(element_count(shape)) * size_of(dtype);
  return {reported_[index], dtype, Half::none, {results_[index].data(), bytes}, shape};
}

void Executable::narrow_results() {
  half_results_.resize(reported_.size());
  for (std::size_t i = 0; i < reported_.size(); ++i) {
    const Half half = program_.values[reported_[i]].half;
    if (half == Half::none) continue;
    const auto* floats = reinterpret_cast<const float*>(results_[i].data());
    half_results_[i].clear();
    for (std::int64_t j = 0; j < element_count(full_shape(reported_[i])); ++j)
      half_results_[i].push_back(to_half(floats[j], half));
  }
}

void Executable::run_part(std::int64_t part, std::span<const adze_tensor* const> inputs,
                          Worker& worker, int threads) {
  std::vector<std::byte*> buffers(plan_.buffers.size());
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const Buffer& buffer = plan_.buffers[i];
    if (buffer.kind == Buffer::Kind::arena)
      buffers[i] = worker.arena.data() + buffer.lifetime.offset;
    else if (buffer.kind == Buffer::Kind::constant)
      buffers[i] = buffer.constant.data();
    else  // never written to: inputs are no step's output
      buffers[i] =
          const_cast<std::byte*>(input_part(buffer.input, *inputs[buffer.input], part, worker));
  }
  std::vector<const std::byte*> sources;
  std::vector<std::byte*> targets;
  double before = now_ms();
  for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
    const Step& step = plan_.steps[i];
    sources.clear();
    targets.clear();
    for (const std::size_t buffer : step.inputs) sources.push_back(buffers[buffer]);
    for (const std::size_t buffer : step.outputs) targets.push_back(buffers[buffer]);
    step.kernel->run({sources.data(), targets.data(), worker.scratch.data(), threads});
    const double after = now_ms();
    worker.step_ms[i] += after - before;
    before = after;
  }
  store_part(part, buffers);
}

void Executable::run(std::span<const adze_tensor* const> inputs, int threads,
                     const Report& report) {
  if (inputs.size() != program_.inputs.size())
    throw Error(ADZE_INVALID_ARGUMENT, "the model has " + std::to_string(program_.inputs.size()) +
                                           " inputs, not " + std::to_string(inputs.size()));
  for (std::size_t i = 0; i < inputs.size(); ++i) check_input(i, *inputs[i]);

  const std::int64_t parts = program_.batch / plan_.batch;
  const int at_once = static_cast<int>(std::clamp<std::int64_t>(threads, 1, parts));
  while (workers_.size() < static_cast<std::size_t>(at_once)) {
    Worker worker{AlignedBytes(plan_.arena_bytes), AlignedBytes(plan_.scratch_bytes), {}, {}};
    for (const std::uint32_t input : program_.inputs)
      worker.inputs.emplace_back(
          static_cast<std::size_t>(element_count(program_.values[input].shape) * plan_.batch) *
          size_of(program_.values[input].dtype));
    workers_.push_back(std::move(worker));
  }
  for (Worker& worker : workers_) worker.step_ms.assign(plan_.steps.size(), 0);

  if (parts == 1) {
    const int used = shares_parts_ ? std::max(threads, 1) : 1;
    const ThreadCount count(used);
    run_part(0, inputs, workers_.front(), used);
  } else {
    const ThreadCount count(1);
    std::atomic<std::int64_t> next{0};
    for_chunks(at_once, at_once, [&](std::int64_t worker) {
      for (std::int64_t part = next++; part < parts; part = next++)
        run_part(part, inputs, workers_[static_cast<std::size_t>(worker)], 1);
    });
  }

  narrow_results();
  times_.resize(plan_.steps.size());
  for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
    times_[i] = {plan_.steps[i].nodes, 0, plan_.steps[i].bytes * static_cast<std::uint64_t>(parts)};
    for (const Worker& worker : workers_) times_[i].latency_ms += worker.step_ms[i] / at_once;
  }
  for (std::size_t i = 0; i < reported_.size(); ++i) {
    const Shape shape = full_shape(reported_[i]);
    report(result(i, shape));
  }
}

}  // namespace adze::exec
