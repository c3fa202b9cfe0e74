// What readers of the headers rely on besides their layout, which tests/compat guards.
#include <adze/adze.h>
#include <gtest/gtest.h>

#include <cstddef>

#if __has_include(<dlpack/dlpack.h>)
#include <dlpack/dlpack.h>
#else
/// DLPack's own, from version 0.6 to 1.1, for machines without its header.
struct DLDevice {
  int32_t device_type, device_id;
};
struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
};
#endif

namespace {

static_assert(sizeof(adze_tensor) == sizeof(DLTensor) && sizeof(adze_tensor) == 48);
static_assert(offsetof(adze_tensor, data) == offsetof(DLTensor, data));
static_assert(offsetof(adze_tensor, device_type) == offsetof(DLTensor, device));
static_assert(offsetof(adze_tensor, ndim) == offsetof(DLTensor, ndim));
static_assert(offsetof(adze_tensor, code) == offsetof(DLTensor, dtype));
static_assert(offsetof(adze_tensor, lanes) == offsetof(DLTensor, dtype) + 2);
static_assert(offsetof(adze_tensor, shape) == offsetof(DLTensor, shape));
static_assert(offsetof(adze_tensor, strides) == offsetof(DLTensor, strides));
static_assert(offsetof(adze_tensor, byte_offset) == offsetof(DLTensor, byte_offset));

TEST(Layout, has_asks_for_size_and_content) {
  adze_backend backend{};
  backend.struct_size = offsetof(adze_backend, profile);
  backend.run = [](void*, adze_call*, const adze_tensor* const*, uint64_t) noexcept -> adze_status {
    return ADZE_OK;
  };
  backend.profile = [](void*, adze_call*) noexcept -> adze_status { return ADZE_OK; };
  EXPECT_TRUE(ADZE_HAS(&backend, adze_backend, run));
  EXPECT_FALSE(ADZE_HAS(&backend, adze_backend, profile)) << "beyond the size its maker knew";
  backend.struct_size = sizeof backend;
  EXPECT_TRUE(ADZE_HAS(&backend, adze_backend, profile));
  EXPECT_FALSE(ADZE_HAS(&backend, adze_backend, load)) << "NULL";
}

}  // namespace
