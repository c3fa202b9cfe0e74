// adze.refit/1: layers that a pruner may correct, but not prune.
#pragma once

#include <adze/ext/draft/refit.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "host/abi/call.hpp"

namespace adze::host {

class Refit : public Service {
 public:
  explicit Refit(std::vector<std::uint32_t> nodes) : nodes_(std::move(nodes)) {
    std::ranges::sort(nodes_);
    table_ = {sizeof table_, static_cast<std::uint32_t>(nodes_.size()), nodes_.data()};
  }
  const char* id() const override { return ADZE_REFIT; }
  const void* table() const override { return &table_; }

 private:
  std::vector<std::uint32_t> nodes_;
  adze_refit table_{};
};

}  // namespace adze::host
