#include "host/services/structure_service.hpp"

#include <algorithm>
#include <deque>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>

#include "host/abi/guard.hpp"
#include "host/base/error.hpp"
#include "host/graph/channel_groups.hpp"

namespace adze::host {
namespace {

/// Channels that leave at a time so that every axis they are computed on keeps a multiple: one may
/// be several indices of it.
std::uint32_t multiple_of(const ChannelGroup& group, std::uint32_t multiple) {
  std::uint32_t result = 1;
  for (const ChannelMember& member : group.members)
    if (member.role != ChannelRole::consumes)
      result = std::lcm(result, multiple / std::gcd(multiple, member.span));
  return result;
}

adze_status groups(adze_call* call, std::uint64_t* out_count,
                   const adze_group* const** out) noexcept {
  return guarded(call, [&](Call& self) {
    if (!out_count || !out)
      throw Error(ADZE_INVALID_ARGUMENT, "adze_structure.groups: out is NULL");
    const auto& found = self.service<StructureService>().groups();
    *out_count = found.size();
    *out = found.empty() ? nullptr : found.data();
  });
}

constexpr adze_structure kStructure = {sizeof(adze_structure), 0, groups};

}  // namespace

struct StructureService::Impl {
  const Graph& shown;
  std::vector<std::uint32_t> targets;
  std::uint32_t multiple;
  bool known = false;
  ChannelGroups found;
  std::deque<adze_member> members;
  std::deque<std::vector<const adze_member*>> member_lists;
  std::deque<adze_group> groups;
  std::vector<const adze_group*> pointers;

  void find() {
    known = true;
    found = find_channel_groups(shown, targets);
    for (const ChannelGroup& group : found.groups) {
      auto& list = member_lists.emplace_back();
      for (const ChannelMember& member : group.members)
        list.push_back(
            &members.emplace_back(adze_member{.struct_size = sizeof(adze_member),
                                              .role = static_cast<std::uint32_t>(member.role),
                                              .value = member.value,
                                              .node = member.node,
                                              .axis = member.axis,
                                              .span = member.span,
                                              .indices = member.indices.data()}));
      pointers.push_back(&groups.emplace_back(
          adze_group{.struct_size = sizeof(adze_group),
                     .channel_count = static_cast<std::uint32_t>(group.channels.size()),
                     .multiple = multiple_of(group, multiple),
                     .member_count = static_cast<std::uint32_t>(list.size()),
                     .members = list.data()}));
    }
  }
};

StructureService::StructureService(const Graph& shown, std::vector<std::uint32_t> targets,
                                   std::uint32_t multiple)
    : impl_(new Impl{
          .shown = shown, .targets = std::move(targets), .multiple = std::max(multiple, 1u)}) {
  std::ranges::sort(impl_->targets);
}

StructureService::~StructureService() = default;

const void* StructureService::table() const { return &kStructure; }

const std::vector<const adze_group*>& StructureService::groups() {
  if (!impl_->known) impl_->find();
  return impl_->pointers;
}

std::uint32_t channel_multiple(const adze_target* target) {
  constexpr std::int64_t kMost = 4096;
  for (std::uint32_t i = 0; target && i < target->fact_count; ++i) {
    const adze_property& fact = *target->facts[i];
    if (std::string_view(fact.name) != "channels.multiple") continue;
    if (fact.type != ADZE_I64 || fact.count != 1 || fact.i64[0] < 1 || fact.i64[0] > kMost)
      throw Error(ADZE_INVALID_ARGUMENT,
                  "the board type's channels.multiple is no integer from 1 to 4096");
    return static_cast<std::uint32_t>(fact.i64[0]);
  }
  return 1;
}

}  // namespace adze::host
