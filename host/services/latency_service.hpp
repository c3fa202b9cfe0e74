// adze.latency/1: what a change would cost on the target, predicted by its backend.
#pragma once

#include <adze/ext/draft/latency.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "host/abi/backend.hpp"
#include "host/abi/call.hpp"

namespace adze::host {

/// Serves one call.
class LatencyService : public Service {
 public:
  /// `shown`: what the call shows and the questions speak of; it must outlive the service.
  /// `backend`: must have estimate(), see predicts_latency(). `options.target`: the board type.
  LatencyService(const Graph& shown, Component backend, CallOptions options);
  const char* id() const override { return ADZE_LATENCY; }
  const void* table() const override;

  /// Milliseconds, one a question. Errors: INVALID_ARGUMENT for a node that is not there, a
  /// sparsity that is no share, more channels than the node has; PluginError of the backend.
  std::vector<double> ask(std::span<const WhatIf> questions) const;

 private:
  void check(const WhatIf& question, std::size_t number) const;

  const Graph& shown_;
  Component backend_;
  CallOptions options_;
};

bool predicts_latency(const Component& backend);

}  // namespace adze::host
