#include "plugins/reconstruct/progress.hpp"

#include <algorithm>
#include <cmath>

namespace reconstruct {

void Progress::advance(double operations, const std::string& doing) {
  done_ += operations;
  const double fraction = expected_ > 0 ? std::min(done_ / expected_, 1.0) : 1.0;
  const double elapsed_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  std::string text = doing;
  if (fraction > 0.02 && elapsed_s > 1)
    text +=
        ", about " + std::to_string(std::lround(elapsed_s * (1 - fraction) / fraction)) + " s left";
  adze::progress(call_, fraction, text.c_str());
}

}  // namespace reconstruct
