// Copies of what a component is shown, placed where a fault shows: at the edge of forbidden memory,
// before a newer host's fields, or in memory that cannot be written.
#pragma once

#include <adze/backend.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "host/check/fault_reporter.hpp"

namespace adze::host::check {

/// What lies behind each sized struct.
enum class Behind {
  zeros,  ///< an ordinary host: nothing that hurts
  guard,  ///< an older host: memory that must not be touched
  newer   ///< a newer host: struct_size is larger, and what came later is poison
};

class Stage {
 public:
  explicit Stage(Behind behind = Behind::zeros, bool read_only = false)
      : behind_(behind), read_only_(read_only) {}
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  /// `original` with everything it points to that has a size, and all constants. `int4`: a value
  /// that is shown as int4 although no host type is; ADZE_NONE: none.
  adze_call* call(const adze_call& original, std::uint64_t argument_count,
                  std::uint32_t int4 = ADZE_NONE);
  const adze_compile* compile(const adze_compile& original);
  const adze_what_if* what_if(const adze_what_if& original);
  /// An extension's table, or any other that begins with its struct_size.
  const void* table(const void* original, const char* what_is_behind);
  const adze_tensor* tensor(const adze_tensor& original);

  /// From now on nothing that was copied can be written, if this stage is read-only.
  void seal();
  /// Of everything that was copied before seal().
  std::uint64_t checksum() const;

 private:
  struct Mapping {
    char* start = nullptr;
    std::size_t size = 0;
    std::unique_ptr<WatchedRange> watched;
  };

  template <class T>
  T* sized(const T& original, const char* what_is_behind);
  void* place(const void* original, std::size_t size, const char* what_is_behind, bool functions);
  char* take(std::size_t size);
  Mapping& map(std::size_t size);
  template <class T>
  const T* const* pointers(const std::vector<const T*>& list);
  const adze_graph* graph(const adze_graph& original, std::uint32_t int4);
  const adze_value* value(const adze_value& original, bool as_int4);
  const adze_node* node(const adze_node& original);
  const adze_property* property(const adze_property& original);
  const adze_target* target(const adze_target& original);

  Behind behind_;
  bool read_only_;
  std::mutex mutex_;  // get_extension() places tables while the component runs
  ProtectedMemory memory_;
  std::vector<Mapping> guards_;
  std::vector<std::span<const std::byte>> shown_;  ///< before seal()
};

}  // namespace adze::host::check
