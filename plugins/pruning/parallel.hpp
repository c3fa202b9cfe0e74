// The host's threads, for work whose result does not depend on how many there are.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <functional>

namespace pruning {

/// body(i) for each i < count, in no order; returns when all are done. Each body has OpenBLAS on
/// its own thread alone. What a body throws is thrown again, that of the lowest i when several do.
using ForEach =
    std::function<void(std::uint64_t count, const std::function<void(std::uint64_t)>& body)>;

ForEach on_this_thread();
/// Those of adze.parallel/1; this thread alone where the host does not offer them.
ForEach on_host_threads(adze_call* call);

/// Keeps OpenBLAS on the calling thread while it lives: a threaded kernel would only get in the way
/// of the other threads, and its sums would depend on their number. OpenBLAS on OpenMP follows a
/// setting of the calling thread. Its setting for the process must not change while another
/// instance computes: that takes the buffers away from under it.
class OneBlasThread {
 public:
  OneBlasThread();
  ~OneBlasThread();
  OneBlasThread(const OneBlasThread&) = delete;
  OneBlasThread& operator=(const OneBlasThread&) = delete;

 private:
  int before_;
};

}  // namespace pruning
