#include "host/report/svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace adze::host {
namespace {

constexpr int kWidth = 900;

std::string open_svg(std::string_view title, int height, int width = kWidth) {
  return fmt::format(
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\"><title>{}</title>\n", width,
      height, escape_html(title), escape_html(title));
}

std::string text_at(double x, double y, std::string_view anchor, std::string_view text,
                    std::string_view css_class = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n",
                     x, y, anchor, css_class, escape_html(text));
}

// A step of 1, 2 or 5 times a power of ten that cuts `span` into at most `most` pieces.
double round_step(double span, int most) {
  const double raw = span / most, power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= raw * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

struct Axis {
  double low, high, left, right;
  double at(double value) const {
    return left + (std::clamp(value, low, high) - low) / (high - low) * (right - left);
  }
};

std::string axis_ticks(const Axis& axis, double top, double bottom, std::string_view unit,
                       int most = 8) {
  std::string svg;
  const double step = round_step(axis.high - axis.low, most);
  for (double tick = std::ceil(axis.low / step - 1e-9) * step + 0.0;
       tick <= axis.high + step * 1e-9; tick += step) {
    const double x = axis.at(tick);
    svg +=
        fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" class=\"grid\"/>\n",
                    x, top, bottom);
    svg += text_at(x, bottom + 16, "middle", fmt::format("{:.6g}{}", tick, unit), "tick");
  }
  return svg;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string bar_chart(std::string_view title, std::span<const std::string> series,
                      std::span<const BarRow> rows, double low) {
  const auto per_row = static_cast<int>(series.size());
  const int bar = per_row > 1 ? 12 : 16, row_height = per_row * bar + 8;
  const int top = per_row > 1 ? 30 : 8,
            height = top + row_height * static_cast<int>(rows.size()) + 4;
  std::size_t longest = 4;
  double high = low;
  for (const BarRow& row : rows) {
    longest = std::max(longest, row.label.size());
    for (const double value : row.values) high = std::max(high, value);
  }
  if (high <= low) high = low + 1;
  const Axis axis{low, high, std::min(360.0, 7.2 * static_cast<double>(longest) + 12),
                  kWidth - 150.0};

  std::string svg = open_svg(title, height);
  for (int s = 0; per_row > 1 && s < per_row; ++s) {
    const double x = axis.left + 170.0 * s;
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"6\" width=\"12\" height=\"12\" class=\"series{}\"/>\n", x, s);
    svg += text_at(x + 18, 16, "start", series[static_cast<std::size_t>(s)]);
  }
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const double y = top + row_height * static_cast<double>(r);
    svg += text_at(axis.left - 8, y + row_height / 2.0, "end", rows[r].label, "label");
    for (std::size_t s = 0; s < rows[r].values.size(); ++s) {
      const double end = axis.at(rows[r].values[s]), bar_y = y + bar * static_cast<double>(s) + 2;
      svg += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\" class=\"series{}\"/>\n",
          axis.left, bar_y, std::max(1.0, end - axis.left), bar - 1, s);
      svg += text_at(end + 6, bar_y + bar - (per_row > 1 ? 2 : 4), "start", rows[r].texts[s],
                     per_row > 1 ? "small" : "");
    }
  }
  return svg + "</svg>\n";
}

std::string histogram(std::string_view title, std::span<const double> samples, double median,
                      double reference, std::string_view reference_name, std::string_view unit) {
  if (samples.empty()) return {};
  constexpr int kHeight = 240, kBins = 48, kTop = 30, kBottom = 200;
  const auto [low_at, high_at] = std::ranges::minmax_element(samples);
  double low = *low_at, high = *high_at;
  if (reference > 0) low = std::min(low, reference), high = std::max(high, reference);
  if (high - low < 1e-9) high = low + std::max(1e-6, std::abs(low) * 0.01);
  const Axis axis{low, high, 50, kWidth - 30.0};
  std::vector<int> bins(kBins);
  for (const double sample : samples)
    ++bins[static_cast<std::size_t>(
        std::min(kBins - 1, static_cast<int>((sample - low) / (high - low) * kBins)))];
  const int most = *std::ranges::max_element(bins);
  std::string svg = open_svg(title, kHeight) + axis_ticks(axis, kTop, kBottom, unit);
  const double bin_width = (axis.right - axis.left) / kBins;
  for (int b = 0; b < kBins; ++b) {
    const double bar = bins[static_cast<std::size_t>(b)] * double{kBottom - kTop} / most;
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"series0\"/>\n",
        axis.left + b * bin_width + 0.5, kBottom - bar, bin_width - 1, bar);
  }
  const auto mark = [&](double value, std::string_view name, std::string_view css, double y) {
    svg +=
        fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" class=\"{3}\"/>\n",
                    axis.at(value), kTop - 6, kBottom, css);
    const bool at_right = axis.at(value) > kWidth - 220;
    svg += text_at(axis.at(value) + (at_right ? -6 : 6), y, at_right ? "end" : "start",
                   fmt::format("{} {:.4g}{}", name, value, unit));
  };
  mark(median, "median", "mark", 14);
  if (reference > 0) mark(reference, reference_name, "mark dashed", 30);
  return svg + text_at(axis.left, kHeight - 6, "start", fmt::format("{} samples", samples.size())) +
         "</svg>\n";
}

