// adze.structure/1: the channels that can only leave together.
#pragma once

#include <adze/ext/draft/structure.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "host/abi/call.hpp"

namespace adze::host {

/// Serves one call with the groups that remove_channels of an EditList over the same graph and
/// targets speaks of.
class StructureService : public Service {
 public:
  /// `shown` and `targets`: as the call shows them. `multiple`: of channels that the target likes;
  /// 1: any.
  StructureService(const Graph& shown, std::vector<std::uint32_t> targets, std::uint32_t multiple);
  ~StructureService() override;
  const char* id() const override { return ADZE_STRUCTURE; }
  const void* table() const override;

  /// Found when first asked for; valid as long as the service.
  const std::vector<const adze_group*>& groups();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What the board type says about numbers of channels: its fact "channels.multiple", or 1.
std::uint32_t channel_multiple(const adze_target* target);

}  // namespace adze::host
