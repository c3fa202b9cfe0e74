#include "host/abi/parallel.hpp"

#include <algorithm>
#include <exception>

#include "host/abi/guard.hpp"
#include "host/base/error.hpp"

namespace adze::host {

struct ThreadPool::Job {
  std::uint64_t count;
  const std::function<void(std::uint64_t)>& body;
  const std::function<bool()>& stop;
  std::atomic<std::uint64_t> next = 0;
  std::atomic<bool> stopped = false;

  void work() noexcept {
    while (!stopped) {
      const std::uint64_t index = next++;
      if (index >= count) return;
      if (stop()) {
        stopped = true;
        return;
      }
      body(index);
    }
  }
};

ThreadPool::~ThreadPool() {
  for (std::jthread& helper : helpers_) helper.request_stop();
}

void ThreadPool::start_helpers(std::uint64_t wanted) {
  while (helpers_.size() < wanted) try {
      helpers_.emplace_back([this](const std::stop_token& ending) { help(ending); });
    } catch (const std::exception&) {
      return;  // the machine gives no more threads: those there are do the work
    }
}

void ThreadPool::help(const std::stop_token& ending) {
  std::uint64_t done = 0;
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, ending, [&] { return job_ && job_number_ != done; })) {
    done = job_number_;
    Job& job = *job_;
    ++helping_;
    lock.unlock();
    job.work();
    lock.lock();
    if (--helping_ == 0) idle_.notify_all();
  }
}

bool ThreadPool::for_each(std::uint64_t count, const std::function<void(std::uint64_t)>& body,
                          const std::function<bool()>& stop) {
  Job job{.count = count, .body = body, .stop = stop};
  const std::uint64_t helpers = std::min<std::uint64_t>(threads_, count);
  if (helpers > 1) {
    start_helpers(helpers - 1);
    const std::scoped_lock lock(mutex_);
    job_ = &job;
    ++job_number_;
    wake_.notify_all();
  }
  job.work();
  std::unique_lock lock(mutex_);
  job_ = nullptr;  // who has not woken up yet is not needed any more
  idle_.wait(lock, [&] { return helping_ == 0; });
  return !job.stopped;
}

void Parallel::for_each(Call& call, std::uint64_t count, void (*body)(void*, std::uint64_t),
                        void* user) {
  if (!body) throw Error(ADZE_INVALID_ARGUMENT, "adze_parallel.for_each: there is no body");
  if (busy_.test_and_set())
    throw Error(ADZE_FAILED_PRECONDITION,
                "adze_parallel.for_each: a body may not call for_each itself");
  const bool finished = pool_.for_each(
      count, [&](std::uint64_t index) { body(user, index); }, [&] { return call.stopped(); });
  busy_.clear();
  if (!finished)
    throw Error(ADZE_CANCELLED, "adze_parallel.for_each: stopped before all were started");
}

namespace {

adze_status for_each(adze_call* call, std::uint64_t count, void (*body)(void*, std::uint64_t),
                     void* user) noexcept {
  return guarded(call,
                 [&](Call& self) { self.service<Parallel>().for_each(self, count, body, user); });
}

constexpr adze_parallel kParallel = {sizeof(adze_parallel), 0, for_each};

}  // namespace

const void* Parallel::table() const { return &kParallel; }

}  // namespace adze::host
