#include "host/abi/edit_thunks.hpp"

#include "host/abi/call.hpp"
#include "host/abi/guard.hpp"
#include "host/base/error.hpp"
#include "host/plugin/first_sizes.hpp"

namespace adze::host {
namespace {

void only(adze_call* call, ComponentKind kind, const char* what) {
  if (Call::of(call).component().kind() != kind)
    throw Error(ADZE_PERMISSION_DENIED, std::string(what) + " is for a " + kind_name(kind));
}

/// Reads no more of the plugin's arrays than the value can have scales.
Quant quant_of(const EditList& edits, std::uint32_t value, const adze_quant& given) {
  if (!reaches_first_size(given))
    throw Error(ADZE_INVALID_ARGUMENT, "set_quant: adze_quant.struct_size is not set");
  if (given.flags != 0) throw Error(ADZE_UNIMPLEMENTED, "set_quant: unknown flags");
  if (given.code != ADZE_INT && given.code != ADZE_UINT)
    throw Error(ADZE_INVALID_ARGUMENT, "set_quant: code is neither ADZE_INT nor ADZE_UINT (S02)");
  if (given.count == 0 || !given.scale)
    throw Error(ADZE_INVALID_ARGUMENT, "set_quant: no scale (S02)");
  edits.check_scale_count(value, given.axis, given.count);
  Quant quant{.axis = given.axis,
              .is_signed = given.code == ADZE_INT,
              .bits = given.bits,
              .scale = {given.scale, given.scale + given.count},
              .zero_point = {}};
  if (given.zero_point) quant.zero_point.assign(given.zero_point, given.zero_point + given.count);
  return quant;
}

adze_status set_constant(adze_call* call, std::uint32_t value,
                         const adze_tensor* contents) noexcept {
  return guarded(call, [&](Call& self) {
    if (!contents) throw Error(ADZE_INVALID_ARGUMENT, "set_constant: no contents");
    // First, so that a wrong shape is never read by.
    self.edits()->check_contents(value, dtype_of(contents->code, contents->bits),
                                 shape_of(*contents));
    self.edits()->set_constant(value, copy_of(*contents));
  });
}

adze_status set_mask(adze_call* call, std::uint32_t value, const std::uint8_t* keep,
                     std::uint64_t count) noexcept {
  return guarded(call, [&](Call& self) {
    only(call, ComponentKind::pruner, "set_mask");
    if (!keep && count) throw Error(ADZE_INVALID_ARGUMENT, "set_mask: no mask");
    self.edits()->set_mask(value, {keep, count});
  });
}

adze_status remove_channels(adze_call* call, std::uint32_t group, const std::uint32_t* channels,
                            std::uint64_t count) noexcept {
  return guarded(call, [&](Call& self) {
    only(call, ComponentKind::pruner, "remove_channels");
    if (!channels && count) throw Error(ADZE_INVALID_ARGUMENT, "remove_channels: no channels");
    self.edits()->remove_channels(group, {channels, count});
  });
}

adze_status set_quant(adze_call* call, std::uint32_t value, const adze_quant* quant) noexcept {
  return guarded(call, [&](Call& self) {
    only(call, ComponentKind::quantizer, "set_quant");
    self.edits()->set_quant(
        value, quant ? std::optional(quant_of(*self.edits(), value, *quant)) : std::nullopt);
  });
}

std::uint64_t mark(adze_call* call) noexcept { return Call::of(call).edits()->mark(); }

adze_status rewind(adze_call* call, std::uint64_t mark) noexcept {
  return guarded(call, [&](Call& self) { self.edits()->rewind(mark); });
}

constexpr adze_edit kEdit = {sizeof(adze_edit), 0,         set_constant, set_mask,
                             remove_channels,   set_quant, mark,         rewind};

}  // namespace

const adze_edit* edit_thunks() { return &kEdit; }

}  // namespace adze::host
