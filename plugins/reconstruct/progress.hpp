// How far a call has come, and about how long it still takes.
#pragma once

#include <adze/adze.hpp>
#include <chrono>
#include <string>

namespace reconstruct {

class Progress {
 public:
  explicit Progress(adze_call* call) : call_(call), start_(std::chrono::steady_clock::now()) {}

  /// Adds to what there is to do.
  void expect(double operations) { expected_ += operations; }
  /// So much of it is done, and `doing` comes next. Errors: adze::HostError CANCELLED.
  void advance(double operations, const std::string& doing);

 private:
  adze_call* call_;
  double expected_ = 0, done_ = 0;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace reconstruct
