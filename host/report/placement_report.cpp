#include "host/report/placement_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "host/report/page.hpp"
#include "host/report/svg.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

struct Piece {
  std::size_t nodes = 0, handed_over = 0;
  double latency_ms = 0;
  std::string first, last;
};
/// By number and whether the CPU runs it.
using Pieces = std::map<std::pair<std::size_t, bool>, Piece>;

constexpr double kPictureLeft = 70, kPictureWidth = 860, kLaneHeight = 46, kPieceGap = 24,
                 kPictureTop = 8;

/// Time decides how wide a piece is, but each can be seen.
std::string placement_picture(const Pieces& pieces) {
  constexpr double kLeastWidth = 6;
  double total = 0;
  for (const auto& [key, piece] : pieces) total += piece.latency_ms;
  const double apart = std::min(kPieceGap, kPictureWidth / 3 / static_cast<double>(pieces.size())),
               least = std::min(kLeastWidth, apart),
               free = kPictureWidth - (apart + least) * static_cast<double>(pieces.size());
  const double height = kPictureTop + 2 * kLaneHeight + kPieceGap + 8;
  std::string svg = fmt::format(
      "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"Placement\">"
      "<text class=\"label\" x=\"0\" y=\"{:.0f}\">DRP-AI</text>"
      "<text class=\"label\" x=\"0\" y=\"{:.0f}\">CPU</text>",
      kPictureLeft + kPictureWidth, height, kPictureTop + kLaneHeight / 2 + 4,
      kPictureTop + kLaneHeight + kPieceGap + kLaneHeight / 2 + 4);
  double x = kPictureLeft, before_x = 0, before_y = 0;
  for (const auto& [key, piece] : pieces) {
    const double y = key.second ? kPictureTop + kLaneHeight + kPieceGap : kPictureTop,
                 width = least + (total > 0 ? piece.latency_ms / total * free : 0);
    if (before_x > 0)
      svg += fmt::format(
          "<line class=\"mark\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>",
          before_x, before_y, x, y + kLaneHeight / 2);
    const std::string what =
        fmt::format("{} nodes, {:.3g} ms, {} to {}; {} results handed over", piece.nodes,
                    piece.latency_ms, piece.first, piece.last, piece.handed_over);
    svg += fmt::format(
        "<rect class=\"series{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.0f}\" "
        "rx=\"3\"><title>{}</title></rect>",
        key.second ? 1 : 0, x, y, width, kLaneHeight, escape_html(what));
    if (width > 60)
      svg += fmt::format("<text class=\"onfill small\" x=\"{:.1f}\" y=\"{:.1f}\">{:.3g} ms</text>",
                         x + 6, y + kLaneHeight / 2 + 4, piece.latency_ms);
    before_x = x + width;
    before_y = y + kLaneHeight / 2;
    x += width + apart;
  }
  return svg + "</svg>";
}

}  // namespace

std::string placement_section(const json& layers) {
  Pieces pieces;
  std::size_t handed_over = 0;
  for (const json& layer : layers) {
    Piece& piece = pieces[{layer.value("piece", std::size_t{0}), layer.at("unit") != "drpai"}];
    const auto results = layer.value("handed_over", std::size_t{0});
    if (piece.nodes++ == 0) piece.first = layer.at("name");
    piece.last = layer.at("name");
    piece.latency_ms += layer.at("predicted_ms").at("after").get<double>();
    piece.handed_over += results;
    handed_over += results;
  }
  if (pieces.empty()) return "";
  return html::heading("Placement") + html::box(placement_picture(pieces)) +
         fmt::format(
             "<p>{} pieces in the order they run, as wide as their predicted time; {} results are "
             "handed over between DRP-AI and the CPU.</p>\n",
             pieces.size(), handed_over);
}

}  // namespace adze::host
