// What the toolchain says when it fails, in our words.
#pragma once

#include <adze/adze.hpp>
#include <string>

#include "plugins/drpai_tvm/process.hpp"

namespace adze::drpai_tvm {

/// The last lines that are not empty, for a message.
std::string last_lines(const std::string& output, std::size_t count);

/// Why a step failed: a known text, or how it ended, with the line of the toolchain that says so.
/// `step` is a phrase such as "compiling".
Error failure_of(const std::string& step, const Outcome& outcome, std::chrono::seconds limit);

}  // namespace adze::drpai_tvm
