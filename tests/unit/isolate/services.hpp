// Small services with fixed answers, one of each kind that crosses a process.
#pragma once

#include <adze/ext/calibration.h>
#include <adze/ext/draft/dataset.h>
#include <adze/ext/draft/evaluate.h>
#include <adze/ext/draft/latency.h>
#include <adze/ext/draft/structure.h>
#include <adze/ext/onnx_bytes.h>

#include <vector>

#include "host/abi/call.hpp"
#include "host/abi/guard.hpp"

namespace adze::host::test {

template <class Table>
class Fixed : public Service {
 public:
  Fixed(const char* id, Table table) : id_(id), table_(table) {}
  const char* id() const override { return id_; }
  const void* table() const override { return &table_; }

 private:
  const char* id_;
  Table table_;
};

inline std::vector<adze_stat>& given_statistics() {
  static std::vector<adze_stat> all(2);
  return all;
}
inline int& released() {
  static int count = 0;
  return count;
}

inline adze_status collect(adze_call* call, const adze_stat_request* requests, std::uint64_t count,
                           const adze_stat** out) noexcept {
  return guarded(call, [&](Call&) {
    if (!requests || !out) throw Error(ADZE_INVALID_ARGUMENT, "requests or out is NULL");
    static std::vector<double> bins(200000, 0.25);
    static const std::int64_t shape[] = {200000}, strides[] = {1};
    for (std::uint64_t i = 0; i < count; ++i) {
      adze_stat& stat = given_statistics().at(i);
      stat = {.struct_size = sizeof stat,
              .terms = 10 + i + requests[i].bins,
              .low = -1.5,
              .high = 2.5 + static_cast<double>(requests[i].value)};
      stat.data.device_type = 1;
      stat.data.code = ADZE_FLOAT;
      stat.data.bits = 64;
      stat.data.lanes = 1;
      if (requests[i].bins) {
        stat.data.data = bins.data();
        stat.data.ndim = 1;
        stat.data.shape = shape;
        stat.data.strides = strides;
      }
      out[i] = &stat;
    }
  });
}
inline void release(adze_call*, const adze_stat* stat) noexcept {
  released() += stat == &given_statistics()[0];
}
inline adze_status score(adze_call* call, std::uint32_t kind, std::uint32_t max_samples,
                         double* out) noexcept {
  return guarded(call, [&](Call&) {
    if (kind == ADZE_SCORE_TASK) throw Error(ADZE_NOT_FOUND, "no labels");
    *out = 12.5 + max_samples;
  });
}
inline adze_status ask(adze_call*, const adze_what_if* questions, std::uint64_t count,
                       double* out) noexcept {
  for (std::uint64_t i = 0; i < count; ++i)
    out[i] = questions[i].sparsity + questions[i].input_channels +
             10.0 * questions[i].output_channels + (questions[i].node == ADZE_NONE ? 100 : 0);
  return ADZE_OK;
}
inline adze_status batch(adze_call* call, std::uint32_t split, std::uint32_t size,
                         std::uint64_t epoch, std::uint64_t index,
                         const adze_batch** out) noexcept {
  return guarded(call, [&](Call&) {
    if (index > 1) throw Error(ADZE_OUT_OF_RANGE, "no more batches");
    static float pixels[4];
    static std::int64_t labels[2];
    static const std::int64_t shape[] = {2, 2}, strides[] = {2, 1}, one[] = {1};
    for (std::size_t i = 0; i < 4; ++i)
      pixels[i] = static_cast<float>(split + size + epoch + 10 * index + i);
    labels[0] = static_cast<std::int64_t>(index);
    static const adze_tensor input{pixels, 1, 0, 2, ADZE_FLOAT, 32, 1, shape, strides, 0};
    static const adze_tensor label{labels, 1, 0, 1, ADZE_INT, 64, 1, shape, one, 0};
    static const adze_tensor* inputs[] = {&input};
    static adze_batch made;
    made = {sizeof made, 1, 2, inputs, index == 0 ? &label : nullptr};
    *out = &made;
  });
}
inline adze_status groups(adze_call*, std::uint64_t* out_count,
                          const adze_group* const** out) noexcept {
  static const std::uint32_t indices[] = {0, 1, 2, 3, 4, 5};
  static const adze_member first{sizeof first, ADZE_ROLE_PRODUCES, 1, 0, 0, 1, indices},
      second{sizeof second, ADZE_ROLE_CONSUMES, 4, 1, 1, 2, indices};
  static const adze_member* const members[] = {&first, &second};
  static const adze_group group{sizeof group, 3, 8, 2, members};
  static const adze_group* const all[] = {&group};
  *out_count = 1;
  *out = all;
  return ADZE_OK;
}
inline adze_status bytes(adze_call*, const std::uint8_t** data, std::uint64_t* size) noexcept {
  static const std::vector<std::uint8_t> file(300000, 7);
  *data = file.data();
  *size = file.size();
  return ADZE_OK;
}
inline adze_status save(adze_call* call, const char*) noexcept {
  return guarded(call, [](Call&) { throw Error(ADZE_FAILED_PRECONDITION, "no work_dir"); });
}

struct Services {
  Fixed<adze_calibration> calibration{ADZE_CALIBRATION,
                                      {sizeof(adze_calibration), 64, collect, release}};
  Fixed<adze_evaluate> evaluate{ADZE_EVALUATE, {sizeof(adze_evaluate), 32, score}};
  Fixed<adze_latency> latency{ADZE_LATENCY, {sizeof(adze_latency), ADZE_MEASURED, ask}};
  Fixed<adze_dataset> dataset{ADZE_DATASET, {sizeof(adze_dataset), 1, 4, 2, batch}};
  Fixed<adze_structure> structure{ADZE_STRUCTURE, {sizeof(adze_structure), 0, groups}};
  Fixed<adze_onnx_bytes> onnx{ADZE_ONNX_BYTES, {sizeof(adze_onnx_bytes), 0, bytes, save}};
  std::vector<Service*> all() {
    return {&calibration, &evaluate, &latency, &dataset, &structure, &onnx};
  }
};

}  // namespace adze::host::test
