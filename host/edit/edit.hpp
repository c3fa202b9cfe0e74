// What a component asks for, as a list: checked one by one, committed all or nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/graph/channel_groups.hpp"
#include "host/graph/graph.hpp"

namespace adze::host {

struct Edit {
  enum class Kind { constant, mask, channels, quant };
  Kind kind = Kind::constant;
  std::uint32_t target = kNone;    ///< a value; for channels: a group
  Tensor constant;                 ///< kind constant
  std::vector<std::uint8_t> keep;  ///< kind mask
  std::vector<std::uint32_t> channels;
  std::optional<Quant> quant;  ///< kind quant; nullopt undoes
};

/// Edits of one call, speaking of `shown` as it was when the call began. Every add checks at once;
/// a refused edit throws and leaves the list as it was.
class EditList {
 public:
  /// `shown` must outlive the list. `targets`: nodes this stage may change; a new constant or mask
  /// for a value that any other node reads is refused with PERMISSION_DENIED. Quantization is not
  /// restricted. `refits`: nodes whose constants it may change, but not prune.
  EditList(const Graph& shown, std::vector<std::uint32_t> targets,
           std::vector<std::uint32_t> refits = {});

  /// Errors of all: INVALID_ARGUMENT (no such value, not a constant, wrong shape, type or count,
  /// not finite, scale not > 0, axis or zero point out of range, no such group, channels not
  /// ascending or all of them), FAILED_PRECONDITION (a nonzero constant under a mask of an earlier
  /// stage; a new zero in a layer that stays dense).
  /// `contents` has the type the view shows: f32 for f16 and bf16 constants.
  void set_constant(std::uint32_t value, Tensor contents);
  /// What set_constant() refuses before it looks at the elements, for callers who copy from
  /// somebody else's memory: what is refused here need not even be there.
  void check_contents(std::uint32_t value, DType dtype, const Shape& shape) const;
  void set_mask(std::uint32_t value, std::span<const std::uint8_t> keep);
  /// `channels`: ascending; none takes an earlier removal from the group back.
  void remove_channels(std::uint32_t group, std::span<const std::uint32_t> channels);
  /// Refuses the bias of a Conv, ConvTranspose or Gemm: its scale follows from the inputs'.
  void set_quant(std::uint32_t value, std::optional<Quant> quant);
  /// The same before it looks at the scales.
  void check_scale_count(std::uint32_t value, std::int32_t axis, std::uint64_t count) const;

  std::uint64_t mark() const { return edits_.size(); }
  /// Errors: INVALID_ARGUMENT for a mark that no mark() returned.
  void rewind(std::uint64_t mark);

  const std::vector<Edit>& edits() const { return edits_; }
  /// Those of find_channel_groups(), which `remove_channels` speaks of.
  const ChannelGroups& channel_groups() const;
  /// The graph with all edits made: constants, then masks (old AND new; masked elements become 0),
  /// then removed channels, then quantization; of two edits of one kind on one value or group the
  /// later counts. `pattern` names the pattern of new masks. Nodes and values keep their indices.
  Graph commit(const std::string& pattern = "unstructured") const;

 private:
  bool is_target(std::uint32_t node) const;
  const Value& changeable_constant(Edit::Kind kind, std::uint32_t value) const;
  const Value& quantizable(std::uint32_t value) const;

  const Graph& shown_;
  std::vector<std::uint32_t> targets_, refits_;
  std::vector<Edit> edits_;
  mutable std::unique_ptr<const ChannelGroups> groups_;  // found when first asked for
};

}  // namespace adze::host
