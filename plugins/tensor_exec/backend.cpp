#include "plugins/tensor_exec/backend.hpp"

#include <adze/ext/draft/integer_constants.h>

#include <fstream>

namespace adze::exec {
namespace {

constexpr const char* kPathChoices[] = {"auto", "fast", "plain", nullptr};
constexpr double kMaxMemoryMib = 1 << 30;
constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{4} << 30;

bool is_computed(const Program& program, std::uint32_t value) {
  for (const Node& node : program.nodes)
    for (const std::uint32_t output : node.outputs)
      if (output == value) return true;
  for (const std::uint32_t input : program.inputs)
    if (input == value) return true;
  return false;
}

}  // namespace

const std::array<adze_param, 2> kParameters = {{
    {sizeof(adze_param), ADZE_TEXT, 0, "path",
     "How integer layers are computed: auto and fast use the CPU's vector units, plain is the "
     "reference; all give the same bits.",
     0, 0, 0, "auto", kPathChoices},
    {sizeof(adze_param), ADZE_I64, 0, "memory_limit_mib",
     "Memory in MiB that a model's values may take; 0: as much as this machine has.", 0, 0,
     kMaxMemoryMib, nullptr, nullptr},
}};

adze_component component(const char* id, const char* doc, const adze_backend& backend) {
  adze_component made = adze::component(id, doc, kParameters, nullptr, &backend);
  made.flags |= ADZE_TAKES_INTEGER_CONSTANTS;
  return made;
}

Options options_of(const adze_call& call) {
  const std::string_view path = *call.arguments[0]->text;
  Options options;
  options.path = path == "plain" ? Path::plain : path == "fast" ? Path::fast : Path::automatic;
  options.threads = static_cast<int>(call.threads);
  const auto limit_mib = static_cast<std::uint64_t>(*call.arguments[1]->i64);
  if (limit_mib > 0) options.memory_limit_bytes = limit_mib << 20;
  return options;
}

Rounding rounding_of(const Facts& facts) {
  const std::string accumulator = facts.text("arithmetic.accumulator", "int32");
  if (accumulator != "int32")
    throw Error(ADZE_UNIMPLEMENTED,
                "the board type's accumulator '" + accumulator + "' is not emulated; int32 is");
  const std::string rounding = facts.text("arithmetic.rounding", "half_even");
  if (rounding == "half_even") return Rounding::half_even;
  if (rounding == "half_up") return Rounding::half_up;
  throw Error(ADZE_UNIMPLEMENTED, "the board type's rounding '" + rounding +
                                      "' is not emulated; half_even and half_up are");
}

std::vector<std::string> unsupported_nodes(const Program& program) {
  std::vector<std::string> reasons(program.nodes.size());
  const Options options;
  for (std::uint32_t i = 0; i < program.nodes.size(); ++i) {
    try {
      check_node(Site(program, i, 1, options));
    } catch (const Error& error) {
      reasons[i] = error.what();
    }
  }
  return reasons;
}

Program program_for(adze_call* call, const adze_compile& options, Rounding rounding) {
  Program program = make_program(*call->graph, rounding);
  program.batch = options.batch;
  for (std::uint64_t i = 0; i < options.extra_output_count; ++i) {
    const std::uint32_t value = options.extra_outputs[i];
    if (is_computed(program, value))
      program.extra_outputs.push_back(value);
    else
      check(call->report->unavailable(call, value, "a constant, not computed"));
  }
  return program;
}

void check_interface(const adze_call& call, const Program& program) {
  const auto compare = [&](const std::uint32_t* shown, std::uint32_t count,
                           const std::vector<std::uint32_t>& own, const char* what) {
    if (count != own.size())
      throw Error(ADZE_DATA_LOSS, std::string("program file: another number of ") + what);
    for (std::uint32_t i = 0; i < count; ++i) {
      const adze_value& value = *call.graph->values[shown[i]];
      const Shape shape(value.shape, value.shape + std::max(value.rank, 0));
      if (shape != program.values[own[i]].shape)
        throw Error(ADZE_DATA_LOSS, std::string("program file: other shapes of ") + what);
    }
  };
  compare(call.graph->inputs, call.graph->input_count, program.inputs, "inputs");
  compare(call.graph->outputs, call.graph->output_count, program.outputs, "outputs");
}

void run(adze_call* call, Executable& executable, const std::vector<std::uint32_t>& report_as,
         std::span<const adze_tensor* const> inputs) {
  std::size_t next = 0;
  executable.run(inputs, static_cast<int>(call->threads), [&](const Executable::Result& result) {
    const Shape strides = strides_of(result.shape);
    const auto [code, bits] = abi_type_of(result.dtype, result.half);
    const adze_tensor tensor{result.bytes.data(),
                             1,
                             0,
                             static_cast<std::int32_t>(result.shape.size()),
                             code,
                             bits,
                             1,
                             result.shape.data(),
                             strides.data(),
                             0};
    check(call->report->output(call, report_as[next++], &tensor));
  });
}

void report_row(adze_call* call, std::span<const std::uint32_t> nodes, const char* engine,
                double latency_ms, std::uint64_t bytes, std::uint32_t source) {
  const adze_profile_row row{
      sizeof(adze_profile_row), source, nodes.size(), nodes.data(), engine, latency_ms, bytes};
  check(call->report->profile(call, &row));
}

std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path) {
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(path, failed);
  if (failed || size > kMaxFileBytes)
    throw Error(ADZE_DATA_LOSS, "cannot read '" + path.string() + "'");
  std::vector<std::uint8_t> bytes(size);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (!file) throw Error(ADZE_DATA_LOSS, "cannot read '" + path.string() + "'");
  return bytes;
}

void write_bytes(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw Error(ADZE_RESOURCE_EXHAUSTED, "cannot write '" + path.string() + "'");
}

}  // namespace adze::exec
