// Answers requests for statistics with as few passes over the samples as can be.
#pragma once

#include <adze/ext/calibration.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "host/calibrate/accumulator.hpp"
#include "host/calibrate/activations.hpp"
#include "host/dataset/dataset.hpp"
#include "host/edit/edit.hpp"

namespace adze::host {

class Collector {
 public:
  /// Called before each batch with the share of the pass that is done; true: stop.
  using Progress = std::function<bool(double fraction, const std::string& doing)>;

  /// `graph` and `samples` must outlive the object.
  Collector(const Graph& graph, const Dataset& samples, std::vector<std::int64_t> indices,
            MakeRunner make_runner, std::uint32_t threads, Progress progress);

  /// One statistic a request. `edits`: those made so far, for ADZE_STATE_EDITED; NULL: none are
  /// possible. `held_bytes`: memory of earlier results that still live. Errors: as
  /// adze_calibration.collect says; the text names request and node or value.
  std::vector<Statistic> collect(std::span<const adze_stat_request> requests, const EditList* edits,
                                 std::uint64_t held_bytes);
  std::uint32_t sample_count() const { return static_cast<std::uint32_t>(indices_.size()); }

 private:
  /// What is read of each sample: a value under one of the two states.
  struct Source {
    std::uint32_t state, value;
    auto operator<=>(const Source&) const = default;
  };
  /// A request, checked, with what adds it up.
  struct Job {
    adze_stat_request request;
    std::vector<Source> sources;
    std::uint64_t begin, end;  ///< samples
    std::unique_ptr<Accumulator> accumulator;
  };
  using RangeKey = std::tuple<Source, std::uint64_t, std::uint64_t>;
  /// Values of the samples of one batch.
  struct Batch;

  Job check(const adze_stat_request& request, const EditList* edits) const;
  void check_value(std::uint32_t value) const;
  void check_memory(std::span<const Job> jobs, std::uint64_t held_bytes) const;
  std::unique_ptr<Accumulator> make(const Job& job) const;
  void apply(const EditList* edits);
  std::uint32_t batch_size(std::span<Job* const> jobs) const;
  void pass(std::span<Job* const> jobs);
  void feed(std::span<Job* const> jobs, const Batch& batch) const;
  static void add(Job& job, const Batch& batch);

  const Graph& graph_;
  const Dataset& samples_;
  std::vector<std::int64_t> indices_;
  std::uint32_t threads_;
  Progress progress_;
  std::array<Activations, 2> activations_;  ///< by state
  std::vector<Edit> applied_;               ///< the edits that activations_[EDITED] shows
  std::map<RangeKey, Statistic> ranges_;    ///< by histogram requests; low and high of earlier ones
};

}  // namespace adze::host
