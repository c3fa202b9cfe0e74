#include "host/isolate/shared_constants.hpp"

#include <algorithm>
#include <mutex>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

constexpr std::size_t kWorthAFile = 64u << 10;
/// Each is an open file of this process, and one message to the worker.
constexpr std::size_t kMostFiles = 256;

/// Of a uniform constant: small, and yet so large that it is not mapped too often.
std::size_t block_bytes(const Tensor& constant) {
  constexpr std::size_t kSmallest = std::size_t{64} << 10, kLargest = std::size_t{2} << 20;
  return std::clamp(constant.size_bytes() / 16 / kSmallest * kSmallest, kSmallest, kLargest);
}

std::shared_ptr<const SharedFile> file_of(const Tensor& constant) {
  static std::mutex mutex;
  static std::uint64_t last_id = 0;
  const std::scoped_lock lock(mutex);
  if (auto made = std::static_pointer_cast<const SharedFile>(constant.attachment())) return made;
  auto file = std::make_shared<SharedFile>();
  const auto bytes = constant.bytes();
  const auto stored = constant.is_uniform() ? bytes.first(block_bytes(constant)) : bytes;
  file->fd = share(stored);
  file->id = ++last_id;
  file->file_bytes = stored.size();
  file->shown_bytes = bytes.size();
  constant.attach(file);
  return file;
}

}  // namespace

SharedConstants::SharedConstants(adze_call* call) {
  const View* view = Call::of(call).view();
  if (!view) return;
  for (const auto& [shown, constant] : view->constants()) {
    if (constant->size_bytes() < kWorthAFile || constant->dtype() == DType::string) continue;
    if (files_.size() == kMostFiles) return;
    try {
      files_[shown] = file_of(*constant);
    } catch (const Error&) {  // no file can be made: it goes into the message like a small one
      return;
    }
  }
}

std::shared_ptr<const SharedFile> SharedConstants::find(const adze_tensor* shown) const {
  const auto found = files_.find(shown);
  return found == files_.end() ? nullptr : found->second;
}

}  // namespace adze::host
