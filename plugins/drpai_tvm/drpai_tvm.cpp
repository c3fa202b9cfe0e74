// adze.drpai_tvm: drives the vendor's compiler where the user has it, and emulates what it made.
#include <fstream>
#include <nlohmann/json.hpp>

#include "plugins/drpai_tvm/calibration_images.hpp"
#include "plugins/drpai_tvm/layout.hpp"
#include "plugins/drpai_tvm/program.hpp"
#include "plugins/drpai_tvm/toolchain.hpp"
#include "plugins/onnxruntime/placement.hpp"
#include "plugins/tensor_exec/backend.hpp"

namespace {

using namespace adze::drpai_tvm;
using adze::Error;
using adze::exec::Executable;
using adze::exec::Facts;
using adze::exec::Program;
using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kNeeds[] = {ADZE_ONNX_BYTES, nullptr};
constexpr const char* kModelFolder = "model";  ///< in the bundle: what the vendor's runtime loads
constexpr const char* kFactsFile = "toolchain.json";
/// Of the quantization-aware entry, and the newest that TVM's front end takes.
constexpr std::int64_t kOwnScalesOpset = 13, kNewestOpset = 15;

struct Compiled {
  Executable executable;
  std::vector<std::uint32_t> report_as;
  std::vector<std::string> files;  ///< below the work folder
};

adze_status place(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    const Settings settings(*call);
    for (std::uint32_t i = 0; i < call->graph->node_count; ++i)
      adze::check(call->report->placement(
          call, i, ADZE_PLACED_WITH_LIMITS, "drpai",
          "the vendor's compiler decides when it compiles; `--backend drpai` predicts it"));
  });
}

void say(adze_call* call, std::int32_t level, const std::string& text) {
  call->host->log(call, level, text.c_str());
}

void write_file(const fs::path& file, std::span<const std::uint8_t> bytes) {
  adze::exec::write_bytes(file, {bytes.begin(), bytes.end()});
}

