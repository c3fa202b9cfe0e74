#include "host/abi/arguments.hpp"

#include <gtest/gtest.h>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

using testing::HasSubstr;

constexpr const char* kChoices[] = {"fast", "exact", nullptr};

adze_param param(std::uint32_t type, const char* name, std::uint64_t flags = 0) {
  adze_param made{};
  made.struct_size = sizeof made;
  made.type = type;
  made.flags = flags;
  made.name = name;
  made.doc = "For the test.";
  return made;
}

adze_param limited(adze_param made, double initial, double min, double max) {
  made.default_number = initial;
  made.min = min;
  made.max = max;
  return made;
}

adze_param chosen(adze_param made) {
  made.default_text = kChoices[0];
  made.choices = kChoices;
  return made;
}

enum { kShare, kCount, kFlag, kMode, kFile, kNames, kNumbers, kPerName };

const adze_component& component() {
  static const adze_param params[] = {
      limited(param(ADZE_F64, "share"), 0.5, 0, 1),
      limited(param(ADZE_I64, "count"), 3, 1, 10),
      param(ADZE_FLAG, "verify"),
      chosen(param(ADZE_TEXT, "mode")),
      param(ADZE_PATH, "file"),
      param(ADZE_TEXT, "names", ADZE_PARAM_LIST),
      limited(param(ADZE_F64, "numbers", ADZE_PARAM_LIST), 0, 0, 1),
      limited(param(ADZE_F64, "per_name", ADZE_PARAM_MAP), 0, 0, 1)};
  static const adze_component made = [] {
    adze_component all{};
    all.struct_size = sizeof all;
    all.id = "org.example.component";
    all.param_count = std::size(params);
    all.params = params;
    return all;
  }();
  return made;
}

std::string refusal(const Settings& settings) {
  try {
    const Arguments arguments(component(), settings);
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_INVALID_ARGUMENT);
    EXPECT_THAT(error.what(), HasSubstr("org.example.component"));
    return error.what();
  }
  return "accepted";
}

TEST(Arguments, defaults_stand_in_the_order_of_the_schema) {
  const Arguments arguments(component(), {});
  const adze_property* const* all = arguments.data();
  EXPECT_STREQ(all[kShare]->name, "share");
  EXPECT_EQ(all[kShare]->f64[0], 0.5);
  EXPECT_EQ(all[kShare]->i64, nullptr);
  EXPECT_EQ(all[kCount]->i64[0], 3);
  EXPECT_EQ(all[kFlag]->i64[0], 0);
  EXPECT_STREQ(all[kMode]->text[0], "fast");
  EXPECT_STREQ(all[kFile]->text[0], "");
  EXPECT_EQ(all[kNames]->count, 0u);
  EXPECT_EQ(all[kNames]->text, nullptr);
  EXPECT_EQ(all[kPerName]->keys, nullptr);
}

TEST(Arguments, given_values_arrive_by_type) {
  const Arguments arguments(component(),
                            {{"share", std::int64_t{1}},
                             {"count", 7.0},
                             {"verify", true},
                             {"mode", std::string("exact")},
                             {"file", std::string("/proc/self/exe")},
                             {"names", std::vector<std::string>{"conv1", "conv2"}},
                             {"numbers", std::vector<double>{0.25, 1}},
                             {"per_name", std::map<std::string, double>{{"b", 0.5}, {"a", 0.25}}}});
  const adze_property* const* all = arguments.data();
  EXPECT_EQ(all[kShare]->f64[0], 1.0);
  EXPECT_EQ(all[kCount]->i64[0], 7);
  EXPECT_EQ(all[kFlag]->i64[0], 1);
  EXPECT_STREQ(all[kMode]->text[0], "exact");
  EXPECT_STREQ(all[kFile]->text[0], "/proc/self/exe");
  ASSERT_EQ(all[kNames]->count, 2u);
  EXPECT_STREQ(all[kNames]->text[1], "conv2");
  EXPECT_EQ(all[kNumbers]->f64[0], 0.25);
  ASSERT_EQ(all[kPerName]->count, 2u);
  EXPECT_STREQ(all[kPerName]->keys[0], "a");
  EXPECT_EQ(all[kPerName]->f64[0], 0.25);
}

TEST(Arguments, survive_a_move) {
  Arguments first(component(), {{"names", std::vector<std::string>{"conv1"}}});
  const Arguments moved(std::move(first));
  EXPECT_STREQ(moved.data()[kNames]->text[0], "conv1");
}

TEST(Arguments, a_lone_value_is_a_list_of_one) {
  const Arguments arguments(component(), {{"names", std::string("conv1")}, {"numbers", 0.5}});
  EXPECT_EQ(arguments.data()[kNames]->count, 1u);
  EXPECT_EQ(arguments.data()[kNumbers]->f64[0], 0.5);
}

