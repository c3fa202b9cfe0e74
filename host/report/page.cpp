#include "host/report/page.hpp"

#include <fmt/format.h>

#include "host/base/error.hpp"
#include "host/report/style.hpp"
#include "host/report/svg.hpp"

namespace adze::host::html {

std::string page_start(std::string_view title, std::string_view subtitle) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{0}</title>\n<style>\n{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n<p "
      "class=\"dim\">{2}</p>\n",
      escape_html(title), kReportStyle, escape_html(subtitle));
}

std::string page_end() { return "</body>\n</html>\n"; }

std::string card(std::string_view figure, std::string_view what, const char* css_class) {
  return fmt::format("<div class=\"card\"><b class=\"{}\">{}</b><span>{}</span></div>\n", css_class,
                     escape_html(figure), escape_html(what));
}

std::string cards(const std::string& inner) { return "<div class=\"cards\">" + inner + "</div>\n"; }

std::string box(const std::string& inner) { return "<div class=\"box\">" + inner + "</div>\n"; }

std::string heading(std::string_view text) { return fmt::format("<h2>{}</h2>\n", text); }

std::string table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows, std::size_t first_number) {
  const auto line = [&](const std::vector<std::string>& cells, const char* tag) {
    std::string html = "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i)
      html += fmt::format("<{0}{1}>{2}</{0}>", tag, i >= first_number ? " class=\"n\"" : "",
                          escape_html(cells[i]));
    return html + "</tr>\n";
  };
  std::string html = "<table>\n" + line(header, "th");
  for (const auto& cells : rows) html += line(cells, "td");
  return box(html + "</table>");
}

void fail_incomplete(const char* document, const std::exception& why) {
  throw Error(ADZE_INVALID_ARGUMENT,
              fmt::format("cannot write the report: {} lacks what its schema requires: {}",
                          document, why.what()));
}

}  // namespace adze::host::html