std::string without_ending(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

/// The one input that the toolchain's scripts take.
CompileJob job_for(const adze_call& call, Scales scales, const adze_compile& options) {
  const adze_graph& graph = *call.graph;
  if (options.batch != 1)
    throw Error(ADZE_UNIMPLEMENTED,
                "models of DRP-AI TVM take one sample at a time; use --batch 1");
  if (graph.input_count != 1)
    throw Error(ADZE_UNIMPLEMENTED,
                "the toolchain's compile script takes models with one input, "
                "this one has " +
                    std::to_string(graph.input_count));
  const adze_value& input = *graph.values[graph.inputs[0]];
  CompileJob job{.model = fs::path(options.work_dir) / "model.onnx",
                 .input = input.name,
                 .shape = {input.shape, input.shape + std::max(input.rank, 0)},
                 .scales = scales,
                 .calibration = {}};
  for (const std::int64_t size : job.shape)
    if (size < 1)
      throw Error(ADZE_UNIMPLEMENTED,
                  "input '" + job.input + "' has no fixed shape, which the toolchain needs");
  if (job.input.empty() || job.input.front() == '-')
    throw Error(ADZE_INVALID_ARGUMENT,
                "input '" + job.input + "' would be taken for an option of the toolchain");
  return job;
}

void check_opset(std::span<const std::uint8_t> model, Scales scales) {
  const std::int64_t opset = opset_of(model);
  if (scales == Scales::own && opset != kOwnScalesOpset)
    throw Error(ADZE_FAILED_PRECONDITION,
                "the toolchain takes models with scales of their own in opset 13, this one has "
                "opset " +
                    std::to_string(opset) + "; export it with 13");
  if (opset > kNewestOpset)
    throw Error(ADZE_FAILED_PRECONDITION,
                "the toolchain takes models up to opset " + std::to_string(kNewestOpset) +
                    ", this one has opset " + std::to_string(opset) + "; export it with 13");
}

/// The scales that the vendor's calibrator chose, by the names of the graph's values.
ValueScales scales_of_calibrator(const Toolchain& toolchain) {
  const auto file = toolchain.intermediate("model_quantization.onnx");
  if (!file)
    throw Error(ADZE_DATA_LOSS,
                "the toolchain left no model_quantization.onnx below temp/: which scales the board "
                "uses is not known, and a comparison with the emulation would compare two "
                "quantizations");
  return read_scales(adze::exec::read_bytes(*file));
}

struct Emulation {
  Program program;
  std::size_t weights = 0, activations = 0;
};

Emulation emulate(adze_call* call, const adze_compile& options, const ValueScales* scales) {
  const auto rounding = adze::exec::rounding_of(Facts(call->target));
  if (!scales) return {adze::exec::program_for(call, options, rounding)};
  const GraphWithScales graph(*call->graph, *scales);
  adze_call with_scales = *call;
  with_scales.graph = graph.get();
  Emulation made{adze::exec::program_for(&with_scales, options, rounding), graph.weights(),
                 graph.activations()};
  return made;
}

/// Says how far the emulation is from the vendor's interpreter, where that left its results.
json compare_with_interpreter(adze_call* call, Executable& executable, const fs::path& folder) {
  const Reference reference = read_reference(folder);
  if (reference.outputs.empty()) return nullptr;
  const adze_value& input = *call->graph->values[call->graph->inputs[0]];
  const adze::F32Tensor tensor(reference.input,
                               {input.shape, static_cast<std::size_t>(input.rank)});
  const adze_tensor* const inputs[] = {tensor.get()};
  json rows = json::array();
  executable.run(inputs, static_cast<int>(call->threads), [&](const Executable::Result& result) {
    const std::size_t index = rows.size();
    if (index >= reference.outputs.size() || result.dtype != adze::exec::DType::f32) return;
    const auto* begin = reinterpret_cast<const float*>(result.bytes.data());
    const Closeness found =
        compare({begin, begin + result.bytes.size() / sizeof(float)}, reference.outputs[index]);
    rows.push_back({{"max_abs", found.max_abs},
                    {"mean_abs", found.mean_abs},
                    {"close_share", found.close_share}});
    say(call, ADZE_LOG_INFO,
        "emulation against the vendor's interpreter, output " + std::to_string(index) +
            ": largest difference " + without_ending(found.max_abs) + ", mean " +
            without_ending(found.mean_abs) + ", " + without_ending(found.close_share * 100) +
            " % of elements close");
  });
  return rows;
}

void keep_files(const Settings& settings, const Toolchain& toolchain) {
  if (settings.keep.empty()) return;
  std::error_code failed;
  fs::create_directories(settings.keep, failed);
  const auto keep = [&](const fs::path& file) {
    if (!failed)
      fs::copy_file(file, fs::path(settings.keep) / file.filename(),
                    fs::copy_options::overwrite_existing, failed);
  };
  keep(toolchain.log());
  for (const char* name : {"pre_optimize_model.onnx", "model_quantization.onnx"})
    if (const auto file = toolchain.intermediate(name)) keep(*file);
  if (failed)
    throw Error(ADZE_FAILED_PRECONDITION, "cannot keep the toolchain's files in '" + settings.keep +
                                              "': " + failed.message());
}

void check_memory(const CompiledModel& compiled, const Settings& settings) {
  if (compiled.memory_bytes <= settings.memory_area_bytes) return;
  const auto mib = [](std::uint64_t bytes) {
    return std::to_string((bytes + (1u << 20) - 1) >> 20);
  };
  throw Error(ADZE_RESOURCE_EXHAUSTED,
              "the compiled model needs " + mib(compiled.memory_bytes) +
                  " MiB of DRP-AI memory, the board has " + mib(settings.memory_area_bytes) +
                  " MiB (addr_map.txt); make the model smaller, or the board's area larger and say "
                  "so (memory_area_mib)");
}

void prepare_calibration(adze_call* call, const Settings& settings, CompileJob& job) {
  if (!settings.int8 || job.scales == Scales::own) return;
  if (!settings.calibration.empty()) {
    require_images(settings.calibration);
    job.calibration = fs::absolute(settings.calibration);
    return;
  }
  job.calibration = job.model.parent_path() / "calibration";
  const WrittenImages written = write_calibration_images(call, settings, job.calibration);
  say(call, ADZE_LOG_INFO,
      std::to_string(written.count) + " calibration images written, " +
          without_ending(written.clipped_share * 100) + " % of their values clipped");
}

struct Made {
  fs::path folder;  ///< of the compiled model
  CompiledModel model;
  std::optional<ValueScales> scales;  ///< nullopt: those of the model
  std::string version;
};

Made run_toolchain(adze_call* call, const Settings& settings, CompileJob job) {
  const fs::path work = job.model.parent_path();
  const std::span<const std::uint8_t> bytes = adze::ort::bytes_of_graph(call);
  check_opset(bytes, job.scales);
  Toolchain toolchain(call, settings, work);
  try {
    prepare_calibration(call, settings, job);
    write_file(job.model, bytes);
    Made made{.folder = toolchain.compile(job),
              .model = {},
              .scales = {},
              .version = toolchain.version().text()};
    made.model = read_compiled(made.folder);
    check_memory(made.model, settings);
    if (settings.int8 && job.scales == Scales::vendor)
      made.scales = scales_of_calibrator(toolchain);
    keep_files(settings, toolchain);
    return made;
  } catch (...) {
    try {
      keep_files(settings, toolchain);
    } catch (const Error&) {
      // What went wrong first matters more.
    }
    throw;
  }
}

void warn_of_what_is_missing(adze_call* call, const Made& made, const Emulation& emulation,
                             const ModelFacts& facts) {
  if (!made.model.uses_drpai())
    say(call, ADZE_LOG_WARNING, "the compiled model runs on the CPU alone: no part uses DRP-AI");
  if (!made.scales) return;
  say(call, ADZE_LOG_INFO,
      "scales are those of the vendor's calibrator: " + std::to_string(emulation.weights) + " of " +
          std::to_string(facts.weights) + " weights, " + std::to_string(emulation.activations) +
          " activations");
  if (emulation.weights < facts.weights)
    say(call, ADZE_LOG_WARNING,
        std::to_string(facts.weights - emulation.weights) +
            " weights have no scale under their name in model_quantization.onnx: they are emulated "
            "in floats, though the board may not compute them so");
}

adze_status compile(void*, adze_call* call, const adze_compile* options,
                    void** out_executable) noexcept {
  return adze::guard(call, [&] {
    const Settings settings(*call);
    const ModelFacts facts = facts_of(*call->graph);
    const Scales scales = choose_scales(settings, facts);
    const Made made = run_toolchain(call, settings, job_for(*call, scales, *options));
    Emulation emulation = emulate(call, *options, made.scales ? &*made.scales : nullptr);
    warn_of_what_is_missing(call, made, emulation, facts);

    const fs::path work = options->work_dir;
    std::vector<std::uint32_t> report_as = emulation.program.outputs;
    report_as.insert(report_as.end(), emulation.program.extra_outputs.begin(),
                     emulation.program.extra_outputs.end());
    auto compiled = std::make_unique<Compiled>(Compiled{
        Executable(std::move(emulation.program), {.threads = static_cast<int>(call->threads)}),
        std::move(report_as),
        {kFactsFile}});
    json stages = json::array();
    for (const CompiledStage& stage : made.model.stages)
      stages.push_back({{"backend", stage.backend}, {"folder", stage.folder}});
    const json document = {
        {"drpai_tvm", made.version},
        {"product", settings.product},
        {"scales", !settings.int8 ? "none"
                   : made.scales  ? "vendor"
                                  : "own"},
        {"calibrate_method", made.scales ? json(settings.calibrate_method) : json(nullptr)},
        {"quantizer_opts", made.scales ? json(settings.quantizer_opts()) : json(nullptr)},
        {"weights_with_scales", made.scales ? json(emulation.weights) : json(nullptr)},
        {"sparse", settings.sparse},
        {"memory_bytes", made.model.memory_bytes ? json(made.model.memory_bytes) : json(nullptr)},
        {"stages", stages},
        {"emulated_against_interpreter",
         compare_with_interpreter(call, compiled->executable, made.folder)},
        {"verified", "not yet verified with the vendor's toolchain"}};
    const std::string text = document.dump(2) + "\n";
    write_file(work / kFactsFile,
               {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    fs::rename(made.folder, work / kModelFolder);
    for (const std::string& file : made.model.files)
      compiled->files.push_back(std::string(kModelFolder) + "/" + file);
    *out_executable = compiled.release();
  });
}

adze_status run(void* executable, adze_call* call, const adze_tensor* const* inputs,
                uint64_t count) noexcept {
  return adze::guard(call, [&] {
    auto& compiled = *static_cast<Compiled*>(executable);
    adze::exec::run(call, compiled.executable, compiled.report_as, {inputs, count});
  });
}

adze_status artifacts(void* executable, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    for (const std::string& file : static_cast<Compiled*>(executable)->files)
      adze::check(call->report->artifact(call, file.c_str()));
  });
}

void release(void* executable) noexcept { delete static_cast<Compiled*>(executable); }

constexpr adze_backend kBackend = {
    sizeof(adze_backend), 0, place, nullptr, compile, nullptr, run, nullptr, artifacts, release};

const adze_component* component() {
  static const adze_component made = [] {
    adze_component component = adze::component(
        "adze.drpai_tvm",
        "Compiles with the vendor's DRP-AI TVM where it is installed (not yet verified with it).",
        kParameters, kNeeds, &kBackend);
    component.flags = 0;  // the toolchain is not ours to promise
    return component;
  }();
  return &made;
}

}  // namespace

const adze_plugin* adze_plugin_v1(void) noexcept {
  static const adze_component* const components[] = {component()};
  static const adze_plugin plugin =
      adze::plugin("adze.drpai_tvm", "0.1.0", "The Adze authors", "Apache-2.0", components);
  return &plugin;
}
