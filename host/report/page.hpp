// What every page of a report is made of. Functions that take text escape it; `inner` is HTML.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace adze::host::html {

/// From the doctype to the first heading and a line below it.
std::string page_start(std::string_view title, std::string_view subtitle);
std::string page_end();

/// A figure and what it is. `css_class`: "", "pass" or "fail".
std::string card(std::string_view figure, std::string_view what, const char* css_class = "");
std::string cards(const std::string& inner);
std::string box(const std::string& inner);
/// `text` is HTML.
std::string heading(std::string_view text);
/// Columns from `first_number` on stand right.
std::string table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows, std::size_t first_number);

/// Throws INVALID_ARGUMENT: `document` ("a document") lacks what its schema requires.
[[noreturn]] void fail_incomplete(const char* document, const std::exception& why);

}  // namespace adze::host::html
