#include "host/base/text.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

TEST(OneLine, leaves_what_can_be_shown) {
  EXPECT_EQ(one_line("größer als 3 µs, 日本"), "größer als 3 µs, 日本");
  EXPECT_EQ(one_line(""), "");
}

TEST(OneLine, joins_lines_and_takes_a_terminals_commands_out) {
  EXPECT_EQ(one_line("first\nsecond\r\n"), "first / second");
  EXPECT_EQ(one_line("\033[2J\a\tx"), "?[2J? x");
  EXPECT_EQ(one_line("\xC2\x9B"
                     "31m"),
            "??31m");
}

TEST(OneLine, replaces_what_is_no_utf8) {
  EXPECT_EQ(one_line("a\xFF\xFE"), "a??");
  EXPECT_EQ(one_line("cut \xE6\x97"), "cut ??");
}

TEST(OneLine, ends_a_text_that_is_too_long_between_two_characters) {
  EXPECT_EQ(one_line("abcdef", 3), "abc...");
  EXPECT_EQ(one_line("ääää", 3), "ää...");
}

TEST(IsPrintableUtf8, wants_whole_characters_and_no_control) {
  EXPECT_TRUE(is_printable_utf8("ä b"));
  EXPECT_FALSE(is_printable_utf8("a\nb"));
  EXPECT_FALSE(is_printable_utf8("\xC3"));
}

TEST(Base64, is_that_of_rfc_4648_and_nothing_else_is_read) {
  for (const auto& [plain, text] : {std::pair<std::string_view, std::string_view>{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foobar", "Zm9vYmFy"}}) {
    const auto bytes = std::as_bytes(std::span(plain));
    EXPECT_EQ(base64(bytes), text);
    const auto read = from_base64(text);
    EXPECT_TRUE(std::ranges::equal(read, bytes)) << text;
  }
  for (const char* text : {"?", "Zg", "Zg=", "Zg==Zg==", "Zm9v\n", "Zm9v ", "Zm-_", "="})
    EXPECT_THROW(from_base64(text), Error) << text;
}

}  // namespace
}  // namespace adze::host
