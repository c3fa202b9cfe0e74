#include "host/calibrate/collector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "host/base/error.hpp"
#include "host/calibrate/single_threaded_blas.hpp"

namespace adze::host {
namespace {

constexpr std::uint64_t kMaxResultBytes = 2ull << 30;
constexpr std::uint64_t kMaxBatchBytes = 256ull << 20;
constexpr std::uint32_t kMaxBatch = 64;
constexpr std::uint64_t kMaxBins = 1u << 24;

bool reads_node(std::uint32_t kind) { return kind == ADZE_STAT_GRAM || kind == ADZE_STAT_CROSS; }

// Tensors are shared and immutable: the same bytes are at the same place.
bool is_same(const Edit& a, const Edit& b) {
  return a.kind == b.kind && a.target == b.target &&
         a.constant.bytes().data() == b.constant.bytes().data() && a.keep == b.keep &&
         a.channels == b.channels && a.quant == b.quant;
}

std::uint64_t bytes_of(const Value& value) {
  std::uint64_t bytes = sizeof(float);
  if (value.shape)
    for (const std::int64_t size : *value.shape)
      bytes *= static_cast<std::uint64_t>(std::max<std::int64_t>(1, size));
  return bytes;
}

}  // namespace

struct Collector::Batch {
  struct Values {
    std::span<const float> elements;
    Shape shape;
    std::size_t stride = 0;  ///< elements of one sample
  };
  std::uint64_t begin, end;
  std::map<Source, Values> values;
};

Collector::Collector(const Graph& graph, const Dataset& samples, std::vector<std::int64_t> indices,
                     MakeRunner make_runner, std::uint32_t threads, Progress progress)
    : graph_(graph),
      samples_(samples),
      indices_(std::move(indices)),
      threads_(std::max(1u, threads)),
      progress_(std::move(progress)),
      activations_{Activations(make_runner), Activations(make_runner)} {
  activations_[ADZE_STATE_SHOWN].show(graph);
}

void Collector::check_value(std::uint32_t value) const {
  if (value >= graph_.values.size())
    throw Error(ADZE_INVALID_ARGUMENT, fmt::format("there is no value {}", value));
  const Value& asked = graph_.value(value);
  if (asked.constant)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("value '{}' is a constant; read it from the graph", asked.name));
  if (asked.dtype == DType::string)
    throw Error(ADZE_INVALID_ARGUMENT, fmt::format("value '{}' holds text", asked.name));
}

Collector::Job Collector::check(const adze_stat_request& request, const EditList* edits) const {
  if (request.kind < ADZE_STAT_HISTOGRAM || request.kind > ADZE_STAT_CROSS)
    throw Error(ADZE_UNIMPLEMENTED,
                fmt::format("statistics of kind {} are not known", request.kind));
  if (request.state > ADZE_STATE_EDITED || request.value_state > ADZE_STATE_EDITED)
    throw Error(ADZE_UNIMPLEMENTED, fmt::format("states {} and {} of the model are not both known",
                                                request.state, request.value_state));
  Job job{.request = request, .begin = request.first, .end = indices_.size()};
  if (request.first >= indices_.size() || request.count > indices_.size() - request.first)
    throw Error(ADZE_OUT_OF_RANGE,
                fmt::format("samples {} to {} were asked for, there are {}", request.first,
                            request.first + request.count, indices_.size()));
  if (request.count) job.end = request.first + request.count;
  if (request.bins > kMaxBins)
    throw Error(ADZE_RESOURCE_EXHAUSTED, fmt::format("{} bins were asked for, at most {} are given",
                                                     request.bins, kMaxBins));

  // Without edits the two states are one, and share what is compiled.
  const bool edited = edits && !edits->edits().empty();
  const auto state = [&](std::uint32_t asked) {
    return edited ? asked : std::uint32_t{ADZE_STATE_SHOWN};
  };
  if (reads_node(request.kind)) {
    if (request.node >= graph_.nodes.size())
      throw Error(ADZE_INVALID_ARGUMENT, fmt::format("there is no node {}", request.node));
    job.sources.push_back({state(request.state), Unfold(graph_, request.node).input()});
    check_value(job.sources[0].value);
  }
  if (request.kind != ADZE_STAT_GRAM) {
    check_value(request.value);
    const bool is_cross = request.kind == ADZE_STAT_CROSS;
    job.sources.push_back({state(is_cross ? request.value_state : request.state), request.value});
  }
  return job;
}

