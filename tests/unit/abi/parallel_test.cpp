#include "host/abi/parallel.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <set>

#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

const auto kNever = [] { return false; };

TEST(ThreadPool, does_each_index_once_whatever_the_number_of_threads) {
  for (const std::uint32_t threads : {1u, 2u, 5u}) {
    ThreadPool pool(threads);
    for (const std::uint64_t count : {0u, 1u, 3u, 1000u}) {
      std::vector<std::atomic<int>> done(count);
      EXPECT_TRUE(pool.for_each(
          count, [&](std::uint64_t i) { ++done[i]; }, kNever));
      for (const auto& times : done) EXPECT_EQ(times, 1);
    }
  }
}

TEST(ThreadPool, keeps_no_more_threads_busy_than_allowed_and_uses_them_all) {
  ThreadPool pool(3);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  std::atomic<int> working = 0, most = 0;
  pool.for_each(
      12,
      [&](std::uint64_t) {
        const int now = ++working;
        for (int known = most; now > known && !most.compare_exchange_weak(known, now);) continue;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        --working;
        const std::scoped_lock lock(mutex);
        seen.insert(std::this_thread::get_id());
      },
      kNever);
  EXPECT_EQ(most, 3);
  EXPECT_EQ(seen.size(), 3u);
}

TEST(ThreadPool, starts_nothing_more_once_it_is_told_to_stop) {
  ThreadPool pool(2);
  std::atomic<int> done = 0;
  EXPECT_FALSE(pool.for_each(
      1000, [&](std::uint64_t) { ++done; }, [&] { return done >= 10; }));
  EXPECT_GE(done, 10);
  EXPECT_LE(done, 12);
  EXPECT_TRUE(pool.for_each(
      5, [&](std::uint64_t) { ++done; }, kNever))
      << "the next job runs";
}

class ParallelTest : public testing::Test {
 protected:
  ParallelTest() { call.offer(service); }
  const adze_parallel& table() {
    return *static_cast<const adze_parallel*>(
        call.get()->host->get_extension(call.get(), ADZE_PARALLEL));
  }

  Parallel service{2};
  CallOptions options{.threads = 2, .progress = [](double fraction, const std::string&) {
                        return fraction >= 0.5;
                      }};
  Call call{test::component("bad_edits"), {}, options};
};

struct Work {
  adze_call* call;
  const adze_parallel* table;
  std::atomic<int> done = 0, refused = 0;
};

TEST_F(ParallelTest, runs_the_body_with_its_user_data) {
  std::vector<std::uint64_t> squares(100);
  EXPECT_EQ(table().for_each(
                call.get(), squares.size(),
                [](void* user, std::uint64_t i) { static_cast<std::uint64_t*>(user)[i] = i * i; },
                squares.data()),
            ADZE_OK);
  for (std::uint64_t i = 0; i < squares.size(); ++i) EXPECT_EQ(squares[i], i * i);
}

TEST_F(ParallelTest, refuses_a_missing_body_and_a_body_that_nests) {
  EXPECT_EQ(table().for_each(call.get(), 1, nullptr, nullptr), ADZE_INVALID_ARGUMENT);
  Work work{call.get(), &table()};
  EXPECT_EQ(table().for_each(
                call.get(), 4,
                [](void* user, std::uint64_t) {
                  auto& w = *static_cast<Work*>(user);
                  const auto nothing = [](void*, std::uint64_t) {};
                  w.refused +=
                      w.table->for_each(w.call, 1, nothing, nullptr) == ADZE_FAILED_PRECONDITION;
                },
                &work),
            ADZE_OK);
  EXPECT_EQ(work.refused, 4);
  EXPECT_THAT(call.refusal(), testing::HasSubstr("may not call for_each itself"));
}

TEST_F(ParallelTest, is_cancelled_by_a_body_that_is_told_to_stop) {
  Work work{call.get(), &table()};
  const auto body = [](void* user, std::uint64_t) {
    auto& w = *static_cast<Work*>(user);
    if (++w.done == 5) w.call->host->progress(w.call, 0.5, "half of it");
  };
  EXPECT_EQ(table().for_each(call.get(), 1000, body, &work), ADZE_CANCELLED);
  EXPECT_LE(work.done, 7);
  EXPECT_EQ(table().for_each(call.get(), 1, body, &work), ADZE_CANCELLED) << "it stays stopped";
}

}  // namespace
}  // namespace adze::host
