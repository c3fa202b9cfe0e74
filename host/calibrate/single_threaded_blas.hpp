// Keeps OpenBLAS on the calling thread, so that results do not depend on the number of threads.
#pragma once

#include <cblas.h>

namespace adze::host {

/// Of the builds of OpenBLAS that a system may have behind one library name, the one on OpenMP
/// follows omp_set_num_threads() of the caller, the serial one needs nothing, and the one on
/// pthreads has a setting for the whole process, which this object sets and puts back.
class SingleThreadedBlas {
 public:
  SingleThreadedBlas()
      : before_(openblas_get_parallel() == OPENBLAS_THREAD ? openblas_get_num_threads() : 0) {
    if (before_) openblas_set_num_threads(1);
  }
  ~SingleThreadedBlas() {
    if (before_) openblas_set_num_threads(before_);
  }
  SingleThreadedBlas(const SingleThreadedBlas&) = delete;
  SingleThreadedBlas& operator=(const SingleThreadedBlas&) = delete;

 private:
  int before_;
};

}  // namespace adze::host
