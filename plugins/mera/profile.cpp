#include "plugins/mera/profile.hpp"

#include <adze/adze.hpp>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

namespace adze::mera {
namespace {

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\""),
                    end = text.find_last_not_of(" \t\r\"");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') quoted = !quoted;
    if (c == ',' && !quoted)
      cells.emplace_back();
    else
      cells.back() += c;
  }
  for (std::string& cell : cells) cell = trimmed(cell);
  return cells;
}

/// nullopt-like: a negative number when it is none.
double microseconds(std::string text) {
  std::erase(text, ',');  // between thousands
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return end == text.c_str() || *end || !std::isfinite(value) ? -1 : value;
}

[[noreturn]] void broken(const std::string& why) {
  throw Error(ADZE_DATA_LOSS, "the vendor's profile " + why);
}

}  // namespace

std::vector<PartTime> parse_profile_csv(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> header = cells_of(line);
  const auto column = [&](const char* name) {
    for (std::size_t i = 0; i < header.size(); ++i)
      if (header[i].rfind(name, 0) == 0) return i;
    broken(std::string("has no column '") + name + "'");
  };
  const std::size_t name = column("Name"), duration = column("Duration"), device = column("Device");
  std::vector<PartTime> parts;
  while (std::getline(lines, line)) {
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() <= std::max({name, duration, device})) continue;
    const std::string& part = cells[name];
    if (part.empty() || part.find_first_not_of("-") == std::string::npos || part == "Sum" ||
        part == "Total")
      continue;
    const double us = microseconds(cells[duration]);
    if (us < 0) broken("gives '" + part + "' the duration '" + cells[duration] + "'");
    parts.push_back({part, cells[device], us / 1000});
  }
  return parts;
}

std::vector<PartTime> parse_unit_lines(const std::string& text) {
  constexpr const char* kMark = "[RT] Unit ";
  std::istringstream lines(text);
  std::vector<PartTime> parts;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t mark = line.find(kMark), colon = line.rfind(':');
    if (mark == std::string::npos || colon == std::string::npos || colon < mark) continue;
    const std::size_t begin = mark + std::string(kMark).size();
    const double us = microseconds(trimmed(line.substr(colon + 1, line.rfind('(') - colon - 1)));
    if (us >= 0)
      parts.push_back({"unit " + trimmed(line.substr(begin, colon - begin)), "", us / 1000});
  }
  return parts;
}

}  // namespace adze::mera
