// The tables of the vendor's runtime, and tables that are none.
#include "plugins/mera/profile.hpp"

#include <adze/adze.hpp>

namespace adze::mera {
namespace {

TEST(MeraProfile, reads_columns_in_any_order_and_leaves_totals_out) {
  const auto parts = parse_profile_csv(
      "Device,Name,Count,Duration (us),Percent\r\n"
      "drp-ai,\"a,b\",1,\"12,345.5\",90\r\n,---,,,\r\ncpu,c,1,0,0\r\n,Sum,,12345.5,"
      "100\r\nshort\r\n");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].name, "a,b");
  EXPECT_EQ(parts[0].device, "drp-ai");
  EXPECT_DOUBLE_EQ(parts[0].latency_ms, 12.3455);
  EXPECT_EQ(parts[1].latency_ms, 0);
}

TEST(MeraProfile, refuses_what_is_no_table) {
  for (const char* text : {"", "Name,Percent\n", "Name,Duration,Device\na,soon,cpu\n",
                           "Name,Duration,Device\na,nan,cpu\n", "Name,Duration,Device\na,-5,cpu\n"})
    EXPECT_THROW(parse_profile_csv(text), Error) << text;
}

TEST(MeraProfile, finds_units_among_other_lines) {
  const auto parts = parse_unit_lines(
      "loading: done\n[RT] Unit 0: 10 (us)\n[RT] Unit x\n[RT] Unit 1: later (us)\n[RT] Unit "
      "2:20(us)\n");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[1].name, "unit 2");
  EXPECT_DOUBLE_EQ(parts[1].latency_ms, 0.02);
}

}  // namespace
}  // namespace adze::mera
