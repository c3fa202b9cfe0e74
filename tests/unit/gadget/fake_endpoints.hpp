// The kernel's side of a gadget's endpoints, with the test as the host.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>

#include "hil/agent/usb/pipe.hpp"

namespace adze::hil::usb::test {

class FakeEndpoints final : public BulkEndpoints {
 public:
  int receive(Transfer& transfer) override { return take(receiving_, transfer); }
  int send(Transfer& transfer) override { return take(sending_, transfer); }
  void cancel(Transfer& transfer) override {
    const std::lock_guard lock(mutex_);
    if (stuck) return;
    for (auto* queue : {&receiving_, &sending_})
      if (std::erase(*queue, &transfer)) finish(transfer, -ECONNRESET);
  }
  void stall() override {
    const std::lock_guard lock(mutex_);
    ++stalls_;
  }
  std::vector<Transfer*> collect(Deadline deadline) override {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline, [this] { return !over_.empty(); });
    return std::exchange(over_, {});
  }

  /// One packet sequence that ends short, or fills transfers.
  void host_sends(const std::string& text) {
    std::span<const char> left(text);
    const std::lock_guard lock(mutex_);
    do {
      if (receiving_.empty()) throw std::runtime_error("the gadget takes nothing");
      Transfer& transfer = *receiving_.front();
      receiving_.pop_front();
      const std::size_t count = std::min(left.size(), transfer.length_bytes);
      std::memcpy(transfer.buffer.data(), left.data(), count);
      left = left.subspan(count);
      finish(transfer, static_cast<std::int64_t>(count));
    } while (!left.empty());
  }
  /// What one transfer of the gadget holds; empty: there is none.
  std::string host_takes() {
    const std::lock_guard lock(mutex_);
    if (sending_.empty()) return "";
    Transfer& transfer = *sending_.front();
    sending_.pop_front();
    finish(transfer, static_cast<std::int64_t>(transfer.length_bytes));
    return {reinterpret_cast<const char*>(transfer.buffer.data()), transfer.length_bytes};
  }
  /// As the kernel does when the host lets go: before it says so on the control endpoint.
  void shut_down(int error = ESHUTDOWN) {
    const std::lock_guard lock(mutex_);
    for (auto* queue : {&receiving_, &sending_})
      for (Transfer* transfer : std::exchange(*queue, {})) finish(*transfer, -error);
  }
  std::size_t receiving() const {
    const std::lock_guard lock(mutex_);
    return receiving_.size();
  }
  std::size_t sending() const {
    const std::lock_guard lock(mutex_);
    return sending_.size();
  }
  int stalls() const {
    const std::lock_guard lock(mutex_);
    return stalls_;
  }
  std::atomic<int> refuse = 0;      ///< the error number of new transfers
  std::atomic<bool> stuck = false;  ///< nothing is taken back

 private:
  int take(std::deque<Transfer*>& queue, Transfer& transfer) {
    if (refuse) return refuse;
    const std::lock_guard lock(mutex_);
    queue.push_back(&transfer);
    return 0;
  }
  void finish(Transfer& transfer, std::int64_t result) {
    transfer.result = result;
    over_.push_back(&transfer);
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Transfer*> receiving_, sending_;
  std::vector<Transfer*> over_;
  int stalls_ = 0;
};

}  // namespace adze::hil::usb::test
