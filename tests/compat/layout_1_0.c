/* What ABI 1.0 promises: the size and the slots of every struct, every number, every id. Written by
 * `ci/abi.sh --refreeze`; compiled as C11 and as C++ against today's headers. */
#include <adze/adze.h>
#include <stddef.h>

#ifndef __cplusplus
#define static_assert _Static_assert
#endif
#define SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#define SLOT(type, slot, offset) static_assert(offsetof(type, slot) == (offset), #type "." #slot)
#define NUMBER(name, value) static_assert((name) == (value), #name)

SIZE(adze_backend, 72);
SLOT(adze_backend, struct_size, 0);
SLOT(adze_backend, flags, 4);
SLOT(adze_backend, place, 8);
SLOT(adze_backend, estimate, 16);
SLOT(adze_backend, compile, 24);
SLOT(adze_backend, load, 32);
SLOT(adze_backend, run, 40);
SLOT(adze_backend, profile, 48);
SLOT(adze_backend, artifacts, 56);
SLOT(adze_backend, release, 64);

SIZE(adze_calibration, 24);
SLOT(adze_calibration, struct_size, 0);
SLOT(adze_calibration, sample_count, 4);
SLOT(adze_calibration, collect, 8);
SLOT(adze_calibration, release, 16);

SIZE(adze_call, 72);
SLOT(adze_call, struct_size, 0);
SLOT(adze_call, threads, 4);
SLOT(adze_call, seed, 8);
SLOT(adze_call, host, 16);
SLOT(adze_call, arguments, 24);
SLOT(adze_call, graph, 32);
SLOT(adze_call, target, 40);
SLOT(adze_call, edit, 48);
SLOT(adze_call, report, 56);
SLOT(adze_call, impl, 64);

SIZE(adze_compile, 32);
SLOT(adze_compile, struct_size, 0);
SLOT(adze_compile, batch, 4);
SLOT(adze_compile, extra_output_count, 8);
SLOT(adze_compile, extra_outputs, 16);
SLOT(adze_compile, work_dir, 24);

SIZE(adze_component, 96);
SLOT(adze_component, struct_size, 0);
SLOT(adze_component, flags, 4);
SLOT(adze_component, id, 8);
SLOT(adze_component, doc, 16);
SLOT(adze_component, param_count, 24);
SLOT(adze_component, params, 32);
SLOT(adze_component, needs, 40);
SLOT(adze_component, targets, 48);
SLOT(adze_component, create, 56);
SLOT(adze_component, destroy, 64);
SLOT(adze_component, pruner, 72);
SLOT(adze_component, quantizer, 80);
SLOT(adze_component, backend, 88);

SIZE(adze_edit, 56);
SLOT(adze_edit, struct_size, 0);
SLOT(adze_edit, flags, 4);
SLOT(adze_edit, set_constant, 8);
SLOT(adze_edit, set_mask, 16);
SLOT(adze_edit, remove_channels, 24);
SLOT(adze_edit, set_quant, 32);
SLOT(adze_edit, mark, 40);
SLOT(adze_edit, rewind, 48);

SIZE(adze_graph, 64);
SLOT(adze_graph, struct_size, 0);
SLOT(adze_graph, node_count, 4);
SLOT(adze_graph, value_count, 8);
SLOT(adze_graph, input_count, 12);
SLOT(adze_graph, output_count, 16);
SLOT(adze_graph, target_count, 20);
SLOT(adze_graph, nodes, 24);
SLOT(adze_graph, values, 32);
SLOT(adze_graph, inputs, 40);
SLOT(adze_graph, outputs, 48);
SLOT(adze_graph, targets, 56);

SIZE(adze_host, 40);
SLOT(adze_host, struct_size, 0);
SLOT(adze_host, abi_minor, 4);
SLOT(adze_host, log, 8);
SLOT(adze_host, progress, 16);
SLOT(adze_host, fail, 24);
SLOT(adze_host, get_extension, 32);

SIZE(adze_node, 72);
SLOT(adze_node, struct_size, 0);
SLOT(adze_node, op_version, 4);
SLOT(adze_node, input_count, 8);
SLOT(adze_node, output_count, 12);
SLOT(adze_node, op, 16);
SLOT(adze_node, domain, 24);
SLOT(adze_node, name, 32);
SLOT(adze_node, inputs, 40);
SLOT(adze_node, outputs, 48);
SLOT(adze_node, attribute_count, 56);
SLOT(adze_node, attributes, 64);

SIZE(adze_onnx_bytes, 24);
SLOT(adze_onnx_bytes, struct_size, 0);
SLOT(adze_onnx_bytes, flags, 4);
SLOT(adze_onnx_bytes, bytes, 8);
SLOT(adze_onnx_bytes, save, 16);

