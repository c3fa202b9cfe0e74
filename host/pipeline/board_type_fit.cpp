#include "host/pipeline/board_type_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/graph/simplify.hpp"
#include "host/graph/statistics.hpp"
#include "host/onnx/model.hpp"
#include "host/pipeline/least_squares.hpp"
#include "host/pipeline/targets.hpp"

namespace adze::host {
namespace {

/// Times are rounded to whole milliseconds: below this an error in percent says little.
constexpr double kFloorMs = 1.5;

std::vector<std::string> split_line(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      cells.emplace_back();
    else if (c != '\r')
      cells.back() += c;
  }
  return cells;
}

/// The whole text as a finite number.
std::optional<double> to_number(const std::string& text) {
  try {
    std::size_t used = 0;
    const double number = std::stod(text, &used);
    if (used == text.size() && std::isfinite(number)) return number;
  } catch (const std::exception&) {
  }
  return std::nullopt;
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

/// Ranks from 1; equal values share the mean of theirs.
std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i + 1;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    const double mean = static_cast<double>(i + end + 1) / 2;
    for (; i < end; ++i) result[order[i]] = mean;
  }
  return result;
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n,
               mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

std::vector<std::string> fitted_terms(const Facts& facts) {
  const auto found = facts.find("fit.terms");
  const auto* names =
      found == facts.end() ? nullptr : std::get_if<std::vector<std::string>>(&found->second);
  if (!names || names->empty())
    throw Error(ADZE_INVALID_ARGUMENT,
                "the board type lacks fit.terms, the list of coefficients to fit");
  std::vector<std::string> terms;
  for (const std::string& name : *names) {
    terms.push_back("cost." + name);
    if (!facts.contains(terms.back()))
      throw Error(ADZE_INVALID_ARGUMENT, "fit.terms of the board type names '" + name +
                                             "', but there is no " + terms.back());
  }
  return terms;
}

/// "cost.SECTION.NAME": what predictions are linear in.
bool is_coefficient(const std::string& fact) {
  return fact.starts_with("cost.") && std::count(fact.begin(), fact.end(), '.') == 2;
}

struct Problem {
  Matrix amounts;  ///< by model and term
  std::vector<double> offset, measured;

  Problem without(const std::vector<char>& left_out) const {
    Problem rest{{amounts.columns, {}}, {}, {}};
    for (std::size_t r = 0; r < measured.size(); ++r) {
      if (left_out[r]) continue;
      const auto row = amounts.row(r);
      rest.amounts.values.insert(rest.amounts.values.end(), row.begin(), row.end());
      rest.offset.push_back(offset[r]);
      rest.measured.push_back(measured[r]);
    }
    return rest;
  }
  std::vector<double> solve() const {
    return robust_relative_fit(amounts, measured, offset, kFloorMs);
  }
  double predict(std::size_t r, const std::vector<double>& x) const {
    const auto row = amounts.row(r);
    return std::inner_product(row.begin(), row.end(), x.begin(), offset[r]);
  }
};

std::filesystem::path find_model(const std::vector<std::filesystem::path>& folders,
                                 const std::string& name) {
  for (const std::filesystem::path& folder : folders)
    if (std::filesystem::exists(folder / name)) return folder / name;
  std::string tried;
  for (const std::filesystem::path& folder : folders)
    tried += (tried.empty() ? "'" : ", '") + folder.string() + "'";
  throw Error(ADZE_NOT_FOUND, "no model '" + name + "' in " + tried + "; the data name it");
}

Problem measure_work(const Component& backend, const Facts& facts,
                     const std::vector<std::string>& terms, const std::vector<TimedModel>& rows,
                     const std::vector<std::filesystem::path>& models, const CallOptions& options,
                     const std::function<void(double, const std::string&)>& progress) {
  // A target for which one coefficient is 1 and the others 0 is answered with what it counts.
  const auto targets_of = [&](const std::string& toolchain) {
    Facts none = toolchain.empty() ? facts : at_toolchain(facts, toolchain);
    for (auto& [name, fact] : none)
      if (is_coefficient(name) && std::find(terms.begin(), terms.end(), name) != terms.end())
        fact = 0.0;
    std::vector<std::unique_ptr<Target>> made;
    made.push_back(std::make_unique<Target>("fit", none));
    for (const std::string& term : terms) {
      Facts one = none;
      one[term] = 1.0;
      made.push_back(std::make_unique<Target>("fit", one));
    }
    return made;
  };
  std::map<std::string, std::vector<std::unique_ptr<Target>>> by_toolchain;
  Problem problem;
  problem.amounts.columns = terms.size();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    progress(static_cast<double>(r) / static_cast<double>(rows.size()), rows[r].model);
    Graph graph = load_model(find_model(models, rows[r].model));
    simplify(graph);
    std::vector<WhatIf> questions;
    for (std::uint32_t n = 0; n < graph.nodes.size(); ++n)
      questions.push_back({n, zeros_of(graph, graph.nodes[n]).sparsity()});
    if (rows[r].sparsity > 0)
      for (const std::uint32_t n : choose_targets(graph, ComponentKind::pruner, {}, {}).nodes)
        questions[n].sparsity = std::max(questions[n].sparsity, rows[r].sparsity);
    const auto total = [&](const Target& target) {
      CallOptions call = options;
      call.target = &target;
      const std::vector<double> answers = estimate(backend, {}, graph, call, questions);
      return std::accumulate(answers.begin(), answers.end(), 0.0);
    };
    auto& targets = by_toolchain[rows[r].toolchain];
    if (targets.empty()) targets = targets_of(rows[r].toolchain);
    const double offset = total(*targets[0]);
    for (std::size_t t = 0; t < terms.size(); ++t)
      problem.amounts.values.push_back(total(*targets[t + 1]) - offset);
    problem.offset.push_back(offset);
    problem.measured.push_back(rows[r].latency_ms);
  }
  return problem;
}

