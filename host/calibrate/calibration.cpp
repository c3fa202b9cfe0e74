#include "host/calibrate/calibration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "host/abi/backend.hpp"
#include "host/abi/guard.hpp"
#include "host/base/error.hpp"
#include "host/calibrate/collector.hpp"
#include "host/plugin/first_sizes.hpp"

namespace adze::host {
namespace {

// A result as the component holds it.
struct Held {
  Statistic statistic;
  Shape strides;
  adze_stat shown{};

  explicit Held(Statistic made) : statistic(std::move(made)) {
    shown.struct_size = sizeof shown;
    shown.terms = statistic.terms;
    shown.low = statistic.range.low;
    shown.high = statistic.range.high;
    if (statistic.data) {
      shown.data = view_of(*statistic.data, strides);
    } else {
      shown.data.device_type = 1;
      shown.data.code = ADZE_FLOAT;
      shown.data.bits = 64;
      shown.data.lanes = 1;
    }
  }
};

constexpr std::uint64_t kMostRequests = 1u << 16;

// The component steps its array by its own idea of a request's size.
std::vector<adze_stat_request> copy_requests(const adze_stat_request* requests,
                                             std::uint64_t count) {
  if (count > kMostRequests)
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                fmt::format("adze_calibration.collect: {} requests at once, at most {} are taken",
                            count, kMostRequests));
  const std::uint32_t size = requests->struct_size;
  if (!reaches_first_size(*requests))
    throw Error(ADZE_INVALID_ARGUMENT, "adze_stat_request.struct_size is too small");
  std::vector<adze_stat_request> copies(count);
  const auto* at = reinterpret_cast<const std::byte*>(requests);
  for (adze_stat_request& copy : copies) {
    std::memcpy(&copy, at, std::min<std::size_t>(size, sizeof copy));
    at += size;
  }
  return copies;
}

}  // namespace

struct Calibration::Impl {
  Impl(const Graph& graph, const Dataset& samples, std::vector<std::int64_t> indices,
       MakeRunner make_runner, const CallOptions& options)
      : collector(graph, samples, std::move(indices), std::move(make_runner), options.threads,
                  options.progress) {
    table.struct_size = sizeof table;
    table.sample_count = collector.sample_count();
    table.collect = collect_thunk;
    table.release = release_thunk;
  }

  static MakeRunner runner_maker(Component backend, CallOptions options) {
    options.progress = {};  // compiling and running are small parts of the component's call
    return [backend, options](const Graph& graph, const std::vector<std::string>& extra,
                              std::uint32_t batch) -> std::unique_ptr<Runner> {
      return std::make_unique<BackendRunner>(backend, Settings{}, graph, "calibration", options,
                                             CompileOptions{batch, extra});
    };
  }

  void collect(const EditList* edits, const adze_stat_request* requests, std::uint64_t count,
               const adze_stat** out) {
    if (count == 0) return;
    if (!requests || !out)
      throw Error(ADZE_INVALID_ARGUMENT, "adze_calibration.collect: requests or out is NULL");
    std::uint64_t held_bytes = 0;
    for (const auto& held : results)
      if (held->statistic.data) held_bytes += held->statistic.data->size_bytes();
    std::vector<Statistic> found =
        collector.collect(copy_requests(requests, count), edits, held_bytes);
    for (std::uint64_t i = 0; i < count; ++i) {
      results.push_back(std::make_unique<Held>(std::move(found[i])));
      out[i] = &results.back()->shown;
    }
  }

  void release(const adze_stat* stat) {
    std::erase_if(results, [stat](const auto& held) { return &held->shown == stat; });
  }

  static adze_status collect_thunk(adze_call* call, const adze_stat_request* requests,
                                   std::uint64_t count, const adze_stat** out) noexcept {
    return guarded(call, [&](Call& self) {
      self.service<Calibration>().impl().collect(self.edits(), requests, count, out);
    });
  }
  static void release_thunk(adze_call* call, const adze_stat* stat) noexcept {
    guarded(call, [&](Call& self) { self.service<Calibration>().impl().release(stat); });
  }

  Collector collector;
  std::vector<std::unique_ptr<Held>> results;
  adze_calibration table{};
};

Calibration::Calibration(const Graph& graph, const Dataset& samples,
                         std::vector<std::int64_t> indices, Component backend, CallOptions options)
    : Calibration(graph, samples, std::move(indices), Impl::runner_maker(backend, options),
                  options) {}

Calibration::Calibration(const Graph& graph, const Dataset& samples,
                         std::vector<std::int64_t> indices, MakeRunner make_runner,
                         const CallOptions& options)
    : impl_(std::make_unique<Impl>(graph, samples, std::move(indices), std::move(make_runner),
                                   options)) {}

Calibration::~Calibration() = default;

const void* Calibration::table() const { return &impl_->table; }

}  // namespace adze::host
