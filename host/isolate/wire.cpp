#include "host/isolate/wire.hpp"

#include <algorithm>
#include <cstring>

#include "host/base/error.hpp"
#include "host/isolate/shared_constants.hpp"

namespace adze::host {
namespace {

/// In front of every message. 64 bytes, so that what follows is as aligned as in a mapping.
struct Preamble {
  std::uint32_t verb = 0;
  std::uint32_t shared = 0;  ///< head and blobs are in the descriptor that came along
  std::uint64_t head_bytes = 0, blob_bytes = 0;
  std::uint64_t reserved[5] = {};
};
static_assert(sizeof(Preamble) == 64);

constexpr std::size_t kMostInline = 256u << 10;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 40;

/// In the place of an offset: the number of a blob that came before.
constexpr std::uint64_t kKept = std::uint64_t{1} << 63;

constexpr std::size_t aligned(std::size_t size) { return (size + 63) / 64 * 64; }

}  // namespace

void Writer::raw(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  if (size) head_.insert(head_.end(), bytes, bytes + size);
}

void Writer::text(const char* text) {
  const std::uint64_t size = text ? std::strlen(text) + 1 : 0;
  number(size);
  raw(text, size);
}

void Writer::blob(const void* data, std::uint64_t size) {
  if (!data) size = 0;
  number<std::uint64_t>(blob_bytes_);
  number(size);
  if (!size) return;
  blobs_.push_back({blob_bytes_, {static_cast<const std::byte*>(data), size}});
  blob_bytes_ = aligned(blob_bytes_ + size);
}

void Writer::blob(std::shared_ptr<const SharedFile> file) {
  number<std::uint64_t>(kKept | file->id);
  number<std::uint64_t>(file->shown_bytes);
  files_.push_back(std::move(file));
}

void Reader::refuse() {
  throw Error(ADZE_DATA_LOSS, "a message that ends in the middle of a field");
}

const std::byte* Reader::take(std::size_t size) {
  if (at_ > head_.size() || size > head_.size() - at_) refuse();
  const std::byte* taken = head_.data() + at_;
  at_ += size;
  return taken;
}

const char* Reader::text() {
  const auto size = number<std::uint64_t>();
  if (size == 0) return nullptr;
  const auto* text = reinterpret_cast<const char*>(take(size));
  if (text[size - 1] != 0) throw Error(ADZE_DATA_LOSS, "a text without an end in a message");
  return text;
}

std::uint32_t Reader::count() {
  const auto many = number<std::uint32_t>();
  if (many > head_.size() - at_) refuse();
  return many;
}

std::span<const std::byte> Reader::blob() {
  const auto offset = number<std::uint64_t>(), size = number<std::uint64_t>();
  if ((offset & kKept) && kept_) return kept_->find(offset & ~kKept, size);
  if (offset > blobs_.size() || size > blobs_.size() - offset) refuse();
  return blobs_.subspan(offset, size);
}

Message::Message(Frame&& frame, Channel& channel) : payload_(std::move(frame.payload)) {
  Preamble preamble;
  if (payload_.size() < sizeof preamble)
    throw Error(ADZE_DATA_LOSS, "a frame that is too short for a message");
  std::memcpy(&preamble, payload_.data(), sizeof preamble);
  verb_ = static_cast<Verb>(preamble.verb);
  std::span<const std::byte> body = std::span(payload_).subspan(sizeof preamble);
  if (preamble.head_bytes > kMostBytes || preamble.blob_bytes > kMostBytes) Reader::refuse();
  if (preamble.shared) {
    auto descriptors = channel.take_descriptors(1);
    shared_.emplace(std::move(descriptors.front()),
                    aligned(preamble.head_bytes) + preamble.blob_bytes);
    body = shared_->bytes();
  }
  if (body.size() != aligned(preamble.head_bytes) + preamble.blob_bytes)
    throw Error(ADZE_DATA_LOSS, "a message of another size than it says");
  head_ = body.first(preamble.head_bytes);
  blobs_ = body.subspan(aligned(preamble.head_bytes));
}

std::span<const std::byte> Message::mapped() const {
  return shared_ ? shared_->bytes() : std::span<const std::byte>();
}

Message& Message::settled_in(ProtectedMemory& memory) {
  if (shared_ || payload_.empty()) return *this;
  auto* moved = static_cast<std::byte*>(memory.take(payload_.size()));
  std::ranges::copy(payload_, moved);
  const auto at = [&](std::span<const std::byte> part) {
    return std::span<const std::byte>(moved + (part.data() - payload_.data()), part.size());
  };
  head_ = at(head_);
  blobs_ = at(blobs_);
  payload_.clear();
  return *this;
}

void send_message(Channel& channel, Verb verb, const Writer& contents, Deadline deadline,
                  const OwnedFd* beside) {
  Preamble preamble{.verb = static_cast<std::uint32_t>(verb),
                    .head_bytes = contents.head_.size(),
                    .blob_bytes = contents.blob_bytes_};
  const std::size_t blobs_at = aligned(contents.head_.size()),
                    size = blobs_at + contents.blob_bytes_;
  preamble.shared = contents.read_only_ || size > kMostInline;
  Frame frame{.type = FrameType::request, .payload = {}};
  frame.payload.resize(sizeof preamble + (preamble.shared ? 0 : size));
  std::memcpy(frame.payload.data(), &preamble, sizeof preamble);
  std::vector<OwnedFd> descriptors;
  if (preamble.shared) {
    std::vector<SharedPart> parts{{0, contents.head_}};
    for (const SharedPart& blob : contents.blobs_)
      parts.push_back({blobs_at + blob.offset, blob.bytes});
    descriptors.push_back(share(parts, size));
  } else {
    std::byte* to = frame.payload.data() + sizeof preamble;
    std::ranges::copy(contents.head_, to);
    for (const SharedPart& blob : contents.blobs_)
      std::ranges::copy(blob.bytes, to + blobs_at + blob.offset);
  }
  channel.send(frame, beside ? std::span(beside, 1) : std::span<const OwnedFd>(descriptors),
               deadline);
}

}  // namespace adze::host