/// Puts `value` behind `key =` of `[section]`; the comment and its column stay. Adds the key at the
/// end of the section, or the section at the end of the file.
void set_value(std::vector<std::string>& lines, const std::string& section, const std::string& key,
               const std::string& value) {
  const auto header = std::find(lines.begin(), lines.end(), "[" + section + "]");
  if (header == lines.end()) {
    lines.insert(lines.end(), {"", "[" + section + "]", key + " = " + value + "  # [fitted]"});
    return;
  }
  auto last = header;
  for (auto line = header + 1; line != lines.end() && !line->starts_with("["); ++line) {
    if (!line->empty()) last = line;
    if (!line->starts_with(key + " ") && !line->starts_with(key + "=")) continue;
    const std::size_t comment = line->find('#');
    std::string text = key + " = " + value;
    if (comment != std::string::npos)
      text += std::string(comment > text.size() ? comment - text.size() : 1, ' ') +
              line->substr(comment);
    *line = text;
    return;
  }
  lines.insert(last + 1, key + " = " + value + "  # [fitted]");
}

/// Always a TOML float.
std::string number(double value) {
  std::string text = fmt::format("{:.4g}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

std::vector<TimedModel> read_timed_models(const std::filesystem::path& file,
                                          const std::string& time_column) {
  const std::string text = read_text_file(file);
  std::vector<TimedModel> rows;
  std::vector<std::string> heading;
  std::size_t model = 0, time = 0, family = 0, sparsity = 0, toolchain = 0, line_number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    ++line_number;
    const auto fail = [&](const std::string& why) {
      throw Error(ADZE_INVALID_ARGUMENT, fmt::format("{}:{}: {}", file.string(), line_number, why));
    };
    if (line.empty() || line[0] == '#' || line == "\r") continue;
    const std::vector<std::string> cells = split_line(line);
    if (heading.empty()) {
      heading = cells;
      const auto column = [&](const std::string& name) {
        return static_cast<std::size_t>(std::find(heading.begin(), heading.end(), name) -
                                        heading.begin());
      };
      model = std::min(column("model"), column("file"));
      time = column(time_column);
      family = column("family");
      sparsity = column("sparsity");
      toolchain = column("toolchain");
      if (model == heading.size() || time == heading.size())
        fail(
            fmt::format("no column '{}' in '{}'; a heading like model,{} is needed, or "
                        "--time-column",
                        model == heading.size() ? "model" : time_column, line, time_column));
      continue;
    }
    if (cells.size() != heading.size())
      fail(fmt::format("{} cells, but the heading has {}", cells.size(), heading.size()));
    if (cells[time].empty()) continue;
    const std::optional<double> latency_ms = to_number(cells[time]);
    if (!latency_ms || !(*latency_ms > 0))
      fail(
          fmt::format("'{}' is no time of '{}' in ms; write a number above 0, or nothing to leave "
                      "the model out",
                      cells[time], cells[model]));
    TimedModel row{cells[model], family < heading.size() ? cells[family] : std::string(),
                   *latency_ms};
    if (sparsity < heading.size() && !cells[sparsity].empty()) {
      const std::optional<double> share = to_number(cells[sparsity]);
      if (!share || !(*share >= 0 && *share < 1))
        fail(
            fmt::format("'{}' is no sparsity of '{}'; write a share from 0 to below 1, or nothing "
                        "for a model as it is",
                        cells[sparsity], cells[model]));
      row.sparsity = *share;
    }
    if (toolchain < heading.size()) row.toolchain = cells[toolchain];
    rows.push_back(std::move(row));
  }
  return rows;
}

FitErrors fit_errors(std::span<const double> predicted, std::span<const double> measured) {
  std::vector<double> relative;
  double within = 0;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const double error = std::abs(predicted[i] - measured[i]);
    relative.push_back(error / measured[i]);
    if (relative.back() <= 0.2 || error <= 1) ++within;
  }
  if (relative.empty()) return {};
  return {quantile(relative, 0.5), quantile(relative, 0.9),
          within / static_cast<double>(measured.size()),
          correlation(ranks(predicted), ranks(measured))};
}

