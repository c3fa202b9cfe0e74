// The few kinds of picture a report needs, as inline SVG that follows the page's colours.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adze::host {

/// `text` with &, <, >, " and ' escaped for HTML text and attributes.
std::string escape_html(std::string_view text);

/// One row of a bar chart: one bar a series.
struct BarRow {
  std::string label;
  std::vector<double> values;      ///< >= 0; one a series
  std::vector<std::string> texts;  ///< what stands behind each bar
};

/// Horizontal bars. `series` names the colours (one: no legend is drawn). The axis runs from `low`
/// to the largest value. Rows keep their order.
std::string bar_chart(std::string_view title, std::span<const std::string> series,
                      std::span<const BarRow> rows, double low = 0);

/// Counts of `samples` in equal bins, with lines at the median and at `reference` (drawn when > 0).
std::string histogram(std::string_view title, std::span<const double> samples, double median,
                      double reference, std::string_view reference_name, std::string_view unit);

/// Samples in the order they were taken, a dot each, outliers above `fence` marked.
std::string sample_strip(std::string_view title, std::span<const double> samples, double fence,
                         std::string_view unit);

/// One layer of a comparison.
struct LayerPoint {
  std::size_t place = 0;  ///< among all layers, which may not all be in one picture
  double value = 0;       ///< >= 0
  bool within = true;
  std::string label;  ///< shown when pointed at
};

/// A dot a layer in the order data travels, on a logarithmic axis that ends at `lowest`, where what
/// is 0 or less than that lies too; a line at `limit`; the first layer that is not within it is
/// named.
std::string layer_chart(std::string_view title, std::span<const LayerPoint> points,
                        std::size_t layers, double limit, double lowest);

/// What of a tensor's range lies on its grid.
struct GridPicture {
  double low = 0, high = 0;            ///< of the bins
  double grid_low = 0, grid_high = 0;  ///< marked by dashed lines
};

/// Counts in equal bins, on a logarithmic axis; bins beyond the grid in another colour. Half as
/// wide as the other pictures.
std::string grid_histogram(std::string_view title, std::span<const double> counts,
                           const GridPicture& shown);

}  // namespace adze::host
