#include "host/report/svg_curves.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "host/report/svg.hpp"

namespace adze::host {
namespace {

constexpr double kPlotWidth = 900, kPlotHeight = 380;
constexpr double kPlotTop = 22, kPlotBottom = 318, kPlotLeft = 84, kNameWidth = 170;
constexpr int kColours = 6;

std::string label_at(double x, double y, std::string_view anchor, std::string_view text,
                     std::string_view css_class) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n",
                     x, y, anchor, css_class, escape_html(text));
}

struct Scale {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  double from = 0, to = 1;  ///< on the picture
  bool logarithmic = false;

  double of(double value) const { return logarithmic ? std::log10(value) : value; }
  void include(double value) {
    low = std::min(low, of(value));
    high = std::max(high, of(value));
  }
  double at(double value) const { return from + (of(value) - low) / (high - low) * (to - from); }
  void pad(double share) {
    const double span = high > low ? high - low : std::max(std::abs(high), 1e-3) * 0.1;
    low -= span * share;
    high += span * share;
  }
};

std::vector<double> ticks_of(const Scale& scale, int most) {
  std::vector<double> ticks;
  const double raw = (scale.high - scale.low) / most;
  if (scale.logarithmic) {
    const double step = std::max(1.0, std::ceil(raw));
    for (double tick = std::ceil(scale.low); tick <= scale.high; tick += step)
      ticks.push_back(std::pow(10.0, tick));
    return ticks;
  }
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= raw * (1 - 1e-9)) step = factor * power;
  for (double tick = std::ceil(scale.low / step - 1e-9) * step; tick <= scale.high + step * 1e-9;
       tick += step)
    ticks.push_back(std::abs(tick) < step * 1e-9 ? 0.0 : tick);
  return ticks;
}

/// Names at the ends of lines, moved apart where they would cover each other.
std::vector<double> spread(std::vector<double> places) {
  constexpr double kApart = 15;
  std::vector<std::size_t> order(places.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return places[i]; });
  for (std::size_t i = 1; i < order.size(); ++i)
    places[order[i]] = std::max(places[order[i]], places[order[i - 1]] + kApart);
  for (std::size_t i = order.size(); i-- > 0;) {
    const double below = i + 1 < order.size() ? places[order[i + 1]] - kApart : kPlotBottom + 4;
    places[order[i]] = std::min(places[order[i]], below);
  }
  return places;
}

std::string axes(const Scale& across, const Scale& up, const PlotAxis& x, const PlotAxis& y) {
  std::string svg;
  for (const double tick : ticks_of(across, 8)) {
    svg +=
        fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" class=\"grid\"/>\n",
                    across.at(tick), kPlotTop, kPlotBottom);
    svg += label_at(across.at(tick), kPlotBottom + 18, "middle",
                    fmt::format("{:.6g}{}", tick, x.unit), "tick");
  }
  for (const double tick : ticks_of(up, 7)) {
    svg += fmt::format(
        "<line x1=\"{1}\" x2=\"{2:.1f}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\" class=\"grid\"/>\n",
        up.at(tick), kPlotLeft, across.to);
    svg += label_at(kPlotLeft - 8, up.at(tick) + 4, "end", fmt::format("{:.6g}{}", tick, y.unit),
                    "tick");
  }
  svg += label_at((kPlotLeft + across.to) / 2, kPlotBottom + 42, "middle", x.name, "small");
  return svg + label_at(8, kPlotTop - 8, "start", y.name, "small");
}

}  // namespace

