#include "hil/inventory/instruments.hpp"

#include <unistd.h>

#include <algorithm>

#include "host/base/error.hpp"

namespace adze::hil {
namespace {

/// Until a meter says its first word.
constexpr double kFirstWordSeconds = 5;
constexpr useconds_t kPauseMicroseconds = 20'000;
/// Of the console, in a measurement.
constexpr std::size_t kMostConsoleLines = 1000;

}  // namespace

Instruments::Instruments(const InventoryBoard& board) {
  if (!board.meter.command.empty())
    meter_.emplace(board.meter.command, "meter");
  else if (!board.meter.device.empty())
    meter_.emplace(board.meter.device, board.meter.baud, "meter");
  idle_seconds_ = board.meter.idle_s;
  if (!board.console.empty()) console_.emplace(board.console, board.console_baud, "console");
}

std::vector<PowerSample> Instruments::power() const {
  std::vector<PowerSample> samples;
  std::vector<double> arrived;
  if (!meter_) return samples;
  for (const TimedLine& line : meter_->lines())
    if (const auto sample = parse_power(line.text)) {
      samples.push_back(*sample);
      arrived.push_back(line.at_s);
    }
  align_clocks(samples, arrived);
  std::ranges::stable_sort(samples, {}, &PowerSample::at_s);
  return samples;
}

void Instruments::measure_idle(const std::function<void(const std::string&)>& say) {
  if (!meter_) return;
  if (say) say("idle power");
  for (const double begin = monotonic_s(); power().empty(); ::usleep(kPauseMicroseconds)) {
    if (monotonic_s() - begin < kFirstWordSeconds && !meter_->ended()) continue;
    const auto lines = meter_->lines();
    throw host::RigError(ADZE_UNAVAILABLE, lines.empty()
                                               ? "the meter says nothing"
                                               : "the meter does not say \"seconds,watts\" but '" +
                                                     lines.back().text + "'");
  }
  idle_.begin_s = monotonic_s();
  ::usleep(static_cast<useconds_t>(idle_seconds_ * 1e6));
  idle_.end_s = monotonic_s();
}

void Instruments::add_to(Measurement& measurement, std::span<const RunWindow> runs) const {
  Conditions& conditions = measurement.conditions;
  if (meter_) try {
      measurement.energy = energy_of(power(), idle_, runs);
    } catch (const host::Error& error) {
      conditions.warnings.push_back(std::string("no energy: ") + error.what());
    }
  if (!console_ || runs.empty()) return;
  const std::vector<TimedLine> lines = console_->lines();
  const std::size_t first = lines.size() - std::min(lines.size(), kMostConsoleLines);
  for (const TimedLine& line : std::span(lines).subspan(first))
    conditions.console.push_back({line.at_s - runs.front().begin_s, line.text});
  conditions.console_forgotten = first + console_->forgotten();
}

std::vector<std::string> Instruments::last_console_lines(std::size_t count) const {
  std::vector<std::string> texts;
  if (!console_) return texts;
  const std::vector<TimedLine> lines = console_->lines();
  for (const TimedLine& line : std::span(lines).last(std::min(count, lines.size())))
    texts.push_back(line.text);
  return texts;
}

}  // namespace adze::hil
