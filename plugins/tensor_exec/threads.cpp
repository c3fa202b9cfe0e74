#include "plugins/tensor_exec/threads.hpp"

#include <omp.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "plugins/tensor_exec/memory.hpp"

namespace adze::exec {
namespace {

constexpr int kSpins = 20000;  ///< about half a millisecond awake before a thread goes to sleep
constexpr int kMaxThreads = 256;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

class Pool {
 public:
  ~Pool() {
    ending_ = true;
    ++epoch_;
    epoch_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  /// False when another caller has the threads.
  bool run(int threads, std::int64_t count, void (*chunk)(void*, std::int64_t), void* context) {
    if (busy_.exchange(true)) return false;
    while (static_cast<int>(threads_.size()) + 1 < std::min(threads, kMaxThreads))
      threads_.emplace_back([this, self = static_cast<int>(threads_.size())] { serve(self); });
    chunk_ = chunk;
    context_ = context;
    count_ = count;
    helpers_ = threads - 1;
    next_ = 0;
    open_ = true;
    ++epoch_;
    epoch_.notify_all();
    take_chunks();
    open_ = false;
    for (int spins = 0; active_ > 0; ++spins) spins < kSpins ? pause() : std::this_thread::yield();
    const std::exception_ptr failure = std::exchange(failure_, nullptr);
    busy_ = false;
    if (failure) std::rethrow_exception(failure);
    return true;
  }

 private:
  void take_chunks() {
    for (std::int64_t i = next_++; i < count_; i = next_++) {
      try {
        chunk_(context_, i);
      } catch (...) {
        const std::lock_guard lock(failed_);
        if (!failure_) failure_ = std::current_exception();
      }
    }
  }

  void serve(int self) {
    omp_set_num_threads(1);  // oneDNN, called from here, is not to start threads of its own
    for (unsigned seen = 0;;) {
      for (int spins = 0; epoch_ == seen && spins < kSpins; ++spins) pause();
      epoch_.wait(seen);
      seen = epoch_;
      if (ending_) return;
      // The caller waits for active_ after it has closed the job: what is read here stays.
      ++active_;
      if (open_ && self < helpers_) take_chunks();
      --active_;
    }
  }

  std::mutex failed_;
  std::vector<std::thread> threads_;
  void (*chunk_)(void*, std::int64_t) = nullptr;
  void* context_ = nullptr;
  std::int64_t count_ = 0;
  int helpers_ = 0;
  std::exception_ptr failure_;
  std::atomic<std::int64_t> next_{0};
  std::atomic<bool> busy_{false}, open_{false}, ending_{false};
  std::atomic<int> active_{0};
  std::atomic<unsigned> epoch_{0};
};

}  // namespace

void run_chunks(int threads, std::int64_t count, void (*chunk)(void*, std::int64_t),
                void* context) {
  static Pool pool;
  if (pool.run(threads, count, chunk, context)) return;
  for (std::int64_t i = 0; i < count; ++i) chunk(context, i);
}

std::byte* thread_scratch(std::size_t bytes) {
  thread_local AlignedBytes memory;
  thread_local std::size_t size = 0;
  if (size < bytes) {
    memory = AlignedBytes();
    memory = AlignedBytes(bytes);
    size = bytes;
  }
  return memory.data();
}

ThreadCount::ThreadCount(int threads) : before_(omp_get_max_threads()) {
  omp_set_num_threads(std::max(threads, 1));
}

ThreadCount::~ThreadCount() { omp_set_num_threads(before_); }

}  // namespace adze::exec
