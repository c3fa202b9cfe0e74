#include "hil/agent/lease.hpp"

#include <random>

namespace adze::hil {

std::optional<std::uint64_t> Lease::take(const void* link, const std::string& client,
                                         std::string& holder) {
  const std::lock_guard guard(mutex_);
  if (link_ && link_ != link && Clock::now() - used_ < idle_) {
    holder = client_;
    return std::nullopt;
  }
  std::random_device random;
  do {
    nonce_ = std::uint64_t{random()} << 32 | random();
  } while (nonce_ == 0);
  link_ = link;
  client_ = client;
  used_ = Clock::now();
  return nonce_;
}

bool Lease::holds(const void* link, std::uint64_t nonce) {
  const std::lock_guard guard(mutex_);
  if (!link_ || link_ != link || nonce != nonce_) return false;
  used_ = Clock::now();
  return true;
}

void Lease::release(const void* link) {
  const std::lock_guard guard(mutex_);
  if (link_ == link) link_ = nullptr;
}

}  // namespace adze::hil
