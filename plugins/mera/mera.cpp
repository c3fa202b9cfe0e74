// adze.mera: runs on a board, in the vendor's runtime, what adze.drpai_tvm compiled.
#include <unistd.h>

#include <adze/adze.hpp>
#include <array>
#include <cmath>
#include <fstream>
#include <sstream>

#include "plugins/mera/board_memory.hpp"
#include "plugins/mera/profile.hpp"
#include "plugins/mera/runtime.hpp"

namespace {

using adze::Error;
using adze::mera::ElementType;
using adze::mera::Output;
using adze::mera::PartTime;
using adze::mera::Runtime;
namespace fs = std::filesystem;

constexpr const char* kModelFolder = "model";

constexpr std::array kParameters = {
    adze::i64("freq_index", "Clock of AI-MAC as the vendor's runtime counts it; 0: its default.", 0,
              0, 127),
    adze::text("device", "The DRP-AI driver, which is asked where the model goes.", "/dev/drpai0"),
    adze::i64("start_address", "Physical address for the model; 0: the driver is asked.", 0, 0,
              9e15),
};

struct Loaded {
  std::unique_ptr<Runtime> runtime;
  int freq_index = 0;
  bool ran = false;
  std::vector<std::vector<std::uint16_t>> halves;  ///< inputs that the model wants so
};

float from_half(std::uint16_t half) {
  const int exponent = half >> 10 & 0x1F, fraction = half & 0x3FF;
  float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                    : exponent == 0x1F
                        ? (fraction ? std::nanf("") : HUGE_VALF)
                        : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

/// Half to even; too large becomes infinite.
std::uint16_t to_half(float value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7E00);
  if (magnitude >= 65520.0f) return static_cast<std::uint16_t>(sign | 0x7C00);
  const int exponent = magnitude < 0x1p-14f ? -14 : std::ilogb(magnitude);
  // Steps of this exponent, 1024 of which are the power of two itself: carries run into it.
  const auto steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  const int bits = magnitude < 0x1p-14f ? steps : (exponent + 15) * 1024 + steps - 1024;
  return static_cast<std::uint16_t>(sign | bits);
}

fs::path model_folder(const char* dir) {
  const fs::path folder = fs::path(dir) / kModelFolder;
  if (fs::exists(folder / "mera.plan") || fs::exists(folder / "deploy.json")) return folder;
  throw Error(ADZE_DATA_LOSS,
              "the bundle holds no model for the vendor's runtime; make it with `adze bundle make "
              "--backend drpai_tvm`");
}

adze_status place(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    for (std::uint32_t i = 0; i < call->graph->node_count; ++i)
      adze::check(call->report->placement(call, i, ADZE_REFUSED, "drpai",
                                          "adze.mera runs compiled models only"));
  });
}

adze_status compile(void*, adze_call* call, const adze_compile*, void**) noexcept {
  return call->host->fail(
      call, ADZE_UNIMPLEMENTED,
      "adze.mera runs what adze.drpai_tvm compiled, it compiles nothing itself");
}

adze_status load(void*, adze_call* call, const char* dir, void** out_executable) noexcept {
  return adze::guard(call, [&] {
    const fs::path folder = model_folder(dir);
    auto address = static_cast<std::uint64_t>(*call->arguments[2]->i64);
    if (address == 0) address = adze::mera::drpai_memory_address(*call->arguments[1]->text);
    auto loaded = std::make_unique<Loaded>();
    loaded->runtime = std::make_unique<Runtime>(folder, address);
    loaded->freq_index = static_cast<int>(*call->arguments[0]->i64);
    loaded->halves.resize(call->graph->input_count);
    *out_executable = loaded.release();
  });
}

void set_input(adze_call* call, Loaded& loaded, std::uint32_t index, const adze_tensor& tensor) {
  const std::span<const float> values = adze::f32(&tensor);
  const std::string name = call->graph->values[call->graph->inputs[index]]->name;
  if (values.empty()) throw Error(ADZE_UNIMPLEMENTED, "input '" + name + "' has no 32-bit floats");
  const int at = static_cast<int>(index);
  switch (loaded.runtime->input_type(at)) {
    case ElementType::f32:
      loaded.runtime->set_input(at, values.data());
      return;
    case ElementType::f16: {
      std::vector<std::uint16_t>& halves = loaded.halves[index];
      halves.resize(values.size());
      for (std::size_t i = 0; i < values.size(); ++i) halves[i] = to_half(values[i]);
      loaded.runtime->set_input(at, halves.data());
      return;
    }
    default:
      throw Error(ADZE_UNIMPLEMENTED,
                  "the compiled model wants input '" + name + "' in a type that is not known here");
  }
}