SIZE(adze_param, 72);
SLOT(adze_param, struct_size, 0);
SLOT(adze_param, type, 4);
SLOT(adze_param, flags, 8);
SLOT(adze_param, name, 16);
SLOT(adze_param, doc, 24);
SLOT(adze_param, default_number, 32);
SLOT(adze_param, min, 40);
SLOT(adze_param, max, 48);
SLOT(adze_param, default_text, 56);
SLOT(adze_param, choices, 64);

SIZE(adze_plugin, 56);
SLOT(adze_plugin, struct_size, 0);
SLOT(adze_plugin, abi_minor, 4);
SLOT(adze_plugin, required_minor, 8);
SLOT(adze_plugin, component_count, 12);
SLOT(adze_plugin, id, 16);
SLOT(adze_plugin, version, 24);
SLOT(adze_plugin, vendor, 32);
SLOT(adze_plugin, license, 40);
SLOT(adze_plugin, components, 48);

SIZE(adze_profile_row, 48);
SLOT(adze_profile_row, struct_size, 0);
SLOT(adze_profile_row, source, 4);
SLOT(adze_profile_row, node_count, 8);
SLOT(adze_profile_row, nodes, 16);
SLOT(adze_profile_row, engine, 24);
SLOT(adze_profile_row, latency_ms, 32);
SLOT(adze_profile_row, bytes, 40);

SIZE(adze_property, 64);
SLOT(adze_property, struct_size, 0);
SLOT(adze_property, type, 4);
SLOT(adze_property, count, 8);
SLOT(adze_property, name, 16);
SLOT(adze_property, f64, 24);
SLOT(adze_property, i64, 32);
SLOT(adze_property, text, 40);
SLOT(adze_property, keys, 48);
SLOT(adze_property, tensor, 56);

SIZE(adze_pruner, 16);
SLOT(adze_pruner, struct_size, 0);
SLOT(adze_pruner, flags, 4);
SLOT(adze_pruner, prune, 8);

SIZE(adze_quant, 40);
SLOT(adze_quant, struct_size, 0);
SLOT(adze_quant, flags, 4);
SLOT(adze_quant, axis, 8);
SLOT(adze_quant, code, 12);
SLOT(adze_quant, bits, 13);
SLOT(adze_quant, reserved, 14);
SLOT(adze_quant, count, 16);
SLOT(adze_quant, scale, 24);
SLOT(adze_quant, zero_point, 32);

SIZE(adze_quantizer, 16);
SLOT(adze_quantizer, struct_size, 0);
SLOT(adze_quantizer, flags, 4);
SLOT(adze_quantizer, quantize, 8);

SIZE(adze_report, 48);
SLOT(adze_report, struct_size, 0);
SLOT(adze_report, flags, 4);
SLOT(adze_report, placement, 8);
SLOT(adze_report, unavailable, 16);
SLOT(adze_report, output, 24);
SLOT(adze_report, profile, 32);
SLOT(adze_report, artifact, 40);

SIZE(adze_stat, 80);
SLOT(adze_stat, struct_size, 0);
SLOT(adze_stat, reserved, 4);
SLOT(adze_stat, terms, 8);
SLOT(adze_stat, low, 16);
SLOT(adze_stat, high, 24);
SLOT(adze_stat, data, 32);

SIZE(adze_stat_request, 48);
SLOT(adze_stat_request, struct_size, 0);
SLOT(adze_stat_request, kind, 4);
SLOT(adze_stat_request, node, 8);
SLOT(adze_stat_request, value, 12);
SLOT(adze_stat_request, state, 16);
SLOT(adze_stat_request, value_state, 20);
SLOT(adze_stat_request, first, 24);
SLOT(adze_stat_request, count, 32);
SLOT(adze_stat_request, bins, 40);

SIZE(adze_target, 24);
SLOT(adze_target, struct_size, 0);
SLOT(adze_target, fact_count, 4);
SLOT(adze_target, board_type, 8);
SLOT(adze_target, facts, 16);

SIZE(adze_tensor, 48);
SLOT(adze_tensor, data, 0);
SLOT(adze_tensor, device_type, 8);
SLOT(adze_tensor, device_id, 12);
SLOT(adze_tensor, ndim, 16);
SLOT(adze_tensor, code, 20);
SLOT(adze_tensor, bits, 21);
SLOT(adze_tensor, lanes, 22);
SLOT(adze_tensor, shape, 24);
SLOT(adze_tensor, strides, 32);
SLOT(adze_tensor, byte_offset, 40);

