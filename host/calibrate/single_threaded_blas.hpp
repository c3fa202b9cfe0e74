// Keeps OpenBLAS on the calling thread, so that results do not depend on the number of threads.
#pragma once

#include <cblas.h>
#include <omp.h>

namespace adze::host {

// A system may have one of three builds of OpenBLAS behind one library name. The serial one needs
// nothing, the other two one of these classes each; whichever is not meant does no harm.

/// The build on OpenMP follows a setting of each thread: for the thread that makes the object.
class SingleThreadedOpenMp {
 public:
  SingleThreadedOpenMp() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~SingleThreadedOpenMp() { omp_set_num_threads(before_); }
  SingleThreadedOpenMp(const SingleThreadedOpenMp&) = delete;
  SingleThreadedOpenMp& operator=(const SingleThreadedOpenMp&) = delete;

 private:
  int before_;
};

/// The build on pthreads has a setting of the process.
class SingleThreadedOpenBlas {
 public:
  SingleThreadedOpenBlas()
      : before_(openblas_get_parallel() == OPENBLAS_THREAD ? openblas_get_num_threads() : 0) {
    if (before_) openblas_set_num_threads(1);
  }
  ~SingleThreadedOpenBlas() {
    if (before_) openblas_set_num_threads(before_);
  }
  SingleThreadedOpenBlas(const SingleThreadedOpenBlas&) = delete;
  SingleThreadedOpenBlas& operator=(const SingleThreadedOpenBlas&) = delete;

 private:
  int before_;
};

}  // namespace adze::host