std::unique_ptr<Accumulator> Collector::make(const Job& job) const {
  const adze_stat_request& request = job.request;
  switch (request.kind) {
    case ADZE_STAT_GRAM:
      return make_gram(Unfold(graph_, request.node));
    case ADZE_STAT_CROSS:
      return make_cross(Unfold(graph_, request.node), graph_.value(request.value).name);
    case ADZE_STAT_CHANNELS:
      return make_channels(graph_.value(request.value).name);
    case ADZE_STAT_SAMPLES: {
      const Value& value = graph_.value(request.value);
      return make_samples(value.name, job.end - job.begin, value.batch_axis == 0, kMaxResultBytes);
    }
    default:
      return make_range();
  }
}

void Collector::check_memory(std::span<const Job> jobs, std::uint64_t held_bytes) const {
  double bytes = static_cast<double>(held_bytes);
  for (const Job& job : jobs) {
    if (job.request.kind == ADZE_STAT_HISTOGRAM)
      bytes += 2.0 * sizeof(double) * static_cast<double>(job.request.bins);
    if (job.request.kind == ADZE_STAT_SAMPLES)
      bytes += static_cast<double>(job.end - job.begin) *
               static_cast<double>(bytes_of(graph_.value(job.request.value)));
    if (!reads_node(job.request.kind)) continue;
    const Unfold unfold(graph_, job.request.node);
    const auto rows = static_cast<double>(unfold.rows());
    // The sums in double precision and one product in single precision.
    bytes += job.request.kind == ADZE_STAT_GRAM
                 ? rows * rows * (8.0 * static_cast<double>(unfold.groups()) + 4)
                 : rows * static_cast<double>(unfold.outputs()) * (8 + 4);
  }
  if (bytes > static_cast<double>(kMaxResultBytes))
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                fmt::format("the statistics asked for and those not released take {:.0f} MB, more "
                            "than {} MB; ask for fewer at once and release them",
                            bytes / 1048576, kMaxResultBytes >> 20));
}

void Collector::apply(const EditList* edits) {
  if (!edits || std::ranges::equal(applied_, edits->edits(), is_same)) return;
  for (const Edit& edit : edits->edits())
    if (edit.kind == Edit::Kind::channels)
      throw Error(
          ADZE_FAILED_PRECONDITION,
          "the edited model cannot be run after remove_channels; ask for statistics before");
  activations_[ADZE_STATE_EDITED].show(edits->commit());
  applied_ = edits->edits();
  std::erase_if(ranges_, [](const auto& known) {
    return std::get<0>(known.first).state == ADZE_STATE_EDITED;
  });
}

std::vector<Statistic> Collector::collect(std::span<const adze_stat_request> requests,
                                          const EditList* edits, std::uint64_t held_bytes) {
  std::vector<Job> jobs;
  bool wants_edited = false;
  for (const adze_stat_request& request : requests) {
    jobs.push_back(check(request, edits));
    for (const Source& source : jobs.back().sources)
      wants_edited |= source.state == ADZE_STATE_EDITED;
  }
  check_memory(jobs, held_bytes);
  if (wants_edited) apply(edits);

  // A histogram needs the range first: that of an earlier request, or one found in a pass ahead.
  const auto key = [](const Job& job) { return RangeKey{job.sources[0], job.begin, job.end}; };
  std::vector<Job> ranges;
  std::set<RangeKey> in_work;
  std::vector<Job*> first, second;
  for (Job& job : jobs) {
    if (job.request.kind == ADZE_STAT_HISTOGRAM) {
      if (!ranges_.contains(key(job)) && !in_work.contains(key(job))) {
        in_work.insert(key(job));
        ranges.push_back({job.request, job.sources, job.begin, job.end, make_range()});
      }
      if (job.request.bins == 0) continue;
      if (in_work.contains(key(job))) {
        second.push_back(&job);
        continue;
      }
      job.accumulator = make_histogram(job.request.bins, ranges_.at(key(job)).range);
    } else {
      job.accumulator = make(job);
    }
    first.push_back(&job);
  }
  for (Job& range : ranges) first.push_back(&range);
  pass(first);
  for (Job& range : ranges) ranges_[key(range)] = range.accumulator->finish();
  for (Job* job : second)
    job->accumulator = make_histogram(job->request.bins, ranges_.at(key(*job)).range);
  pass(second);

  std::vector<Statistic> statistics;
  for (Job& job : jobs)
    statistics.push_back(job.accumulator ? job.accumulator->finish() : ranges_.at(key(job)));
  return statistics;
}

