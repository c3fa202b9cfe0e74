#include "host/pipeline/board_type_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>

#include "host/base/error.hpp"
#include "host/base/nearest.hpp"

namespace adze::host {
namespace {

enum class Kind { number, flag, text, texts };

struct Known {
  const char* name;
  Kind kind = Kind::number;
  double low = 0, high = std::numeric_limits<double>::infinity();
  bool required = false;  ///< when another fact of its section is there
};

constexpr double kPositive = std::numeric_limits<double>::min();
constexpr double kMany = std::numeric_limits<double>::infinity();
constexpr bool kRequired = true;

constexpr Known kFacts[] = {
    {"name", Kind::text},
    {"engine", Kind::text},
    {"number_format", Kind::text},
    {"not_verified_on_hardware", Kind::flag},
    {"clock.ai_mhz", Kind::number, kPositive},
    {"clock.drp_mhz", Kind::number, kPositive},
    {"compute.macs_per_cycle", Kind::number, 1},
    {"compute.input_lanes", Kind::number, 1, 65536, kRequired},
    {"compute.output_lanes", Kind::number, 1, 65536, kRequired},
    {"compute.dense_tops", Kind::number, kPositive},
    {"compute.sparse_tops", Kind::number, kPositive},
    {"memory.peak_gb_per_s", Kind::number, kPositive},
    {"memory.weight_sram_bytes"},
    {"memory.feature_sram_bytes"},
    {"memory.drpai_area_bytes", Kind::number, 1},
    {"memory.input_bytes_per_element", Kind::number, kPositive},
    {"memory.output_bytes_per_element", Kind::number, kPositive},
    {"memory.work_bytes_per_element", Kind::number, kPositive},
    {"memory.bytes_per_weight", Kind::number, kPositive},
    {"memory.bytes_per_channel"},
    {"memory.program_bytes"},
    {"cpu.cores", Kind::number, 1},
    {"cpu.clock_mhz", Kind::number, kPositive},
    {"cpu.gflops", Kind::number, kPositive},
    {"cpu.copy_gb_per_s", Kind::number, kPositive},
    {"cpu.stream_gb_per_s", Kind::number, kPositive, kMany, kRequired},
    {"cpu.element_bytes", Kind::number, 1, 8, kRequired},
    {"sparse.supported", Kind::flag, 0, 0, kRequired},
    {"sparse.group", Kind::number, 1},
    {"sparse.axis"},
    {"sparse.position_bits"},
    {"sparse.bytes_per_kept_weight", Kind::number, kPositive},
    {"sparse.floor", Kind::number, kPositive, 1},
    {"arithmetic.weight_bits", Kind::number, 1, 32},
    {"arithmetic.activation_bits", Kind::number, 1, 32},
    {"arithmetic.zero_point", Kind::flag},
    {"arithmetic.shared_scales", Kind::flag},
    {"arithmetic.accumulator", Kind::text},
    {"arithmetic.rounding", Kind::text},
    {"placement.drpai_ops", Kind::texts, 0, 0, kRequired},
    {"placement.view_ops", Kind::texts},
    {"placement.subgraph_needs_mac", Kind::flag},
    {"placement.add_behind", Kind::texts, 0, 0, kRequired},
    {"placement.rule.ops", Kind::texts},
    {"placement.rule.when", Kind::text},
    {"placement.rule.limit"},
    {"placement.rule.beside", Kind::flag},
    {"placement.rule.hand_over_included", Kind::flag},
    {"placement.rule.reason", Kind::text},
    {"placement.rule.source", Kind::text},
    {"toolchain.version", Kind::text},
    {"toolchain.older.before", Kind::text},
    {"toolchain.older.add_behind", Kind::texts},
    {"toolchain.older.source", Kind::text},
    {"cost.fitted_at_mhz", Kind::number, kPositive},
    {"cost.interval_factor", Kind::number, 1, kMany, kRequired},
    {"cost.ai_mac.start_ms", Kind::number, 0, kMany, kRequired},
    {"cost.ai_mac.ms_per_gmac", Kind::number, 0, kMany, kRequired},
    {"cost.ai_mac.ms_per_million_elements", Kind::number, 0, kMany, kRequired},
    {"cost.ai_mac.ms_per_million_weights", Kind::number, 0, kMany, kRequired},
    {"cost.ai_mac.ms_per_million_depthwise_elements", Kind::number, 0, kMany, kRequired},
    {"cost.drp.ms_per_node", Kind::number, 0, kMany, kRequired},
    {"cost.drp.ms_per_million_elements", Kind::number, 0, kMany, kRequired},
    {"cost.drp.ms_per_million_norm_elements", Kind::number, 0, kMany, kRequired},
    {"cost.drp.ms_per_million_swish_elements", Kind::number, 0, kMany, kRequired},
    {"cost.cpu.start_ms", Kind::number, 0, kMany, kRequired},
    {"cost.cpu.ms_per_gmac", Kind::number, 0, kMany, kRequired},
    {"cost.cpu.ms_per_depthwise_gmac", Kind::number, 0, kMany, kRequired},
    {"cost.cpu.ms_per_million_conv_elements", Kind::number, 0, kMany, kRequired},
    {"cost.cpu.ms_per_million_broadcast_elements", Kind::number, 0, kMany, kRequired},
    {"cost.cpu.ms_per_split_piece", Kind::number, 0, kMany, kRequired},
    {"cost.cpu.ms_per_concat_piece", Kind::number, 0, kMany, kRequired},
    {"cost.cpu.ms_per_million_resized_elements", Kind::number, 0, kMany, kRequired},
    {"cost.hand_over.ms_each", Kind::number, 0, kMany, kRequired},
    {"cost.hand_over.ms_per_million_elements", Kind::number, 0, kMany, kRequired},
    {"fit.terms", Kind::texts},
    {"fit.rows"},
    {"fit.median_error"},
    {"fit.p90_error"},
    {"fit.within_20_percent_or_1_ms", Kind::number, 0, 1},
    {"fit.rank_correlation", Kind::number, -1, 1},
};

std::string section_of(const std::string& fact) { return fact.substr(0, fact.find('.')); }

/// "placement.rule.3.ops" is looked up as "placement.rule.ops".
std::string without_index(const std::string& fact) {
  for (const std::string_view list : {"placement.rule.", "toolchain.older."}) {
    if (!fact.starts_with(list)) continue;
    const std::size_t dot = fact.find('.', list.size());
    if (dot != std::string::npos) return std::string(list) + fact.substr(dot + 1);
  }
  return fact;
}

std::string described(Kind kind) {
  switch (kind) {
    case Kind::number:
      return "a number";
    case Kind::flag:
      return "true or false";
    case Kind::text:
      return "a text";
    case Kind::texts:
      break;
  }
  return "a list of texts";
}

bool has_kind(const Target::Fact& fact, Kind kind) {
  switch (kind) {
    case Kind::number:
      return std::holds_alternative<double>(fact) || std::holds_alternative<std::int64_t>(fact);
    case Kind::flag:
      return std::holds_alternative<bool>(fact);
    case Kind::text:
      return std::holds_alternative<std::string>(fact);
    case Kind::texts:
      break;
  }
  return std::holds_alternative<std::vector<std::string>>(fact);
}

template <class Where>
void check_range(const Target::Fact& fact, const Known& known, const Where& where) {
  if (known.kind != Kind::number) return;
  const auto* whole = std::get_if<std::int64_t>(&fact);
  const double value = whole ? static_cast<double>(*whole) : std::get<double>(fact);
  if (std::isfinite(value) && value >= known.low && value <= known.high) return;
  const std::string least =
      known.low == kPositive ? "above 0" : fmt::format("of at least {}", known.low);
  throw Error(ADZE_INVALID_ARGUMENT,
              fmt::format("{} is {}; it must be a number {}{}", where(), value, least,
                          std::isfinite(known.high) ? fmt::format(" and at most {}", known.high)
                                                    : std::string()));
}

}  // namespace

namespace {

/// ":12" where `file` gives the fact; empty when it cannot be found there.
std::string place_of(const std::string& fact, const std::string& file) {
  std::ifstream text(file);
  std::map<std::string, int> tables;  // of each [[list]] so far
  std::string section;
  int number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    if (line.starts_with("[[")) {
      const std::string list = line.substr(2, line.find(']') - 2);
      section = fmt::format("{}.{}.", list, tables[list]++);
    } else if (line.starts_with("[")) {
      section = line.substr(1, line.find(']') - 1) + ".";
    } else if (section + line.substr(0, line.find_first_of(" =")) == fact) {
      return fmt::format(":{}", number);
    }
  }
  return "";
}

}  // namespace

