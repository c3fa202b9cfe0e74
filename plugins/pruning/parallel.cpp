#include "plugins/pruning/parallel.hpp"

#include <adze/ext/draft/parallel.h>
#include <cblas.h>
#include <omp.h>

#include <exception>
#include <mutex>

namespace pruning {
namespace {

struct Work {
  const std::function<void(std::uint64_t)>& body;
  std::mutex mutex;
  std::uint64_t failed = UINT64_MAX;
  std::exception_ptr failure;

  void run(std::uint64_t index) noexcept {
    try {
      const OneBlasThread one;
      body(index);
    } catch (...) {
      const std::scoped_lock lock(mutex);
      if (index >= failed) return;
      failed = index;
      failure = std::current_exception();
    }
  }
};

}  // namespace

OneBlasThread::OneBlasThread() : before_(omp_get_max_threads()) {
  static std::once_flag once;
  std::call_once(once, [] {
    if (openblas_get_parallel() == OPENBLAS_THREAD) openblas_set_num_threads(1);
  });
  omp_set_num_threads(1);
}

OneBlasThread::~OneBlasThread() { omp_set_num_threads(before_); }

ForEach on_this_thread() {
  return [](std::uint64_t count, const std::function<void(std::uint64_t)>& body) {
    const OneBlasThread one;
    for (std::uint64_t i = 0; i < count; ++i) body(i);
  };
}

ForEach on_host_threads(adze_call* call) {
  const void* found = call->host->get_extension(call, ADZE_PARALLEL);
  if (!found || call->threads < 2) return on_this_thread();
  const auto* parallel = static_cast<const adze_parallel*>(found);
  return [call, parallel](std::uint64_t count, const std::function<void(std::uint64_t)>& body) {
    if (count == 0) return;
    if (count == 1) {
      const OneBlasThread one;
      body(0);
      return;
    }
    Work work{body, {}, UINT64_MAX, nullptr};
    const adze_status status = parallel->for_each(
        call, count, [](void* user, std::uint64_t index) { static_cast<Work*>(user)->run(index); },
        &work);
    if (work.failure) std::rethrow_exception(work.failure);
    adze::check(status);
  };
}

}  // namespace pruning
