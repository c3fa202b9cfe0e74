#include "host/abi/onnx_bytes.hpp"

#include "host/abi/guard.hpp"
#include "host/base/error.hpp"
#include "host/onnx/model.hpp"

namespace adze::host {
namespace {

adze_status bytes(adze_call* call, const std::uint8_t** out_data,
                  std::uint64_t* out_size) noexcept {
  return guarded(call, [&](Call& self) {
    const auto serialized = self.service<OnnxBytes>().bytes();
    *out_data = reinterpret_cast<const std::uint8_t*>(serialized.data());
    *out_size = serialized.size();
  });
}

adze_status save(adze_call* call, const char* relative_path) noexcept {
  return guarded(call, [&](Call& self) {
    self.service<OnnxBytes>().save(relative_path ? relative_path : "");
  });
}

constexpr adze_onnx_bytes kOnnxBytes = {sizeof(adze_onnx_bytes), 0, bytes, save};

}  // namespace

const void* OnnxBytes::table() const { return &kOnnxBytes; }

std::span<const std::byte> OnnxBytes::bytes() {
  if (!bytes_) bytes_ = serialize_model(graph_);
  return *bytes_;
}

void OnnxBytes::save(const std::filesystem::path& relative_path) const {
  if (work_dir_.empty())
    throw Error(ADZE_FAILED_PRECONDITION, "save: only compile() has a work_dir");
  if (relative_path.empty() || relative_path.is_absolute() ||
      relative_path.lexically_normal() != relative_path || *relative_path.begin() == "..")
    throw Error(ADZE_INVALID_ARGUMENT,
                "save: '" + relative_path.string() + "' is no plain path below work_dir");
  save_model(graph_, work_dir_ / relative_path);
}

}  // namespace adze::host
