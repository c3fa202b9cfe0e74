// What adze.cpu and adze.drpai share: from a call of the ABI to an executable and back.
#pragma once

#include <array>
#include <filesystem>

#include "plugins/tensor_exec/executable.hpp"
#include "plugins/tensor_exec/facts.hpp"

namespace adze::exec {

/// The parameters of both backends.
extern const std::array<adze_param, 2> kParameters;
/// A backend with them.
adze_component component(const char* id, const char* doc, const adze_backend& backend);
/// What a call says about them, and its threads.
Options options_of(const adze_call& call);

/// "arithmetic.rounding" of the target. Errors: UNIMPLEMENTED for a format nobody here emulates.
Rounding rounding_of(const Facts& facts);

/// Empty: the node can be executed. Otherwise why not. Indices are those of the graph.
std::vector<std::string> unsupported_nodes(const Program& program);

/// The graph of the call with batch and extra outputs; those that cannot be shown are reported as
/// unavailable.
Program program_for(adze_call* call, const adze_compile& options, Rounding rounding);

/// A loaded program's values against the inputs and outputs that the call shows. Errors: DATA_LOSS.
void check_interface(const adze_call& call, const Program& program);

/// Runs and reports; `report_as`: the value of the call's graph for each output of the program.
void run(adze_call* call, Executable& executable, const std::vector<std::uint32_t>& report_as,
         std::span<const adze_tensor* const> inputs);

/// One row of profile().
void report_row(adze_call* call, std::span<const std::uint32_t> nodes, const char* engine,
                double latency_ms, std::uint64_t bytes, std::uint32_t source);

std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path);
void write_bytes(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes);

}  // namespace adze::exec