BoardFit fit_board_type(const Component& backend, const Facts& facts,
                        const std::vector<TimedModel>& rows,
                        const std::vector<std::filesystem::path>& models,
                        const CallOptions& options,
                        const std::function<void(double, const std::string&)>& progress) {
  const std::vector<std::string> terms = fitted_terms(facts);
  if (rows.size() < 2 * terms.size())
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("{} models with a time are too few to fit {} coefficients; give at "
                            "least {}, or shorten fit.terms of the board type",
                            rows.size(), terms.size(), 2 * terms.size()));
  const Problem problem = measure_work(backend, facts, terms, rows, models, options, progress);
  const std::size_t count = rows.size();
  // Predictions of the models that `left_out` marks, by a fit to the others.
  std::vector<double> fitted(count), one_out(count), family_out(count);
  const auto predict_left_out = [&](const std::vector<char>& left_out,
                                    std::vector<double>& predicted) {
    const std::vector<double> x = problem.without(left_out).solve();
    for (std::size_t r = 0; r < count; ++r)
      if (left_out[r]) predicted[r] = problem.predict(r, x);
  };
  const std::vector<double> x = problem.solve();
  std::set<std::string> families;
  for (std::size_t r = 0; r < count; ++r) {
    fitted[r] = problem.predict(r, x);
    std::vector<char> left_out(count, 0);
    left_out[r] = 1;
    predict_left_out(left_out, one_out);
    families.insert(rows[r].family);
  }
  BoardFit fit;
  for (std::size_t t = 0; t < terms.size(); ++t) fit.coefficients.emplace_back(terms[t], x[t]);
  std::vector<double> off;
  for (std::size_t r = 0; r < count; ++r) {
    fit.models.push_back({rows[r], fitted[r], one_out[r], std::nullopt});
    const double predicted = std::max(one_out[r], 1e-9);
    off.push_back(std::max(predicted / rows[r].latency_ms, rows[r].latency_ms / predicted));
  }
  fit.interval_factor = quantile(off, 0.9);
  fit.fit = fit_errors(fitted, problem.measured);
  fit.leave_one_out = fit_errors(one_out, problem.measured);
  if (families.size() > 1) {
    for (const std::string& family : families) {
      std::vector<char> left_out(count);
      for (std::size_t r = 0; r < count; ++r) left_out[r] = rows[r].family == family;
      predict_left_out(left_out, family_out);
    }
    fit.leave_family_out = fit_errors(family_out, problem.measured);
    for (std::size_t r = 0; r < count; ++r) fit.models[r].family_out_ms = family_out[r];
  }
  return fit;
}

std::string with_fit(const std::string& text, const BoardFit& fit) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  for (const auto& [name, value] : fit.coefficients) {
    const std::size_t dot = name.rfind('.');
    set_value(lines, name.substr(0, dot), name.substr(dot + 1), number(value));
  }
  set_value(lines, "cost", "interval_factor", number(fit.interval_factor));
  set_value(lines, "fit", "rows", std::to_string(fit.models.size()));
  set_value(lines, "fit", "median_error", number(fit.leave_one_out.median));
  set_value(lines, "fit", "p90_error", number(fit.leave_one_out.p90));
  set_value(lines, "fit", "within_20_percent_or_1_ms", number(fit.leave_one_out.within));
  set_value(lines, "fit", "rank_correlation", number(fit.leave_one_out.rank));
  std::string result;
  for (const std::string& line : lines) result += line + "\n";
  return result;
}

}  // namespace adze::host
