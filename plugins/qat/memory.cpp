#include "plugins/qat/memory.hpp"

#include <c10/core/CPUAllocator.h>
#include <c10/core/alignment.h>
#include <c10/core/impl/alloc_cpu.h>

#include <cstddef>
#include <map>
#include <mutex>
#include <new>
#include <vector>

namespace qat {
namespace {

// Smaller blocks do not come from the system one by one.
constexpr std::size_t kSmallestKept = 1 << 15;

/// Hands out blocks with their size in front, so that whoever frees one need not know it.
class Pool : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) const override {
    void* block = bytes < kSmallestKept ? nullptr : take(bytes);
    if (!block) block = c10::alloc_cpu(kFront + bytes);
    *static_cast<std::size_t*>(block) = bytes;
    void* data = static_cast<char*>(block) + kFront;
    return {data, data, &give_back, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }

  void open() {
    const std::lock_guard lock(mutex_);
    if (users_++ == 0) c10::SetCPUAllocator(this);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    if (--users_ > 0) return;
    c10::SetCPUAllocator(c10::GetDefaultCPUAllocator());
    for (const auto& [bytes, blocks] : kept_)
      for (void* block : blocks) c10::free_cpu(block);
    kept_.clear();
  }

  /// Never destroyed: tensors may outlive every KeptMemory.
  static Pool& get() {
    alignas(Pool) static std::byte place[sizeof(Pool)];
    static Pool& made = *::new (place) Pool;
    return made;
  }

 private:
  static constexpr std::size_t kFront = c10::gAlignment;  // data stays aligned

  void* take(std::size_t bytes) const {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(bytes);
    if (found == kept_.end() || found->second.empty()) return nullptr;
    void* block = found->second.back();
    found->second.pop_back();
    return block;
  }

  bool keep(std::size_t bytes, void* block) const {
    const std::lock_guard lock(mutex_);
    if (users_ == 0) return false;
    kept_[bytes].push_back(block);
    return true;
  }

  static void give_back(void* data) {
    void* block = static_cast<char*>(data) - kFront;
    const std::size_t bytes = *static_cast<std::size_t*>(block);
    if (bytes < kSmallestKept || !get().keep(bytes, block)) c10::free_cpu(block);
  }

  mutable std::mutex mutex_;
  mutable std::map<std::size_t, std::vector<void*>> kept_;  ///< by size
  int users_ = 0;
};

}  // namespace

KeptMemory::KeptMemory() { Pool::get().open(); }
KeptMemory::~KeptMemory() { Pool::get().close(); }

}  // namespace qat
