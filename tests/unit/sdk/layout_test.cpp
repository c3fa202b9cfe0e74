// The layout that plugins were compiled with must never move: sizes, offsets and numbers of
// ABI 1.0. abidiff does not notice a changed enumerator, so these assertions are the gate for them.
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

#define AT(type, field, offset) static_assert(offsetof(type, field) == (offset))
#define SIZE(type, size) static_assert(sizeof(type) == (size) && offsetof(type, struct_size) == 0)

SIZE(adze_property, 64);
AT(adze_property, count, 8);
AT(adze_property, name, 16);
AT(adze_property, f64, 24);
AT(adze_property, i64, 32);
AT(adze_property, text, 40);
AT(adze_property, keys, 48);
AT(adze_property, tensor, 56);

SIZE(adze_quant, 40);
AT(adze_quant, axis, 8);
AT(adze_quant, code, 12);
AT(adze_quant, bits, 13);
AT(adze_quant, count, 16);
AT(adze_quant, scale, 24);
AT(adze_quant, zero_point, 32);

SIZE(adze_value, 80);
AT(adze_value, rank, 8);
AT(adze_value, batch_axis, 12);
AT(adze_value, code, 16);
AT(adze_value, producer, 20);
AT(adze_value, consumer_count, 24);
AT(adze_value, name, 32);
AT(adze_value, shape, 40);
AT(adze_value, consumers, 48);
AT(adze_value, constant, 56);
AT(adze_value, keep, 64);
AT(adze_value, quant, 72);

SIZE(adze_node, 72);
AT(adze_node, op, 16);
AT(adze_node, domain, 24);
AT(adze_node, name, 32);
AT(adze_node, inputs, 40);
AT(adze_node, outputs, 48);
AT(adze_node, attribute_count, 56);
AT(adze_node, attributes, 64);

SIZE(adze_graph, 64);
AT(adze_graph, target_count, 20);
AT(adze_graph, nodes, 24);
AT(adze_graph, values, 32);
AT(adze_graph, inputs, 40);
AT(adze_graph, outputs, 48);
AT(adze_graph, targets, 56);

SIZE(adze_target, 24);
SIZE(adze_edit, 56);
AT(adze_edit, set_constant, 8);
AT(adze_edit, set_mask, 16);
AT(adze_edit, remove_channels, 24);
AT(adze_edit, set_quant, 32);
AT(adze_edit, mark, 40);
AT(adze_edit, rewind, 48);

SIZE(adze_host, 40);
AT(adze_host, log, 8);
AT(adze_host, progress, 16);
AT(adze_host, fail, 24);
AT(adze_host, get_extension, 32);

SIZE(adze_call, 72);
AT(adze_call, seed, 8);
AT(adze_call, host, 16);
AT(adze_call, arguments, 24);
AT(adze_call, graph, 32);
AT(adze_call, target, 40);
AT(adze_call, edit, 48);
AT(adze_call, report, 56);
AT(adze_call, impl, 64);

SIZE(adze_param, 72);
AT(adze_param, flags, 8);
AT(adze_param, name, 16);
AT(adze_param, doc, 24);
AT(adze_param, default_number, 32);
AT(adze_param, min, 40);
AT(adze_param, max, 48);
AT(adze_param, default_text, 56);
AT(adze_param, choices, 64);

SIZE(adze_component, 96);
AT(adze_component, id, 8);
AT(adze_component, param_count, 24);
AT(adze_component, params, 32);
AT(adze_component, needs, 40);
AT(adze_component, targets, 48);
AT(adze_component, create, 56);
AT(adze_component, destroy, 64);
AT(adze_component, pruner, 72);
AT(adze_component, quantizer, 80);
AT(adze_component, backend, 88);

SIZE(adze_plugin, 56);
AT(adze_plugin, id, 16);
AT(adze_plugin, components, 48);

SIZE(adze_pruner, 16);
SIZE(adze_quantizer, 16);

SIZE(adze_report, 48);
AT(adze_report, placement, 8);
AT(adze_report, unavailable, 16);
AT(adze_report, output, 24);
AT(adze_report, profile, 32);
AT(adze_report, artifact, 40);

SIZE(adze_compile, 32);
SIZE(adze_what_if, 24);
SIZE(adze_profile_row, 48);
AT(adze_profile_row, nodes, 16);
AT(adze_profile_row, latency_ms, 32);

SIZE(adze_backend, 72);
AT(adze_backend, place, 8);
AT(adze_backend, estimate, 16);
AT(adze_backend, compile, 24);
AT(adze_backend, load, 32);
AT(adze_backend, run, 40);
AT(adze_backend, profile, 48);
AT(adze_backend, artifacts, 56);
AT(adze_backend, release, 64);

SIZE(adze_calibration, 24);
SIZE(adze_stat_request, 48);
SIZE(adze_stat, 80);
SIZE(adze_onnx_bytes, 24);

static_assert(ADZE_OK == 0 && ADZE_CANCELLED == 1 && ADZE_INVALID_ARGUMENT == 3 &&
              ADZE_NOT_FOUND == 5 && ADZE_RESOURCE_EXHAUSTED == 8 &&
              ADZE_FAILED_PRECONDITION == 9 && ADZE_UNIMPLEMENTED == 12 && ADZE_INTERNAL == 13 &&
              ADZE_DATA_LOSS == 15 && ADZE_UNAUTHENTICATED == 16);
static_assert(ADZE_INT == 0 && ADZE_UINT == 1 && ADZE_FLOAT == 2 && ADZE_BFLOAT == 4 &&
              ADZE_BOOL == 6);
static_assert(ADZE_F64 == 1 && ADZE_I64 == 2 && ADZE_FLAG == 3 && ADZE_TEXT == 4 &&
              ADZE_PATH == 5 && ADZE_TENSOR == 6 && ADZE_GRAPH == 7);
static_assert(ADZE_PARAM_LIST == 1 && ADZE_PARAM_MAP == 2 && ADZE_PARAM_REQUIRED == 4);
static_assert(ADZE_PREDICTED == 1 && ADZE_MEASURED == 2 && ADZE_PLACED == 1 && ADZE_REFUSED == 3);
static_assert(ADZE_VALUE_INPUT == 1 && ADZE_VALUE_OUTPUT == 2 && ADZE_NONE == 0xffffffffu);
static_assert(ADZE_STAT_HISTOGRAM == 1 && ADZE_STAT_GRAM == 4 && ADZE_STATE_EDITED == 1);

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
