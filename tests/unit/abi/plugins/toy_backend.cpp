// A backend that is right and simple: element i of a value is gain * (sum of the sample) + i. Its
// profile counts its runs, so that tests see how samples were cut into batches.
#include <adze/adze.hpp>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr const char kFile[] = "model/toy.txt";
constexpr adze_param kParams[] = {adze::f64("gain", "Factor of the sum.", 2, 0, 100)};

struct Executable {
  double gain = 0;
  int64_t batch = 0;  // 0: not known, loaded
  int runs = 0;
  std::vector<uint32_t> extras;
};

adze_status create(adze_call* call, void** out_self) noexcept {
  if (call->graph) return call->host->fail(call, ADZE_INTERNAL, "create() was shown a graph");
  *out_self = new int(7);
  return ADZE_OK;
}

void destroy(void* self) noexcept { delete static_cast<int*>(self); }

adze_status place(void* self, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    if (!self) throw adze::Error(ADZE_INTERNAL, "place() got no instance");
    for (uint32_t node = 0; node < call->graph->node_count; ++node)
      if (node == 0)
        adze::check(call->report->placement(call, node, ADZE_PLACED, "TOY", ""));
      else
        adze::check(call->report->placement(call, node, ADZE_REFUSED, "CPU", "only the first"));
  });
}

adze_status estimate(void*, adze_call*, const adze_what_if* const* questions, uint64_t count,
                     double* out_latency_ms) noexcept {
  for (uint64_t i = 0; i < count; ++i)
    out_latency_ms[i] =
        (questions[i]->node == ADZE_NONE ? 10 : 1) * (1 - 0.5 * questions[i]->sparsity);
  return ADZE_OK;
}

adze_status compile(void*, adze_call* call, const adze_compile* options,
                    void** out_executable) noexcept {
  return adze::guard(call, [&] {
    adze::progress(call, 0.5, "compiling");
    auto made = std::make_unique<Executable>();
    made->gain = call->arguments[0]->f64[0];
    made->batch = options->batch;
    made->extras.assign(options->extra_outputs,
                        options->extra_outputs + options->extra_output_count);
    const std::string folder = options->work_dir;
    const auto& bytes = adze::need<adze_onnx_bytes>(call, ADZE_ONNX_BYTES);
    adze::check(bytes.save(call, "model/model.onnx"));
    std::ofstream(folder + "/" + kFile) << "toy " << made->gain;
    *out_executable = made.release();
  });
}

adze_status load(void*, adze_call* call, const char* dir, void** out_executable) noexcept {
  return adze::guard(call, [&] {
    if (call->graph->node_count) throw adze::Error(ADZE_INTERNAL, "load() was shown nodes");
    std::ifstream file(std::string(dir) + "/" + kFile);
    std::string word;
    auto made = std::make_unique<Executable>();
    if (!(file >> word >> made->gain) || word != "toy")
      throw adze::Error(ADZE_DATA_LOSS, "toy.txt is not what compile() wrote");
    *out_executable = made.release();
  });
}

void report(adze_call* call, uint32_t index, const adze_tensor& input, double gain) {
  const adze_value& value = *call->graph->values[index];
  const int64_t batch = input.shape[0], width = input.shape[1];
  std::vector<int64_t> shape(value.shape, value.shape + value.rank);
  shape[0] = batch;
  const auto x = adze::f32(&input);
  std::vector<float> y;
  for (int64_t b = 0; b < batch; ++b) {
    double sum = 0;
    for (int64_t i = 0; i < width; ++i) sum += x[static_cast<std::size_t>(b * width + i)];
    for (int64_t i = 0; i < shape[1]; ++i)
      y.push_back(static_cast<float>(gain * sum + static_cast<double>(i)));
  }
  adze::check(call->report->output(call, index, adze::F32Tensor(y, shape).get()));
}

adze_status run(void* executable, adze_call* call, const adze_tensor* const* inputs,
                uint64_t) noexcept {
  return adze::guard(call, [&] {
    auto& exe = *static_cast<Executable*>(executable);
    if (exe.batch && inputs[0]->shape[0] != exe.batch)
      throw adze::Error(ADZE_INVALID_ARGUMENT, "not the batch it was compiled for");
    ++exe.runs;
    for (const uint32_t extra : exe.extras) report(call, extra, *inputs[0], exe.gain);
    for (uint32_t i = 0; i < call->graph->output_count; ++i)
      report(call, call->graph->outputs[i], *inputs[0], exe.gain);
  });
}

adze_status profile(void* executable, adze_call* call) noexcept {
  const auto& exe = *static_cast<Executable*>(executable);
  const uint32_t nodes[] = {0, 1};
  const adze_profile_row row = {
      sizeof row, static_cast<uint32_t>(exe.runs ? ADZE_MEASURED : ADZE_PREDICTED),
      2,          nodes,
      "TOY",      static_cast<double>(exe.runs),
      64};
  return call->report->profile(call, &row);
}

adze_status artifacts(void*, adze_call* call) noexcept {
  return call->report->artifact(call, kFile);
}

void release(void* executable) noexcept { delete static_cast<Executable*>(executable); }

constexpr adze_backend kBackend = {
    sizeof(adze_backend), 0, place, estimate, compile, load, run, profile, artifacts, release};
constexpr adze_component make_component() {
  auto made = adze::component("org.example.toy", "Sums.", kParams, nullptr, &kBackend);
  made.create = create;
  made.destroy = destroy;
  return made;
}
constexpr adze_component kComponent = make_component();
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin =
    adze::plugin("org.example.toy", "1.0.0", "Example", "Apache-2.0", kComponents);

}  // namespace

const adze_plugin* adze_plugin_v1(void) noexcept { return &kPlugin; }