std::string sample_strip(std::string_view title, std::span<const double> samples, double fence,
                         std::string_view unit) {
  if (samples.empty()) return {};
  constexpr int kHeight = 170, kTop = 12, kBottom = 130;
  const double high = std::max(1e-9, *std::ranges::max_element(samples) * 1.05);
  const Axis axis{0, static_cast<double>(samples.size()), 60, kWidth - 30.0};
  const auto y_of = [&](double value) { return kBottom - value / high * (kBottom - kTop); };
  std::string svg = open_svg(title, kHeight) + axis_ticks(axis, kTop, kBottom, "");
  const double step = round_step(high, 4);
  for (double tick = 0; tick <= high; tick += step) {
    svg +=
        fmt::format("<line x1=\"60\" x2=\"{1}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\" class=\"grid\"/>\n",
                    y_of(tick), kWidth - 30);
    svg += text_at(54, y_of(tick) + 4, "end", fmt::format("{:.4g}{}", tick, unit), "tick");
  }
  for (std::size_t i = 0; i < samples.size(); ++i)
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"1.8\" class=\"{}\"/>\n",
                       axis.at(static_cast<double>(i) + 0.5), y_of(samples[i]),
                       samples[i] > fence ? "series1" : "series0");
  return svg + text_at(axis.left, kHeight - 6, "start", "inferences in the order they ran") +
         "</svg>\n";
}

std::string layer_chart(std::string_view title, std::span<const LayerPoint> points,
                        std::size_t layers, double limit, double lowest) {
  if (points.empty()) return {};
  constexpr int kHeight = 300, kTop = 30, kBottom = 250;
  constexpr std::size_t kMostLabels = 2000;  // more would make the page slow
  const Axis axis{0, static_cast<double>(layers), 70, kWidth - 30.0};
  double highest = std::max(limit * 10, 1.0);
  for (const LayerPoint& point : points) highest = std::max(highest, point.value);
  const double low = std::floor(std::log10(lowest)), high = std::ceil(std::log10(highest));
  const auto y_of = [&](double value) {
    const double level = value > 0 ? std::clamp(std::log10(value), low, high) : low;
    return kBottom - (level - low) / (high - low) * (kBottom - kTop);
  };
  std::string svg = open_svg(title, kHeight) + axis_ticks(axis, kTop, kBottom, "");
  const double step = round_step(high - low, 8);
  for (double tick = low; tick <= high + 1e-9; tick += std::max(1.0, step)) {
    const double y = y_of(std::pow(10.0, tick));
    svg +=
        fmt::format("<line x1=\"70\" x2=\"{1}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\" class=\"grid\"/>\n",
                    y, kWidth - 30);
    svg += text_at(64, y + 4, "end",
                   tick == low ? "0" : fmt::format("{:.0e}", std::pow(10.0, tick)), "tick");
  }
  svg += fmt::format(
      "<line x1=\"70\" x2=\"{1}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\" class=\"mark dashed\"/>\n",
      y_of(limit), kWidth - 30);
  svg += text_at(kWidth - 34, y_of(limit) - 6, "end", fmt::format("limit {:.3g}", limit), "small");
  const LayerPoint* first = nullptr;
  for (const LayerPoint& point : points) {
    if (!point.within && !first) first = &point;
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\" class=\"{}\">",
                       axis.at(static_cast<double>(point.place) + 0.5), y_of(point.value),
                       point.within ? "series0" : "series1");
    if (points.size() <= kMostLabels) svg += "<title>" + escape_html(point.label) + "</title>";
    svg += "</circle>\n";
  }
  if (first) {
    const double x = axis.at(static_cast<double>(first->place) + 0.5);
    const bool at_right = x > kWidth / 2.0;
    svg +=
        fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" class=\"mark\"/>\n",
                    x, kTop - 6, kBottom);
    svg += text_at(x + (at_right ? -6 : 6), 16, at_right ? "end" : "start",
                   "parts at " + first->label);
  }
  return svg + text_at(axis.left, kHeight - 6, "start", "layers in the order data travels") +
         "</svg>\n";
}

std::string grid_histogram(std::string_view title, std::span<const double> counts,
                           const GridPicture& shown) {
  if (counts.empty() || !(shown.high > shown.low)) return {};
  constexpr int kHalfWidth = 450, kHeight = 170, kTop = 8, kBottom = 140;
  const Axis axis{shown.low, shown.high, 12, kHalfWidth - 16.0};
  const double most = std::log10(std::max(*std::ranges::max_element(counts), 1.0) + 1);
  std::string svg = open_svg(title, kHeight, kHalfWidth) + axis_ticks(axis, kTop, kBottom, "", 5);
  const double bin = (shown.high - shown.low) / static_cast<double>(counts.size()),
               width = (axis.right - axis.left) / static_cast<double>(counts.size());
  for (std::size_t b = 0; b < counts.size(); ++b) {
    const double middle = shown.low + (static_cast<double>(b) + 0.5) * bin;
    const bool held = middle >= shown.grid_low && middle <= shown.grid_high;
    const double height = std::log10(counts[b] + 1) / most * (kBottom - kTop);
    if (height <= 0) continue;
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
        "class=\"series{}\"/>\n",
        axis.left + static_cast<double>(b) * width + 0.3, kBottom - height, width - 0.6, height,
        held ? 0 : 1);
  }
  for (const double edge : {shown.grid_low, shown.grid_high})
    svg += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" class=\"mark dashed\"/>\n",
        axis.at(edge), kTop, kBottom);
  return svg + "</svg>\n";
}

}  // namespace adze::host
