// Pictures of a pruning: curves, fronts, and what each layer got.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adze::host {

struct CurvePoint {
  double x = 0, y = 0;
  std::string label;  ///< stands beside the point; empty: none
};

struct Curve {
  std::string name;
  std::vector<CurvePoint> points;  ///< ascending x
};

struct PlotAxis {
  std::string name;
  std::string unit;          ///< behind each number: " %", " ms"
  bool logarithmic = false;  ///< of y only; what is 0 or less is left out
};

/// Lines with a dot at each point. Each name stands at the end of its line while they are few (at
/// most `kNamedCurves`); with more, only those that end highest are named and the others show
/// theirs when pointed at.
inline constexpr std::size_t kNamedCurves = 6;
std::string line_plot(std::string_view title, std::span<const Curve> curves, const PlotAxis& x,
                      const PlotAxis& y);

/// A row of cells a layer, the darker the larger.
struct HeatRow {
  std::string label;
  std::vector<double> values;      ///< 0..1, one a column; negative: nothing is known
  std::vector<std::string> texts;  ///< what stands in each cell
};

std::string heat_map(std::string_view title, std::span<const std::string> columns,
                     std::span<const HeatRow> rows);

}  // namespace adze::host
