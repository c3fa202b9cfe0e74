// What the vendor's runtime says about the time of a model's parts.
#pragma once

#include <string>
#include <vector>

namespace adze::mera {

struct PartTime {
  std::string name, device;
  double latency_ms = 0;
};

/// Of its CSV table with the columns Name, Duration (us), Device, in any order. Lines that are no
/// part (totals) are left out. Errors: DATA_LOSS when a column is missing or a duration no number.
std::vector<PartTime> parse_profile_csv(const std::string& text);
/// Of lines "[RT] Unit x: y (us)" among others.
std::vector<PartTime> parse_unit_lines(const std::string& text);

}  // namespace adze::mera
