#include <set>

#include "host/base/error.hpp"
#include "host/dataset/dataset.hpp"

namespace adze::host {
namespace {

TEST(SampleIndices, are_the_same_on_every_platform) {
  // Written down from the algorithm in another language; a change would change every result.
  EXPECT_EQ(sample_indices(10, 10, 1), (std::vector<std::int64_t>{8, 7, 4, 0, 2, 9, 6, 1, 3, 5}));
  EXPECT_EQ(sample_indices(60000, 4, 7), (std::vector<std::int64_t>{51015, 8172, 54504, 24246}));
}

TEST(SampleIndices, are_distinct_and_within_the_set) {
  const std::vector<std::int64_t> indices = sample_indices(1000, 600, 3);
  const std::set<std::int64_t> distinct(indices.begin(), indices.end());
  EXPECT_EQ(distinct.size(), 600);
  EXPECT_GE(*distinct.begin(), 0);
  EXPECT_LT(*distinct.rbegin(), 1000);
  EXPECT_NE(indices, sample_indices(1000, 600, 4));
}

TEST(SampleIndices, are_all_when_there_are_fewer) {
  EXPECT_EQ(sample_indices(3, 512, 1).size(), 3);
  EXPECT_TRUE(sample_indices(0, 5, 1).empty());
  EXPECT_THROW(sample_indices(5, -1, 1), Error);
}

TEST(SampleIndices, hit_every_position_equally_often) {
  std::vector<int> hits(5);
  for (std::uint64_t seed = 0; seed < 5000; ++seed)
    ++hits[static_cast<std::size_t>(sample_indices(5, 1, seed)[0])];
  EXPECT_THAT(hits, testing::Each(testing::AllOf(testing::Gt(850), testing::Lt(1150))));
}

}  // namespace
}  // namespace adze::host
