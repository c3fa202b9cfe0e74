// adze.calibration/1 as the host serves it: statistics of activations, streamed batch by batch.
#pragma once

#include <adze/ext/calibration.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "host/abi/call.hpp"
#include "host/calibrate/activations.hpp"
#include "host/dataset/dataset.hpp"

namespace adze::host {

/// Serves one call. `graph` is what the call shows; the backend runs it (and the edited graph for
/// ADZE_STATE_EDITED) with the requested values as extra outputs.
class Calibration : public Service {
 public:
  Calibration(const Graph& graph, const Dataset& samples, std::vector<std::int64_t> indices,
              Component backend, CallOptions options);
  /// The same with runners of the caller's in place of a backend.
  Calibration(const Graph& graph, const Dataset& samples, std::vector<std::int64_t> indices,
              MakeRunner make_runner, const CallOptions& options);
  ~Calibration() override;
  const char* id() const override { return ADZE_CALIBRATION; }
  const void* table() const override;

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace adze::host
