// adze_report: what a backend hands back, and who takes it.
#pragma once

#include <adze/backend.h>

#include <string>

#include "host/abi/call.hpp"

namespace adze::host {

/// Takes the reports of one call. A function that is not overridden refuses: the backend reports
/// something that this call has no use for. What they throw goes back to the backend as a status.
class ReportReceiver {
 public:
  virtual ~ReportReceiver() = default;
  virtual void placement(std::uint32_t node, std::uint32_t verdict, std::string engine,
                         std::string reason);
  virtual void unavailable(std::uint32_t value, std::string reason);
  virtual void output(std::uint32_t value, const adze_tensor& contents);
  virtual void profile(const adze_profile_row& row);
  virtual void artifact(const std::string& relative_path);

  /// Makes `call` report to this object.
  void receive(Call& call);
  /// Throws PluginError when the function failed, or reported something that was refused.
  void finish(Call& call, adze_status status, const char* function) const;

  std::string violation;  ///< the first report that was refused; "" so far
};

}  // namespace adze::host
