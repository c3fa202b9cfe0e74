// What a host does with adze.mera, in one file that a cross compiler takes: loads the plugin and a
// model for the stand-in of the vendor's runtime, runs it and prints what comes back.
#include <dlfcn.h>

#include <adze/adze.hpp>
#include <cstdio>

namespace {

adze_status fail(adze_call*, adze_status code, const char* text) noexcept {
  std::printf("failed with %d: %s\n", code, text);
  return code;
}

adze_status output(adze_call*, std::uint32_t value, const adze_tensor* contents) noexcept {
  std::printf("value %u:", value);
  for (const float element : adze::f32(contents)) std::printf(" %g", static_cast<double>(element));
  std::printf("\n");
  return ADZE_OK;
}

adze_status profile(adze_call*, const adze_profile_row* row) noexcept {
  std::printf("%s: %g ms\n", row->engine, row->latency_ms);
  return ADZE_OK;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  void* library = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    std::printf("%s\n", ::dlerror());
    return 1;
  }
  const auto entry = reinterpret_cast<const adze_plugin* (*)()>(::dlsym(library, "adze_plugin_v1"));
  const adze_component& component = *entry()->components[0];
  const adze_backend& backend = *component.backend;
  std::printf("%s\n", component.id);

  const std::int64_t shape[] = {1, 2};
  adze_value values[2]{};
  const char* names[] = {"x", "y"};
  for (int i = 0; i < 2; ++i) {
    values[i].struct_size = sizeof(adze_value);
    values[i].rank = 2;
    values[i].code = ADZE_FLOAT;
    values[i].bits = 32;
    values[i].name = names[i];
    values[i].shape = shape;
  }
  const adze_value* pointers[] = {&values[0], &values[1]};
  const std::uint32_t in = 0, out = 1;
  adze_graph graph{};
  graph.struct_size = sizeof graph;
  graph.value_count = 2;
  graph.input_count = graph.output_count = 1;
  graph.values = pointers;
  graph.inputs = &in;
  graph.outputs = &out;

  const std::int64_t clock = 0, address = 4096;
  const char* device = "/dev/null";
  adze_property properties[3]{};
  properties[0].i64 = &clock;
  properties[1].text = &device;
  properties[2].i64 = &address;
  const adze_property* arguments[] = {&properties[0], &properties[1], &properties[2]};
  adze_host host{};
  host.struct_size = sizeof host;
  host.fail = fail;
  adze_report report{};
  report.struct_size = sizeof report;
  report.output = output;
  report.profile = profile;
  adze_call call{};
  call.struct_size = sizeof call;
  call.threads = 1;
  call.host = &host;
  call.arguments = arguments;
  call.graph = &graph;
  call.report = &report;

  void* executable = nullptr;
  if (backend.load(nullptr, &call, argv[2], &executable) != ADZE_OK) return 1;
  const float input[] = {1.5f, -3};
  const adze::F32Tensor tensor(input, shape);
  const adze_tensor* const inputs[] = {tensor.get()};
  if (backend.run(executable, &call, inputs, 1) != ADZE_OK) return 1;
  if (backend.profile(executable, &call) != ADZE_OK) return 1;
  backend.release(executable);
  return 0;
}