void report_output(adze_call* call, const Output& output, std::uint32_t value) {
  const adze_value& shown = *call->graph->values[value];
  std::vector<std::int64_t> shape(shown.shape, shown.shape + std::max(shown.rank, 0));
  std::int64_t wanted = 1;
  for (const std::int64_t size : shape) wanted *= size;
  if (output.count != wanted || !output.data)
    throw Error(ADZE_DATA_LOSS, std::string("output '") + shown.name + "' came with " +
                                    std::to_string(output.count) + " elements, the bundle says " +
                                    std::to_string(wanted) + "; make the bundle again");
  if (shown.code != ADZE_FLOAT || shown.bits != 32)
    throw Error(ADZE_UNIMPLEMENTED,
                std::string("output '") + shown.name + "' is to be something else than floats");
  std::vector<float> converted;
  std::span<const float> values(static_cast<const float*>(output.data),
                                static_cast<std::size_t>(output.count));
  if (output.type == ElementType::f16) {
    const auto* halves = static_cast<const std::uint16_t*>(output.data);
    converted.reserve(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) converted.push_back(from_half(halves[i]));
    values = converted;
  } else if (output.type != ElementType::f32) {
    throw Error(ADZE_UNIMPLEMENTED, std::string("the runtime gives output '") + shown.name +
                                        "' in a type that is not known here");
  }
  const adze::F32Tensor tensor(values, shape);
  adze::check(call->report->output(call, value, tensor.get()));
}

adze_status run(void* executable, adze_call* call, const adze_tensor* const* inputs,
                uint64_t count) noexcept {
  return adze::guard(call, [&] {
    auto& loaded = *static_cast<Loaded*>(executable);
    for (std::uint32_t i = 0; i < count; ++i) set_input(call, loaded, i, *inputs[i]);
    loaded.runtime->run(loaded.freq_index);
    loaded.ran = true;
    const int outputs = loaded.runtime->output_count();
    if (outputs != static_cast<int>(call->graph->output_count))
      throw Error(ADZE_DATA_LOSS, "the compiled model has " + std::to_string(outputs) +
                                      " outputs, the bundle says " +
                                      std::to_string(call->graph->output_count));
    for (int i = 0; i < outputs; ++i)
      report_output(call, loaded.runtime->output(i), call->graph->outputs[i]);
  });
}

std::string text_of(const fs::path& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// What the process prints while it lives goes to a file.
class PrintedTo {
 public:
  explicit PrintedTo(const fs::path& file) : before_(::dup(1)) {
    std::fflush(stdout);
    if (std::FILE* opened = std::fopen(file.c_str(), "w")) {
      ::dup2(::fileno(opened), 1);
      std::fclose(opened);
    }
  }
  ~PrintedTo() {
    std::fflush(stdout);
    ::dup2(before_, 1);
    ::close(before_);
  }
  PrintedTo(const PrintedTo&) = delete;
  PrintedTo& operator=(const PrintedTo&) = delete;

 private:
  int before_;
};

std::vector<PartTime> measure_parts(Runtime& runtime, int freq_index) {
  std::string name = (fs::temp_directory_path() / "adze-mera-XXXXXX").string();
  if (!::mkdtemp(name.data()))
    throw Error(ADZE_RESOURCE_EXHAUSTED, "no temporary folder for the vendor's profile");
  const fs::path folder = name;
  try {
    {
      const PrintedTo printed(folder / "printed");
      runtime.profile(folder / "table.txt", folder / "table.csv", freq_index);
    }
    const std::vector<PartTime> parts =
        fs::exists(folder / "table.csv")
            ? adze::mera::parse_profile_csv(text_of(folder / "table.csv"))
            : adze::mera::parse_unit_lines(text_of(folder / "printed"));
    fs::remove_all(folder);
    return parts;
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    throw;
  }
}

adze_status profile(void* executable, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    auto& loaded = *static_cast<Loaded*>(executable);
    if (!loaded.ran) return;  // there is no input to measure with
    for (const PartTime& part : measure_parts(*loaded.runtime, loaded.freq_index)) {
      const std::string engine = part.device.empty() ? part.name : part.device;
      const adze_profile_row row{sizeof(adze_profile_row), ADZE_MEASURED,   0, nullptr,
                                 engine.c_str(),           part.latency_ms, 0};
      adze::check(call->report->profile(call, &row));
    }
  });
}

void release(void* executable) noexcept { delete static_cast<Loaded*>(executable); }

constexpr adze_backend kBackend = {
    sizeof(adze_backend), 0, place, nullptr, compile, load, run, profile, nullptr, release};

const adze_component* component() {
  static const adze_component made = [] {
    adze_component component =
        adze::component("adze.mera",
                        "Runs compiled models in the vendor's runtime on a board (not yet verified "
                        "on hardware).",
                        kParameters, nullptr, &kBackend);
    component.flags = 0;  // the hardware is not ours to promise
    return component;
  }();
  return &made;
}

}  // namespace

const adze_plugin* adze_plugin_v1(void) noexcept {
  static const adze_component* const components[] = {component()};
  static const adze_plugin plugin =
      adze::plugin("adze.mera", "0.1.0", "The Adze authors", "Apache-2.0", components);
  return &plugin;
}
