// The threads that share the work of one step. They are kept between steps and wait for the next
// one awake for a moment: a small layer is done in less time than it takes to wake a thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace adze::exec {

/// Calls chunk(context, i) for each i in [0, count), on the calling thread and up to `threads - 1`
/// others. Which thread takes which chunk is left to chance, so that a thread that has lost its CPU
/// to another program delays the rest by one chunk at most. Alone, when the threads are busy with
/// the work of another caller. The first exception is thrown again here.
void run_chunks(int threads, std::int64_t count, void (*chunk)(void* context, std::int64_t index),
                void* context);

template <class Body>
void for_chunks(int threads, std::int64_t count, const Body& body) {
  if (threads <= 1 || count <= 1) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  const auto call = [](void* context, std::int64_t index) {
    (*static_cast<const Body*>(context))(index);
  };
  run_chunks(threads, count, call, const_cast<Body*>(&body));
}

/// Calls body(begin, end) for parts of [0, count) on up to `threads` threads; parts depend on
/// nothing but count and threads.
template <class Body>
void parallel_for(int threads, std::int64_t count, const Body& body) {
  constexpr std::int64_t kPartsPerThread = 4;
  if (threads <= 1 || count <= 1) return body(std::int64_t{0}, count);
  const std::int64_t parts = std::min(count, threads * kPartsPerThread);
  for_chunks(threads, parts,
             [&](std::int64_t part) { body(count * part / parts, count * (part + 1) / parts); });
}

/// Memory of the calling thread, aligned for vectors; contents are lost by the next call.
std::byte* thread_scratch(std::size_t bytes);

/// Sets the number of OpenMP threads, which oneDNN uses, of the calling thread, and sets it back.
class ThreadCount {
 public:
  explicit ThreadCount(int threads);
  ~ThreadCount();
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

}  // namespace adze::exec
