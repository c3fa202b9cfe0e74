#include <fmt/format.h>

#include <optional>

#include "host/base/error.hpp"
#include "host/onnx/prepare.hpp"
#include "host/onnx/tensors.hpp"

namespace adze::host {
namespace {

struct Overrun {
  std::uint64_t claimed, left;
};

std::optional<std::uint64_t> read_varint(std::span<const std::byte>& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<std::uint64_t>(bytes.front());
    bytes = bytes.subspan(1);
    value |= (byte & 0x7fu) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

// The first field that claims more bytes than are left, looking into graph (7), initializers (5)
// and nodes (1), attributes (5) and their tensors (5): protobuf itself only says "no".
std::optional<Overrun> find_overrun(std::span<const std::byte> bytes, int depth = 0) {
  constexpr int kDepth = 4;
  while (!bytes.empty()) {
    const auto key = read_varint(bytes);
    if (!key) return std::nullopt;
    switch (*key & 7u) {
      case 0:
        if (!read_varint(bytes)) return std::nullopt;
        break;
      case 1:
      case 5: {
        const std::size_t width = (*key & 7u) == 1 ? 8 : 4;
        if (bytes.size() < width) return Overrun{width, bytes.size()};
        bytes = bytes.subspan(width);
        break;
      }
      case 2: {
        const auto length = read_varint(bytes);
        if (!length) return std::nullopt;
        const std::uint64_t field = *key >> 3;
        const auto within = bytes.first(std::min<std::size_t>(*length, bytes.size()));
        const bool nests = depth == 0 ? field == 7 : field == 5 || field == 1;
        if (nests && depth < kDepth)
          if (const auto inner = find_overrun(within, depth + 1);
              inner && inner->claimed > kMaxModelBytes)
            return inner;
        if (*length > bytes.size()) return Overrun{*length, bytes.size()};
        bytes = bytes.subspan(*length);
        break;
      }
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

onnx::ModelProto parse_protobuf(std::span<const std::byte> bytes) {
  if (bytes.empty()) throw Error(ADZE_DATA_LOSS, "the model is empty");
  if (bytes.size() > kMaxModelBytes)
    throw Error(ADZE_OUT_OF_RANGE,
                fmt::format("the model has {} bytes; the limit is 2 GiB", bytes.size()));
  onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    const auto overrun = find_overrun(bytes);
    if (overrun && overrun->claimed > kMaxModelBytes)
      throw Error(
          ADZE_OUT_OF_RANGE,
          fmt::format("the model has a field that claims {} bytes, but only {} are left and "
                      "2 GiB is the limit",
                      overrun->claimed, overrun->left));
    if (overrun)
      throw Error(ADZE_DATA_LOSS,
                  fmt::format("the model is truncated or is not ONNX: a field claims {} bytes, but "
                              "only {} are left",
                              overrun->claimed, overrun->left));
    throw Error(ADZE_DATA_LOSS, "this is not an ONNX model, or it is damaged");
  }
  if (!model.has_graph() || model.ir_version() <= 0 || model.opset_import().empty())
    throw Error(ADZE_DATA_LOSS,
                "this is not an ONNX model: it has no graph, no format version or "
                "no operator set");
  return model;
}

}  // namespace adze::host
