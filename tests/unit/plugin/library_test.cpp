// What is said of a library that cannot be loaded.
#include "host/plugin/library.hpp"

#include <gtest/gtest.h>

#include "host/base/error.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string refusal(const std::string& plugin) {
  try {
    load_entry(std::filesystem::canonical(test::test_plugin(plugin)));
  } catch (const PluginError& error) {
    return error.what();
  }
  return "";
}

/// Nothing of the library that calls the loader for us.
const auto kOwnWords =
    Not(testing::AnyOf(HasSubstr("boost"), HasSubstr("dlerror"), HasSubstr("Bad file descriptor")));

TEST(Library, one_that_is_missing_is_named_with_what_to_do) {
  EXPECT_THAT(
      refusal("needs_missing_library"),
      AllOf(kOwnWords, HasSubstr("needs_missing_library.so': it needs the library "
                                 "'libmissing_library.so', which the loader does not find (L04); "
                                 "install it")));
}

TEST(Library, a_symbol_that_nobody_has_is_named_with_what_to_do) {
  EXPECT_THAT(refusal("bad_L05"), AllOf(kOwnWords, HasSubstr("(L05); link the one that has it"),
                                        HasSubstr("undefined symbol: function_that_nobody_has")));
}

TEST(Library, the_loaders_words_are_shown_for_what_has_no_sentence) {
  EXPECT_THAT(refusal("bad_L01"), AllOf(kOwnWords, HasSubstr("file too short")));
}

}  // namespace
}  // namespace adze::host