TEST(Arguments, unknown_keys_are_answered_with_the_nearest) {
  EXPECT_THAT(refusal({{"shares", 0.5}}), HasSubstr("'shares'; did you mean 'share'?"));
  EXPECT_THAT(refusal({{"completely_different", 0.5}}), HasSubstr("no parameter"));
}

TEST(Arguments, wrong_types_are_refused_with_the_right_one) {
  EXPECT_THAT(refusal({{"share", std::string("0.5")}}), HasSubstr("must be a number"));
  EXPECT_THAT(refusal({{"share", true}}), HasSubstr("must be a number"));
  EXPECT_THAT(refusal({{"count", 2.5}}), HasSubstr("2.5 is no whole number"));
  EXPECT_THAT(refusal({{"verify", std::int64_t{1}}}), HasSubstr("must be a true or false"));
  EXPECT_THAT(refusal({{"mode", 1.0}}), HasSubstr("must be a text"));
  EXPECT_THAT(refusal({{"share", std::vector<double>{0.5}}}), HasSubstr("must be a number"));
  EXPECT_THAT(refusal({{"names", std::vector<double>{0.5}}}), HasSubstr("a list of: text"));
  EXPECT_THAT(refusal({{"per_name", 0.5}}), HasSubstr("a table of name = number"));
}

TEST(Arguments, limits_hold_for_numbers_alone_in_lists_and_in_maps) {
  EXPECT_THAT(refusal({{"share", 1.5}}), HasSubstr("1.5 is outside 0..1"));
  EXPECT_THAT(refusal({{"share", std::nan("")}}), HasSubstr("no finite number"));
  EXPECT_THAT(refusal({{"count", std::int64_t{11}}}), HasSubstr("outside 1..10"));
  EXPECT_THAT(refusal({{"numbers", std::vector<double>{0.5, 2}}}), HasSubstr("2 is outside"));
  EXPECT_THAT(refusal({{"per_name", std::map<std::string, double>{{"a", -1}}}}),
              HasSubstr("-1 is outside"));
}

TEST(Arguments, texts_must_be_among_the_choices) {
  EXPECT_THAT(refusal({{"mode", std::string("exakt")}}),
              HasSubstr("none of fast, exact; did you mean 'exact'?"));
}

TEST(Arguments, paths_must_be_absolute_and_exist) {
  EXPECT_THAT(refusal({{"file", std::string("relative.txt")}}), HasSubstr("no absolute path"));
  EXPECT_THAT(refusal({{"file", std::string("/no/such/file")}}), HasSubstr("does not exist"));
}

TEST(Arguments, what_is_required_must_be_given) {
  const adze_param needed = param(ADZE_TEXT, "name", ADZE_PARAM_REQUIRED);
  adze_component demanding = component();
  demanding.params = &needed;
  demanding.param_count = 1;
  EXPECT_THROW(Arguments(demanding, {}), Error);
  EXPECT_NO_THROW(Arguments(demanding, {{"name", std::string("x")}}));
}

TEST(Arguments, a_newer_plugin_has_larger_params_which_are_stepped_over) {
  struct Larger {
    adze_param known;
    std::uint64_t later;
  };
  Larger params[2] = {{limited(param(ADZE_F64, "first"), 1, 0, 0), ~0ull},
                      {limited(param(ADZE_F64, "second"), 2, 0, 0), ~0ull}};
  for (Larger& each : params) each.known.struct_size = sizeof each;
  adze_component newer = component();
  newer.params = &params[0].known;
  newer.param_count = 2;
  const Arguments arguments(newer, {});
  EXPECT_STREQ(arguments.data()[1]->name, "second");
  EXPECT_EQ(arguments.data()[1]->f64[0], 2);
}

TEST(ParseSetting, reads_text_by_the_schema) {
  const auto parse = [](const char* name, const char* text) {
    return parse_setting(component(), name, text);
  };
  EXPECT_EQ(parse("share", "0.25"), Setting(0.25));
  EXPECT_EQ(parse("count", "4"), Setting(std::int64_t{4}));
  EXPECT_EQ(parse("verify", "true"), Setting(true));
  EXPECT_EQ(parse("mode", "exact"), Setting(std::string("exact")));
  EXPECT_EQ(parse("names", "a,b"), Setting(std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(parse("names", ""), Setting(std::vector<std::string>{}));
  EXPECT_EQ(parse("per_name", "a:0.5,b:1"),
            Setting(std::map<std::string, double>{{"a", 0.5}, {"b", 1}}));
  EXPECT_THROW(parse("share", "half"), Error);
  EXPECT_THROW(parse("share", "0.5x"), Error);
  EXPECT_THROW(parse("verify", "maybe"), Error);
  EXPECT_THROW(parse("per_name", "a=0.5"), Error);
  EXPECT_THROW(parse("sahre", "0.5"), Error);
}

}  // namespace
}  // namespace adze::host