std::string line_plot(std::string_view title, std::span<const Curve> curves, const PlotAxis& x,
                      const PlotAxis& y) {
  Scale across{.from = kPlotLeft, .to = kPlotWidth - 24, .logarithmic = false};
  Scale up{.from = kPlotBottom, .to = kPlotTop, .logarithmic = y.logarithmic};
  const auto is_drawn = [&](const CurvePoint& point) { return !y.logarithmic || point.y > 0; };
  bool any = false;
  for (const Curve& curve : curves)
    for (const CurvePoint& point : curve.points) {
      if (!is_drawn(point)) continue;
      any = true;
      across.include(point.x);
      up.include(point.y);
    }
  if (!any) return {};
  across.pad(0.03);
  up.pad(0.06);
  const bool names = curves.size() > 1;
  if (names) across.to -= kNameWidth;

  // The highest ends are named.
  std::vector<std::size_t> order(curves.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto end_of = [&](std::size_t c) {
    const auto& points = curves[c].points;
    return points.empty() ? -std::numeric_limits<double>::infinity() : points.back().y;
  };
  std::ranges::stable_sort(order, std::greater<>(), end_of);
  std::vector<std::size_t> named(
      order.begin(),
      order.begin() + static_cast<std::ptrdiff_t>(std::min(kNamedCurves, order.size())));
  std::ranges::sort(named);

  std::string svg =
      fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\"><title>{}</title>\n",
                  kPlotWidth, kPlotHeight, escape_html(title), escape_html(title));
  svg += axes(across, up, x, y);
  std::vector<double> ends;
  std::vector<std::pair<std::string, std::string>> end_names;  // name, colour
  for (std::size_t c = 0; c < curves.size(); ++c) {
    const auto place = std::ranges::find(named, c);
    const std::string colour =
        place == named.end() ? "rest" : fmt::format("line{}", (place - named.begin()) % kColours);
    std::string line, dots;
    const CurvePoint* last = nullptr;
    for (const CurvePoint& point : curves[c].points) {
      if (!is_drawn(point)) continue;
      last = &point;
      line += fmt::format("{}{:.1f},{:.1f}", line.empty() ? "" : " ", across.at(point.x),
                          up.at(point.y));
      dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" class=\"dot {}\"/>\n",
                          across.at(point.x), up.at(point.y), colour);
      if (!point.label.empty()) {
        // Left of a dot and above it, where a front that rises to the right is not.
        const bool has_room = across.at(point.x) > across.from + 70;
        dots += label_at(across.at(point.x) + (has_room ? -8 : 8),
                         up.at(point.y) + (has_room ? -7 : 18), has_room ? "end" : "start",
                         point.label, "label");
      }
    }
    if (!last) continue;
    svg += fmt::format("<polyline points=\"{}\" class=\"curve {}\"><title>{}</title></polyline>\n",
                       line, colour, escape_html(curves[c].name));
    svg += dots;
    if (!names || place == named.end()) continue;
    ends.push_back(up.at(last->y) + 4);
    end_names.emplace_back(curves[c].name, colour);
  }
  ends = spread(std::move(ends));
  for (std::size_t i = 0; i < ends.size(); ++i) {
    svg += fmt::format(
        "<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" class=\"curve {}\"/>\n",
        across.to + 6, across.to + 20, ends[i] - 4, ends[i] - 4, end_names[i].second);
    svg += label_at(across.to + 26, ends[i], "start", end_names[i].first, "label");
  }
  return svg + "</svg>\n";
}

std::string heat_map(std::string_view title, std::span<const std::string> columns,
                     std::span<const HeatRow> rows) {
  if (rows.empty() || columns.empty()) return {};
  constexpr double kRow = 24, kHead = 28, kGap = 2;
  std::size_t longest = 4;
  for (const HeatRow& row : rows) longest = std::max(longest, row.label.size());
  const double left = std::min(330.0, 7.2 * static_cast<double>(longest) + 14);
  const double width =
      std::min(150.0, (kPlotWidth - left - 4) / static_cast<double>(columns.size()));
  const double height = kHead + kRow * static_cast<double>(rows.size()) + 6;
  std::string svg = fmt::format(
      "<svg viewBox=\"0 0 {} {:.0f}\" role=\"img\" aria-label=\"{}\"><title>{}</title>\n",
      kPlotWidth, height, escape_html(title), escape_html(title));
  const auto middle = [&](std::size_t column) {
    return left + width * (static_cast<double>(column) + 0.5);
  };
  for (std::size_t c = 0; c < columns.size(); ++c)
    svg += label_at(middle(c), kHead - 10, "middle", columns[c], "small");
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const double y = kHead + kRow * static_cast<double>(r);
    svg += label_at(left - 10, y + kRow / 2 + 4, "end", rows[r].label, "label");
    for (std::size_t c = 0; c < rows[r].values.size() && c < columns.size(); ++c) {
      const double value = rows[r].values[c];
      // Faint up to where layers differ little, strong where they differ in what they lose.
      const double strength = value < 0 ? 0 : 0.06 + 0.94 * std::pow(std::min(value, 1.0), 3);
      svg += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"3\" "
          "class=\"series0\" fill-opacity=\"{:.2f}\"/>\n",
          left + width * static_cast<double>(c) + kGap / 2, y + kGap / 2, width - kGap, kRow - kGap,
          strength);
      svg += label_at(middle(c), y + kRow / 2 + 4, "middle", rows[r].texts[c],
                      strength > 0.55 ? "label onfill" : "label");
    }
  }
  return svg + "</svg>\n";
}

}  // namespace adze::host
