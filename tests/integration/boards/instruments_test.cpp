// A meter and a serial console that a board's inventory names.
#include <fcntl.h>

#include <atomic>

#include "tests/integration/boards/sim_board.hpp"

namespace adze::hil::test {
namespace {

using testing::HasSubstr;

/// A serial line: what the test says comes out of device().
class SerialLine {
 public:
  SerialLine() : end_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    ::grantpt(end_.get());
    ::unlockpt(end_.get());
    keep_ = host::OwnedFd(::open(device().c_str(), O_RDWR | O_NOCTTY));
    speaker_ = std::thread([this] {
      for (int i = 0; !done_; ++i) {
        const std::string line = "\x1b[1mkernel: tick " + std::to_string(i) + "\r\n";
        if (::write(end_.get(), line.data(), line.size()) < 0) return;
        ::usleep(20'000);
      }
    });
  }
  ~SerialLine() {
    done_ = true;
    speaker_.join();
  }
  std::string device() const { return ::ptsname(end_.get()); }

 private:
  host::OwnedFd end_, keep_;
  std::atomic<bool> done_ = false;
  std::thread speaker_;
};

class Instruments : public testing::Test {
 protected:
  void start(const std::string& listed, const std::vector<std::string>& more = {}) {
    lab_.list_board("b", listed);
    board_.emplace(lab_.sim("b", more));
    EXPECT_EQ(lab_.run({"board", "flash", "b", lab_.bundle("ok").string()}).exit_code, 0);
  }
  adze::test::Outcome bench(int samples) {
    return lab_.run({"--json", "board", "bench", "b", "--samples", std::to_string(samples),
                     "--warmup-ms", "5"});
  }
  static std::string meter(const std::string& says) {
    return "[board.meter]\ncommand = [\"/usr/bin/python3\", \"-uc\", '''\nimport time\nwhile "
           "True:\n  print(" +
           says + ")\n  time.sleep(0.01)\n''']\nidle_s = 0.3\n";
  }
  Lab lab_;
  std::optional<Started> board_;
};

TEST_F(Instruments, a_meter_that_runs_along_gives_the_energy_of_an_inference) {
  start(meter("f'{time.time()},{5.5}'"), {"--pace", "1"});
  const auto outcome = bench(500);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto document = nlohmann::json::parse(outcome.out);
  const auto& energy = document["energy"];
  ASSERT_TRUE(energy.is_object()) << document["conditions"]["warnings"];
  EXPECT_NEAR(energy["idle_w"], 5.5, 1e-6);
  EXPECT_NEAR(energy["mean_w"], 5.5, 1e-6);
  EXPECT_NEAR(energy["per_inference_mj"], 0, 1e-3);
  EXPECT_GE(energy["samples"], 10);
}

TEST_F(Instruments, a_meter_that_says_too_little_is_a_warning) {
  start(meter("f'{time.time()},5'"));
  const auto outcome = bench(10);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto document = nlohmann::json::parse(outcome.out);
  EXPECT_TRUE(document["energy"].is_null());
  EXPECT_THAT(document["conditions"]["warnings"].dump(), HasSubstr("no energy"));
}

TEST_F(Instruments, a_meter_that_makes_no_sense_is_a_fault_of_the_rig) {
  start(meter("'ERR 7'"));
  const auto outcome = bench(10);
  EXPECT_EQ(outcome.exit_code, 75);
  EXPECT_THAT(outcome.err, HasSubstr("but 'ERR 7'"));
  lab_.list_board("b", "[board.meter]\ncommand = [\"/nonexistent/meter\"]\n");
  EXPECT_THAT(bench(10).err, HasSubstr("cannot start the meter"));
  lab_.list_board("b", "[board.meter]\ndevice = \"/nonexistent/tty\"\n");
  EXPECT_THAT(bench(10).err, HasSubstr("cannot read the meter"));
}

TEST_F(Instruments, the_console_is_kept_with_the_run) {
  const SerialLine line;
  start("console = \"" + line.device() + "\"\n", {"--pace", "1"});
  const auto outcome = bench(200);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto console = nlohmann::json::parse(outcome.out)["conditions"]["console"];
  ASSERT_GT(console.size(), 3u);
  EXPECT_THAT(console.back()["text"].get<std::string>(), HasSubstr("?[1mkernel: tick"))
      << "no terminal takes it for a command";
  EXPECT_GT(console.back()["s"], console.front()["s"]);
}

TEST_F(Instruments, a_board_that_dies_leaves_its_last_words) {
  const SerialLine line;
  start("console = \"" + line.device() + "\"\n", {"--pace", "1"});
  std::thread killer([&] {
    ::usleep(1'000'000);
    board_->end(SIGKILL);
  });
  const auto outcome = bench(20'000);
  killer.join();
  EXPECT_EQ(outcome.exit_code, 75);
  EXPECT_THAT(outcome.err, HasSubstr("its console said last:"));
  EXPECT_THAT(outcome.err, HasSubstr("kernel: tick"));
}

}  // namespace
}  // namespace adze::hil::test
