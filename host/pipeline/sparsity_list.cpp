#include "host/pipeline/sparsity_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>

#include "host/base/error.hpp"
#include "host/base/nearest.hpp"

namespace adze::host {
namespace {

constexpr double kDefaultStep = 0.05;
constexpr std::size_t kMostSparsities = 1000;

class Parser {
 public:
  Parser(std::string_view option, std::string_view text) : option_(option), text_(text) {}

  std::vector<double> parse() {
    const std::size_t equals = text_.find('=');
    if (equals == std::string_view::npos) fail("does not begin with 'sparsity='");
    const std::string key(text_.substr(0, equals));
    const std::array<std::string, 1> keys = {"sparsity"};
    if (key != keys[0])
      fail(fmt::format("'{}' is nothing that can be chosen{}", key, did_you_mean(key, keys)));
    for (std::string_view rest = text_.substr(equals + 1);;) {
      const std::size_t comma = rest.find(',');
      add(rest.substr(0, comma));
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
    std::ranges::sort(found_);
    // A range may meet a single value but for rounding.
    const auto same = [](double a, double b) { return std::abs(a - b) < 1e-9; };
    found_.erase(std::ranges::unique(found_, same).begin(), found_.end());
    return found_;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("{} '{}': {}; write {} sparsity=0.7, sparsity=0.5,0.7,0.9 or "
                            "sparsity=0.7..0.95:0.05 (from..to:step), each from 0 up to but not 1",
                            option_, text_, why, option_));
  }

  double number(std::string_view text) const {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty()) fail("a number is missing");
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
      fail(fmt::format("'{}' is no number", text));
    return value;
  }

  double sparsity(std::string_view text) const {
    const double value = number(text);
    if (value > 1 && value < 100 && !found_.empty() && found_.back() == 0)
      fail(fmt::format("a comma is between sparsities: 0,{} is written 0.{}", text, text));
    if (value > 1 && value < 100)
      fail(fmt::format("{} is not a share; {} % is written {:.10g}", text, text, value / 100));
    if (!(value >= 0 && value < 1)) fail(fmt::format("{} is not from 0 up to but not 1", text));
    return value;
  }

  void add(std::string_view item) {
    const std::size_t dots = item.find("..");
    if (dots == std::string_view::npos) {
      if (item.find(':') != std::string_view::npos)
        fail(fmt::format("'{}' has a step and no range", item));
      found_.push_back(sparsity(item));
      return;
    }
    const std::string_view tail = item.substr(dots + 2);
    const std::size_t colon = tail.find(':');
    const double low = sparsity(item.substr(0, dots)), high = sparsity(tail.substr(0, colon));
    const double step =
        colon == std::string_view::npos ? kDefaultStep : number(tail.substr(colon + 1));
    if (low > high) fail(fmt::format("the range '{}' ends below where it begins", item));
    if (!(step > 0)) fail(fmt::format("the step of '{}' is not greater than 0", item));
    const double steps = std::floor((high - low) / step + 1e-9);
    if (steps + static_cast<double>(found_.size()) > kMostSparsities)
      fail(fmt::format("the range '{}' has more than {} steps", item, kMostSparsities));
    // Steps of a decimal fraction: 0.7 + 2 * 0.05 is meant to be 0.8.
    for (std::int64_t i = 0; i <= static_cast<std::int64_t>(steps); ++i)
      found_.push_back(std::round((low + static_cast<double>(i) * step) * 1e9) / 1e9);
    found_.push_back(high);
  }

  std::string_view option_, text_;
  std::vector<double> found_;
};

}  // namespace

std::vector<double> parse_sparsities(std::string_view option, std::string_view text) {
  return Parser(option, text).parse();
}

}  // namespace adze::host
