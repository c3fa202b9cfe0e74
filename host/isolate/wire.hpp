// Messages between the host's proxies and adze-worker: a head of fields, and blobs behind it that
// are used where they lie.
//
// A message is one frame. Small ones travel inside it; large ones in a sealed memfd beside it, so
// that the bytes of a tensor are copied once, by write(), and mapped by the other side.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "host/base/protected_memory.hpp"
#include "host/worker/channel.hpp"
#include "host/worker/shared_buffer.hpp"

namespace adze::host {

enum class Verb : std::uint32_t {
  // host to worker: the functions of a component
  create = 1,
  destroy,
  prune,
  quantize,
  place,
  estimate,
  compile,
  load,
  run,
  profile,
  artifacts,
  release,
  // host to worker, without an answer: a constant that later messages name by number
  keep = 31,
  // worker to host: that function returned
  returned = 32,
  // worker to host, without an answer
  log,
  fail,
  // worker to host, each answered
  progress,
  set_constant,
  set_mask,
  remove_channels,
  set_quant,
  mark,
  rewind,
  report_placement,
  report_unavailable,
  report_output,
  report_profile,
  report_artifact,
  collect,
  release_statistic,
  score,
  ask_latency,
  batch,
  reference,
  groups,
  onnx_bytes,
  onnx_save,
  // host to worker
  answer = 128
};

struct SharedFile;

class Writer {
 public:
  template <class T>
  void number(T value) requires(std::is_arithmetic_v<T>) {
    raw(&value, sizeof value);
  }
  /// NULL stays NULL.
  void text(const char* text);
  void text(const std::string& text) { this->text(text.c_str()); }
  /// Used in place by the reader. NULL and 0 elements are the same.
  template <class T>
  void array(const T* elements, std::uint64_t count) requires(std::is_arithmetic_v<T>) {
    number(count);
    head_.resize((head_.size() + 7) / 8 * 8);
    raw(elements, count * sizeof(T));
  }
  /// `size` bytes that must stay as they are until the message is sent.
  void blob(const void* data, std::uint64_t size);
  /// A blob that the reader has, or is sent before this message.
  void blob(std::shared_ptr<const SharedFile> file);
  /// However small, the message goes to memory that the reader cannot write to.
  void make_read_only() { read_only_ = true; }
  /// The reader forgets the files that are not in this message.
  void show_graph() { shows_graph_ = true; }
  bool shows_graph() const { return shows_graph_; }
  const std::vector<std::shared_ptr<const SharedFile>>& files() const { return files_; }

 private:
  friend void send_message(Channel&, Verb, const Writer&, Deadline, const OwnedFd*);
  void raw(const void* data, std::size_t size);

  std::vector<std::byte> head_;
  std::vector<SharedPart> blobs_;  ///< offsets behind the head
  std::size_t blob_bytes_ = 0;
  std::vector<std::shared_ptr<const SharedFile>> files_;
  bool read_only_ = false, shows_graph_ = false;
};

/// Blobs that came before the message that names them.
class KeptBlobs {
 public:
  virtual ~KeptBlobs() = default;
  /// Errors: DATA_LOSS when there is none of this size.
  virtual std::span<const std::byte> find(std::uint64_t id, std::uint64_t size) = 0;
};

/// Every read is checked against the end. Errors: DATA_LOSS.
class Reader {
 public:
  Reader(std::span<const std::byte> head, std::span<const std::byte> blobs,
         KeptBlobs* kept = nullptr)
      : head_(head), blobs_(blobs), kept_(kept) {}

  template <class T>
  T number() requires(std::is_arithmetic_v<T>) {
    T value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }
  const char* text();
  /// NULL when there are none.
  template <class T>
  const T* array(std::uint64_t& count) requires(std::is_arithmetic_v<T>) {
    count = number<std::uint64_t>();
    at_ = (at_ + 7) / 8 * 8;
    if (count > head_.size() / sizeof(T)) refuse();
    const auto* elements = reinterpret_cast<const T*>(take(count * sizeof(T)));
    return count ? elements : nullptr;
  }
  /// How many things follow, each of at least one byte.
  std::uint32_t count();
  std::span<const std::byte> blob();
  [[noreturn]] static void refuse();

 private:
  const std::byte* take(std::size_t size);

  std::span<const std::byte> head_, blobs_;
  KeptBlobs* kept_;
  std::size_t at_ = 0;
};

/// A message that came, and the memory its arrays and blobs lie in.
class Message {
 public:
  /// Errors: DATA_LOSS for a frame that is no message.
  Message(Frame&& frame, Channel& channel);
  Verb verb() const { return verb_; }
  Reader reader(KeptBlobs* kept = nullptr) const { return {head_, blobs_, kept}; }
  /// The mapped part; empty for a small message.
  std::span<const std::byte> mapped() const;
  /// Moves what is not mapped to `memory`.
  Message& settled_in(ProtectedMemory& memory);

 private:
  Verb verb_{};
  std::vector<std::byte> payload_;
  std::optional<SharedBuffer> shared_;
  std::span<const std::byte> head_, blobs_;
};

/// A message is sent by then unless the other side is stopped: it reads whenever it waits.
inline constexpr std::int64_t kSendMs = 60'000;
/// `beside`: a file that goes along with a small message. Errors: as Channel::send,
/// RESOURCE_EXHAUSTED.
void send_message(Channel& channel, Verb verb, const Writer& contents, Deadline deadline,
                  const OwnedFd* beside = nullptr);

/// Zeroed structs and arrays that live as long as the pool, or as the memory it takes them from.
class Pool {
 public:
  explicit Pool(ProtectedMemory* memory = nullptr) : memory_(memory) {}
  template <class T>
  T* make(std::size_t count = 1) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 8);
    if (memory_) return static_cast<T*>(memory_->take(count * sizeof(T)));
    const std::size_t words = (count * sizeof(T) + 7) / 8;
    return reinterpret_cast<T*>(
        blocks_.emplace_back(std::make_unique<std::uint64_t[]>(words ? words : 1)).get());
  }

 private:
  ProtectedMemory* memory_;
  std::deque<std::unique_ptr<std::uint64_t[]>> blocks_;
};

}  // namespace adze::host
