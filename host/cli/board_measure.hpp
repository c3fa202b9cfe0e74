// adze board bench, ab, stats; and how measurements are told to people.
#pragma once

#include <string>

#include "hil/measure/measurement.hpp"
#include "host/cli/command.hpp"

namespace adze::host {

void add_board_measuring(CLI::App& group, Context& context);
/// Lines of a measurement: statistics, what was dropped, what makes them doubtful.
std::string latency_text(const hil::Measurement& measurement);
std::string interval_text(const hil::Statistics& statistics);
/// Empty where no meter ran along.
std::string energy_text(const hil::Measurement& measurement);
/// The last of these alone.
std::string condition_text(const hil::Conditions& conditions);

}  // namespace adze::host