// One sample at a time when a value carries its samples on another axis or in no axis of its own:
// then the whole value is the sample's.
std::uint32_t Collector::batch_size(std::span<Job* const> jobs) const {
  std::set<std::uint32_t> values(graph_.inputs.begin(), graph_.inputs.end());
  for (const Job* job : jobs)
    for (const Source& source : job->sources) values.insert(source.value);
  std::uint64_t bytes = 1;
  for (const std::uint32_t value : values) {
    if (graph_.value(value).batch_axis != 0) return 1;
    bytes += bytes_of(graph_.value(value));
  }
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(kMaxBatchBytes / bytes, 1, kMaxBatch));
}

void Collector::pass(std::span<Job* const> jobs) {
  if (jobs.empty()) return;
  std::set<std::uint32_t> wanted[2];
  std::uint64_t begin = indices_.size(), end = 0;
  for (const Job* job : jobs) {
    begin = std::min(begin, job->begin);
    end = std::max(end, job->end);
    for (const Source& source : job->sources) wanted[source.state].insert(source.value);
  }
  const std::uint32_t size = batch_size(jobs);
  for (const std::uint32_t state : {ADZE_STATE_SHOWN, ADZE_STATE_EDITED})
    if (!wanted[state].empty()) activations_[state].want(wanted[state], size);

  for (std::uint64_t at = begin; at < end; at += size) {
    const std::uint64_t stop = std::min<std::uint64_t>(at + size, end);
    if (std::ranges::none_of(jobs,
                             [&](const Job* job) { return job->begin < stop && job->end > at; }))
      continue;
    if (progress_ && progress_(static_cast<double>(at - begin) / static_cast<double>(end - begin),
                               "calibrating"))
      throw Error(ADZE_CANCELLED, "calibration was stopped");
    const std::vector<Tensor> inputs = samples_.batch(std::span(indices_).subspan(at, stop - at));
    Batch batch{.begin = at, .end = stop};
    std::map<std::uint32_t, Tensor> tensors[2];
    std::map<Source, std::vector<float>> widened;
    for (const std::uint32_t state : {ADZE_STATE_SHOWN, ADZE_STATE_EDITED}) {
      if (wanted[state].empty()) continue;
      tensors[state] = activations_[state].run(inputs);
      for (const auto& [value, tensor] : tensors[state]) {
        const Source source{state, value};
        Batch::Values values{floats_of(tensor, widened[source]), tensor.shape()};
        if (size > 1) {
          if (values.shape.empty() || values.shape[0] != static_cast<std::int64_t>(stop - at))
            throw PluginError(ADZE_INTERNAL, fmt::format("value '{}' is {} for {} samples",
                                                         graph_.value(value).name,
                                                         to_string(values.shape), stop - at));
          values.shape[0] = 1;
        }
        values.stride = values.elements.size() / (stop - at);
        batch.values.emplace(source, std::move(values));
      }
    }
    feed(jobs, batch);
  }
}

// Threads of our own, not OpenMP's team: that one spins at its barriers, which costs tens of
// milliseconds a batch where other programs want the processor too.
void Collector::feed(std::span<Job* const> jobs, const Batch& batch) const {
  std::vector<std::exception_ptr> failures(jobs.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    const SingleThreadedOpenMp of_this_thread;
    for (std::size_t i = next++; i < jobs.size(); i = next++) try {
        add(*jobs[i], batch);
      } catch (...) {
        failures[i] = std::current_exception();
      }
  };
  {
    const SingleThreadedOpenBlas of_the_process;
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < std::min<std::size_t>(threads_, jobs.size()); ++i)
      helpers.emplace_back(work);
    work();
  }
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

void Collector::add(Job& job, const Batch& batch) {
  std::vector<Activation> sample(job.sources.size());
  const std::uint64_t end = std::min(job.end, batch.end);
  for (std::uint64_t at = std::max(job.begin, batch.begin); at < end; ++at) {
    for (std::size_t i = 0; i < sample.size(); ++i) {
      const Batch::Values& values = batch.values.at(job.sources[i]);
      sample[i] = {values.elements.subspan((at - batch.begin) * values.stride, values.stride),
                   &values.shape};
    }
    job.accumulator->add(sample);
  }
}

}  // namespace adze::host
