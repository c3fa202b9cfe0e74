#include "hil/agent/simulated_hardware.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>

#include "hil/protocol/manifest.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::hil {
namespace {

namespace fs = std::filesystem;
using host::Error;
using nlohmann::json;

/// What adze.drpai puts into a bundle.
constexpr const char* kProgramFile = "program.cbor";
constexpr double kNominalMhz = 1700, kCoolC = 45, kHotC = 97;

void negate(std::uint8_t* element, std::size_t size_bytes) {
  if (size_bytes == 1)
    *element = static_cast<std::uint8_t>(-std::max<int>(static_cast<std::int8_t>(*element), -127));
  else
    element[size_bytes - 1] ^= 0x80;  // the sign of a little-endian float
}

void break_layer(json& program, const std::string& name) {
  for (const json& node : program.at("nodes")) {
    if (node.at("name") != name) continue;
    if (node.at("inputs").size() < 2) break;
    json& weights = program.at("values").at(node.at("inputs").at(1).get<std::size_t>());
    if (!weights.contains("constant")) break;
    auto& bytes = weights.at("constant").get_binary();
    std::size_t count = 1;
    for (const json& size : weights.at("shape")) count *= size.get<std::size_t>();
    const std::size_t element = bytes.size() / std::max<std::size_t>(1, count);
    const std::size_t channel = count / weights.at("shape").at(0).get<std::size_t>();
    if (element != 1 && element != sizeof(float)) break;
    for (std::size_t i = 0; i < channel; ++i) negate(bytes.data() + i * element, element);
    return;
  }
  throw Error(ADZE_NOT_FOUND, "--fault wrong_layer=" + name +
                                  ": the bundle has no node of this name with weights; `adze "
                                  "inspect` lists them");
}

}  // namespace

SimulatedHardware::SimulatedHardware(Faults faults, Pace pace, fs::path scratch)
    : faults_(std::move(faults)),
      pace_(pace),
      scratch_(std::move(scratch)),
      random_(faults_.seed) {}

fs::path SimulatedHardware::as_it_computes(const fs::path& slot) {
  if (!faults_.wrong_rounding && !faults_.wrong_layer) return slot;
  const fs::path program_file = fs::path(kArtifactFolder) / kProgramFile;
  if (!fs::exists(slot / program_file))
    throw Error(ADZE_FAILED_PRECONDITION,
                "wrong_rounding and wrong_layer break what adze.drpai executes; this bundle has no "
                "such program");
  fs::remove_all(scratch_);
  fs::create_directories(scratch_);
  fs::copy(fs::canonical(slot), scratch_, fs::copy_options::recursive);
  try {
    const std::vector<std::byte> bytes = host::read_file(slot / program_file);
    const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
    json program = json::from_cbor(begin, begin + bytes.size());
    if (faults_.wrong_rounding) program.at("rounding") = 1 - program.at("rounding").get<int>();
    if (faults_.wrong_layer) break_layer(program, *faults_.wrong_layer);
    const std::vector<std::uint8_t> broken = json::to_cbor(program);
    host::write_file(scratch_ / program_file, std::as_bytes(std::span(broken)));
  } catch (const json::exception& error) {
    throw Error(ADZE_DATA_LOSS,
                std::string("the bundle's program cannot be broken: ") + error.what());
  }
  return scratch_;
}

double SimulatedHardware::normal() {
  const auto uniform = [this] { return (static_cast<double>(random_() >> 11) + 0.5) * 0x1p-53; };
  return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * std::numbers::pi * uniform());
}

void SimulatedHardware::loaded(double predicted_ms) {
  predicted_ms_ = predicted_ms;
  pace_of_load_ = std::max(0.5, 1 + pace_.spread * normal());
}

bool SimulatedHardware::is_hot() {
  return faults_.throttle > 1 && inferences_ >= faults_.throttle_after;
}

std::chrono::nanoseconds SimulatedHardware::stretch(std::vector<std::int64_t>& times_ns) {
  const auto now = Clock::now();
  if (now - last_run_ > std::chrono::milliseconds(faults_.throttle_cool_ms)) inferences_ = 0;
  const double wanted_ms = (pace_.predicted ? predicted_ms_ : pace_.ms) * pace_of_load_;
  std::int64_t added = 0;
  for (std::int64_t& time : times_ns) {
    double ns = static_cast<double>(time);
    if (wanted_ms > 0)
      ns = std::max(ns, wanted_ms * 1e6 * std::max(0.5, 1 + pace_.spread / 4 * normal()));
    if (is_hot()) ns *= faults_.throttle;
    ++inferences_;
    added += static_cast<std::int64_t>(ns) - time;
    time = static_cast<std::int64_t>(ns);
  }
  last_run_ = now + std::chrono::nanoseconds(added);
  return std::chrono::nanoseconds(added);
}

void SimulatedHardware::spoil(const std::vector<TensorSpec>& specs,
                              std::vector<std::vector<std::byte>>& outputs) {
  if (!faults_.nan_output) return;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (std::size_t i = 0; i < specs.size(); ++i)
    if (specs[i].dtype == host::DType::f32 && outputs[i].size() >= sizeof nan)
      std::memcpy(outputs[i].data(), &nan, sizeof nan);
}

Telemetry SimulatedHardware::feel(Telemetry telemetry) {
  if (faults_.throttle <= 1) return telemetry;
  if (Clock::now() - last_run_ > std::chrono::milliseconds(faults_.throttle_cool_ms))
    inferences_ = 0;
  telemetry.governor = "performance";
  telemetry.frequency_mhz = is_hot() ? kNominalMhz / faults_.throttle : kNominalMhz;
  telemetry.temperature_c = is_hot() ? kHotC : kCoolC;
  return telemetry;
}

}  // namespace adze::hil
