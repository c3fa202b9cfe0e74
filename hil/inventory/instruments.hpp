// What the lab listens to while a board works: its power meter and its serial console.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hil/inventory/inventory.hpp"
#include "hil/inventory/line_capture.hpp"
#include "hil/measure/energy.hpp"
#include "hil/measure/measurement.hpp"

namespace adze::hil {

/// Listens from construction to destruction to what the inventory names for the board.
class Instruments {
 public:
  /// Errors: those of LineCapture.
  explicit Instruments(const InventoryBoard& board);
  Instruments() = default;  ///< none

  /// With a meter: waits while the board idles, for what an inference takes above that. Errors:
  /// RigError UNAVAILABLE when the meter says nothing, or nothing that is "seconds,watts".
  void measure_idle(const std::function<void(const std::string&)>& say = {});
  /// Adds the energy of `runs` and the console's lines. What the meter cannot say is a warning.
  void add_to(Measurement& measurement, std::span<const RunWindow> runs) const;
  /// The last lines of the console, for a failure's message; empty: none.
  std::vector<std::string> last_console_lines(std::size_t count) const;

 private:
  std::vector<PowerSample> power() const;

  std::optional<LineCapture> meter_, console_;
  double idle_seconds_ = 0;
  RunWindow idle_;
};

}  // namespace adze::hil
