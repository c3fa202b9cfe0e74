// adze.parallel/1: the host's threads, lent to a component. Needs nothing but this library, so that
// a worker process serves it without asking the host.
#pragma once

#include <adze/ext/draft/parallel.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "host/abi/call.hpp"

namespace adze::host {

/// Threads that sleep between jobs. They start when the first job has work for them.
class ThreadPool {
 public:
  /// At most `threads` threads work at once, the caller of for_each() among them.
  explicit ThreadPool(std::uint32_t threads) : threads_(threads) {}
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// body(i) for each i < count, in no order; returns when all are done. `stop` is asked before
  /// each of them, on any of the threads; false: it said so before all were started. Neither may
  /// throw. One caller at a time.
  bool for_each(std::uint64_t count, const std::function<void(std::uint64_t)>& body,
                const std::function<bool()>& stop);

 private:
  struct Job;
  void start_helpers(std::uint64_t wanted);
  void help(const std::stop_token& ending);

  std::uint32_t threads_;
  std::mutex mutex_;  // of the following
  std::condition_variable_any wake_, idle_;
  Job* job_ = nullptr;
  std::uint64_t job_number_ = 0, helping_ = 0;
  std::vector<std::jthread> helpers_;
};

/// Serves one call, on as many threads as the call allows.
class Parallel : public Service {
 public:
  explicit Parallel(std::uint32_t threads) : pool_(threads) {}
  const char* id() const override { return ADZE_PARALLEL; }
  const void* table() const override;

  /// Errors: INVALID_ARGUMENT without a body; FAILED_PRECONDITION when a body calls it; CANCELLED.
  void for_each(Call& call, std::uint64_t count, void (*body)(void* user, std::uint64_t index),
                void* user);

 private:
  ThreadPool pool_;
  std::atomic_flag busy_;
};

}  // namespace adze::host