SIZE(adze_value, 80);
SLOT(adze_value, struct_size, 0);
SLOT(adze_value, flags, 4);
SLOT(adze_value, rank, 8);
SLOT(adze_value, batch_axis, 12);
SLOT(adze_value, code, 16);
SLOT(adze_value, bits, 17);
SLOT(adze_value, reserved, 18);
SLOT(adze_value, producer, 20);
SLOT(adze_value, consumer_count, 24);
SLOT(adze_value, name, 32);
SLOT(adze_value, shape, 40);
SLOT(adze_value, consumers, 48);
SLOT(adze_value, constant, 56);
SLOT(adze_value, keep, 64);
SLOT(adze_value, quant, 72);

SIZE(adze_what_if, 24);
SLOT(adze_what_if, struct_size, 0);
SLOT(adze_what_if, node, 4);
SLOT(adze_what_if, sparsity, 8);
SLOT(adze_what_if, input_channels, 16);
SLOT(adze_what_if, output_channels, 20);

NUMBER(ADZE_OK, 0);
NUMBER(ADZE_CANCELLED, 1);
NUMBER(ADZE_UNKNOWN, 2);
NUMBER(ADZE_INVALID_ARGUMENT, 3);
NUMBER(ADZE_DEADLINE_EXCEEDED, 4);
NUMBER(ADZE_NOT_FOUND, 5);
NUMBER(ADZE_ALREADY_EXISTS, 6);
NUMBER(ADZE_PERMISSION_DENIED, 7);
NUMBER(ADZE_RESOURCE_EXHAUSTED, 8);
NUMBER(ADZE_FAILED_PRECONDITION, 9);
NUMBER(ADZE_ABORTED, 10);
NUMBER(ADZE_OUT_OF_RANGE, 11);
NUMBER(ADZE_UNIMPLEMENTED, 12);
NUMBER(ADZE_INTERNAL, 13);
NUMBER(ADZE_UNAVAILABLE, 14);
NUMBER(ADZE_DATA_LOSS, 15);
NUMBER(ADZE_UNAUTHENTICATED, 16);
NUMBER(ADZE_INT, 0);
NUMBER(ADZE_UINT, 1);
NUMBER(ADZE_FLOAT, 2);
NUMBER(ADZE_OPAQUE, 3);
NUMBER(ADZE_BFLOAT, 4);
NUMBER(ADZE_COMPLEX, 5);
NUMBER(ADZE_BOOL, 6);
NUMBER(ADZE_F64, 1);
NUMBER(ADZE_I64, 2);
NUMBER(ADZE_FLAG, 3);
NUMBER(ADZE_TEXT, 4);
NUMBER(ADZE_PATH, 5);
NUMBER(ADZE_TENSOR, 6);
NUMBER(ADZE_GRAPH, 7);
NUMBER(ADZE_PREDICTED, 1);
NUMBER(ADZE_MEASURED, 2);
NUMBER(ADZE_PLACED, 1);
NUMBER(ADZE_PLACED_WITH_LIMITS, 2);
NUMBER(ADZE_REFUSED, 3);
NUMBER(ADZE_STAT_HISTOGRAM, 1);
NUMBER(ADZE_STAT_CHANNELS, 2);
NUMBER(ADZE_STAT_SAMPLES, 3);
NUMBER(ADZE_STAT_GRAM, 4);
NUMBER(ADZE_STAT_CROSS, 5);
NUMBER(ADZE_STATE_SHOWN, 0);
NUMBER(ADZE_STATE_EDITED, 1);
NUMBER(ADZE_VALUE_INPUT, 1);
NUMBER(ADZE_VALUE_OUTPUT, 2);
NUMBER(ADZE_LOG_DEBUG, 0);
NUMBER(ADZE_LOG_INFO, 1);
NUMBER(ADZE_LOG_WARNING, 2);
NUMBER(ADZE_LOG_ERROR, 3);
NUMBER(ADZE_PARAM_LIST, 1);
NUMBER(ADZE_PARAM_MAP, 2);
NUMBER(ADZE_PARAM_REQUIRED, 4);
NUMBER(ADZE_DETERMINISTIC, 1);

NUMBER(ADZE_ABI_MAJOR, 1u);
NUMBER(ADZE_ABI_MINOR, 0);
NUMBER(ADZE_NONE, 0xFFFFFFFFu);

/* C cannot compare texts while it compiles, C++ can. */
#ifdef __cplusplus
constexpr bool same(const char* a, const char* b) {
  return *a == *b && (*a == 0 || same(a + 1, b + 1));
}
#define TEXT(name, text) static_assert(same(name, text), #name)
TEXT(ADZE_CALIBRATION, "adze.calibration/1");
TEXT(ADZE_ONNX_BYTES, "adze.onnx-bytes/1");
#endif