void check_board_type(const Facts& facts, const std::string& file) {
  std::vector<std::string> names, sections;
  for (const Known& known : kFacts) {
    names.emplace_back(known.name);
    sections.push_back(section_of(known.name));
  }
  std::vector<std::string> present;
  for (const auto& [name, fact] : facts) {
    const std::string plain = without_index(name);
    const auto where = [&, &key = name] {
      return fmt::format("{}{}: '{}'", file, place_of(key, file), key);
    };
    present.push_back(section_of(name));
    const auto known = std::find_if(std::begin(kFacts), std::end(kFacts),
                                    [&](const Known& one) { return one.name == plain; });
    if (known == std::end(kFacts)) {
      if (std::find(sections.begin(), sections.end(), section_of(name)) == sections.end()) continue;
      std::string others;
      for (const std::string& one : names)
        if (one.substr(0, one.rfind('.')) == plain.substr(0, plain.rfind('.')))
          others += (others.empty() ? "" : ", ") + one.substr(one.rfind('.') + 1);
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("{} is unknown{}; numbers say their unit in their name. Known there: "
                              "{}",
                              where(), did_you_mean(plain, names), others));
    }
    if (!has_kind(fact, known->kind))
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("{} must be {}", where(), described(known->kind)));
    check_range(fact, *known, where);
  }
  for (const Known& known : kFacts)
    if (known.required && !facts.contains(known.name) &&
        std::find(present.begin(), present.end(), section_of(known.name)) != present.end())
      throw Error(ADZE_INVALID_ARGUMENT, fmt::format("{}: '{}' is missing", file, known.name));
  const auto needs = [&](bool condition, const char* fact, const char* why) {
    if (condition && !facts.contains(fact))
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("{}: '{}' is missing, which {} asks for", file, fact, why));
  };
  const auto sparse = facts.find("sparse.supported");
  const bool uses_zeros = sparse != facts.end() && std::get<bool>(sparse->second);
  needs(uses_zeros, "sparse.floor", "sparse.supported");
  needs(uses_zeros, "sparse.bytes_per_kept_weight", "sparse.supported");
  needs(facts.contains("clock.ai_mhz") && facts.contains("cost.interval_factor"),
        "cost.fitted_at_mhz", "clock.ai_mhz");
}

}  // namespace adze::host
