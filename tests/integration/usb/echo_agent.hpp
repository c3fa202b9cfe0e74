// Stands in for an agent where only the link is tested: sends back what it gets.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace adze::test {

class EchoAgent {
 public:
  ~EchoAgent() {
    for (auto& thread : threads_) thread.join();
  }
  /// A new connection; it ends when its user closes it.
  int connect() {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      throw std::runtime_error("no socket pair");
    }
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([this, end = ends[1]] { serve(end); });
    return ends[0];
  }
  /// The agent hangs up after so many bytes of each later connection.
  void close_after(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    close_after_bytes_ = bytes;
  }
  int connections() {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(threads_.size());
  }

 private:
  void serve(int end) {
    std::size_t left = 0;
    {
      const std::lock_guard lock(mutex_);
      left = close_after_bytes_;
    }
    std::vector<char> bytes(64 * 1024);
    for (ssize_t count = 0;
         left > 0 && (count = recv(end, bytes.data(), std::min(left, bytes.size()), 0)) > 0;) {
      left -= static_cast<std::size_t>(count);
      for (ssize_t sent = 0; sent < count;) {
        const ssize_t part =
            send(end, bytes.data() + sent, static_cast<std::size_t>(count - sent), MSG_NOSIGNAL);
        if (part <= 0) break;
        sent += part;
      }
    }
    close(end);
  }

  std::mutex mutex_;
  std::size_t close_after_bytes_ = SIZE_MAX;
  std::vector<std::thread> threads_;
};

}  // namespace adze::test
