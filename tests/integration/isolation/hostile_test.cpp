// Plugins that crash, hang or lie, run as a user would run them: one clear error each, and the host
// lives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/integration/process.hpp"

namespace adze::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

class Isolation : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("adze-isolation-" + std::to_string(getpid()));
    fs::create_directories(folder / "plugins");
    put("hostile.so");
  }
  void TearDown() override { fs::remove_all(folder); }

  void put(const std::string& name) {
    fs::copy_file(binary_dir() / "tests/hostile_plugins" / name, folder / "plugins" / name);
  }
  Outcome run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--plugin-path", (folder / "plugins").string()});
    return adze(arguments, std::chrono::seconds(100),
                {"XDG_CACHE_HOME=" + (folder / "cache").string()});
  }
  /// `adze optimize` of a recipe whose one stage is the hostile plugin.
  Outcome optimize(const std::string& fault, const std::string& target = "") {
    const fs::path images = "/usr/share/datasets/fashion-mnist";
    std::ofstream(folder / "recipe.toml")
        << "[model]\npath = \"" << (source_dir() / "fixtures/models/fmnist_mobilenet.onnx").string()
        << "\"\n[data]\nsource = \"idx\"\nimages = \""
        << (images / "t10k-images-idx3-ubyte.gz").string() << "\"\nlabels = \""
        << (images / "t10k-labels-idx1-ubyte.gz").string()
        << "\"\n[data.preprocess]\nscale = 0.004\n[target]\nboard_type = \"rzv2h\"\n"
        << target << "\n[isolation]\ndeadline_s = 5\nmemory_mb = 8000\n"
        << "[[stage]]\nuse = \"org.example.hostile\"\nfault = \"" << fault << "\"\n";
    return run({"optimize", (folder / "recipe.toml").string(), "-o", (folder / "out").string(),
                "--samples", "4"});
  }

  fs::path folder;
};

struct Case {
  const char *fault, *rule, *text;
};
void PrintTo(const Case& one, std::ostream* to) { *to << one.fault; }

class Fault : public Isolation, public testing::WithParamInterface<Case> {};

TEST_P(Fault, is_one_error_that_names_plugin_component_call_and_rule) {
  const Outcome outcome = optimize(GetParam().fault);
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  EXPECT_THAT(outcome.err,
              HasSubstr("plugin 'hostile.so', component 'org.example.hostile': prune: "));
  EXPECT_THAT(outcome.err, HasSubstr(GetParam().rule));
  EXPECT_THAT(outcome.err, HasSubstr(GetParam().text));
  // What it printed is shown under its name.
  EXPECT_THAT(outcome.err, HasSubstr("component 'org.example.hostile': about to do: "));
  EXPECT_FALSE(fs::exists(folder / "out/optimized.onnx"));
}

INSTANTIATE_TEST_SUITE_P(
    Each, Fault,
    testing::Values(
        Case{"segfault", "(X01)", "signal 11"}, Case{"abort", "(X02)", "aborted"},
        Case{"loop", "(X07)", "no sign of life for 5 s"},
        Case{"print_loop", "(X07)", "no sign of life for 5 s"},
        Case{"allocate", "(X05)", "out of memory (limit: 8000 MB)"},
        Case{"malloc", "", "malloc gave no 100 GB"},
        Case{"write_view", "(X03)", "wrote to memory that the host shows read-only"},
        Case{"write_graph", "(X03)", "wrote to memory that the host shows read-only"},
        Case{"write_node", "(X03)", "wrote to memory that the host shows read-only"},
        Case{"write_name", "(X03)", "wrote to memory that the host shows read-only"},
        Case{"write_call", "(X03)", "wrote to memory that the host shows read-only"},
        Case{"log_loop", "(X07)", "but log lines beyond those that are shown"},
        Case{"log_flood", "logs more than 1000 such lines", "the flood is over"},
        Case{"exit", "(X06)", "exit code 0 in the middle of a call"},
        Case{"_exit", "(X06)", "exit code 0 in the middle of a call"},
        Case{"overflow", "(X04)", "stack overflowed"}, Case{"close", "(X08)", "closed the socket"},
        Case{"close_all", "(X08)", "the socket to the host"}, Case{"garbage", "(X08)", "socket"},
        Case{"exception", "(X02)", "nobody catches this"},
        Case{"kill", "(X01)", "signal 9 (Killed), as the system does when memory runs out"},
        Case{"fork", "(X01)", "signal 11"},
        Case{"forged", "", "prune: ?[2Jdone / adze: error: everything is fine?"},
        Case{"bad_edit", "", "there is no value 4000000"}),
    [](const auto& one) {
      const std::string name = one.param.fault;
      return name == "_exit" ? "exit_at_once" : name;
    });

TEST_F(Isolation, a_trusted_plugin_runs_in_the_process_of_the_host) {
  EXPECT_EQ(optimize("_exit", "trust = [\"org.example.hostile\"]").exit_code, 0);
  EXPECT_FALSE(fs::exists(folder / "out/optimized.onnx")) << "the host went on";
}

TEST_F(Isolation, a_flood_of_log_lines_is_cut_off) {
  const std::string shown = optimize("log_flood").err;
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = shown.find("drop of the flood", at)) != std::string::npos; ++at)
    ++lines;
  EXPECT_EQ(lines, 1000u);
}

TEST_F(Isolation, a_plugin_that_ends_or_hangs_when_listed_is_rejected_with_the_rule) {
  const std::pair<std::string, std::string> cases[] = {
      {"abort", "it aborted (X02)"},
      {"exit", "it ended its process with exit code 0 (X06)"},
      {"crash", "it was killed by signal 11 (Segmentation fault) (X01)"},
      {"close", "the socket to the host (X08)"},
      {"wait", "it closed the socket to the host (X08)"},
      {"hangs", "it computed for 2 s without an answer (X07)"}};
  for (const auto& [name, text] : cases) put(name + "_when_listed.so");
  std::chrono::steady_clock::duration took[2];
  for (auto& time : took) {
    const auto begin = std::chrono::steady_clock::now();
    const Outcome outcome = run({"plugin", "list"});
    time = std::chrono::steady_clock::now() - begin;
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("org.example.hostile"), HasSubstr("a worker")));
    for (const auto& [name, text] : cases) EXPECT_THAT(outcome.out, HasSubstr(text)) << name;
  }
  EXPECT_LT(took[1], took[0]) << "the refusals were not remembered";
}

TEST_F(Isolation, a_remembered_refusal_says_how_to_look_again_and_info_does) {
  put("abort_when_listed.so");
  const std::string file = (folder / "plugins/abort_when_listed.so").string();
  EXPECT_THAT(run({"plugin", "list"}).out,
              HasSubstr("it is looked at again in 60 min or when the file changes, or now by 'adze "
                        "plugin info " +
                        file + "'"));
  // The file in the cache is written anew only when the plugin was looked at again.
  const auto newest = [&] {
    fs::file_time_type time = fs::file_time_type::min();
    for (const auto& each : fs::recursive_directory_iterator(folder / "cache"))
      if (each.is_regular_file()) time = std::max(time, each.last_write_time());
    return time;
  };
  const auto before = newest();
  run({"plugin", "list"});
  EXPECT_EQ(newest(), before);
  EXPECT_THAT(run({"plugin", "info", file}).err, HasSubstr("it aborted (X02)"));
  EXPECT_GT(newest(), before);
}

TEST_F(Isolation, a_memory_limit_that_no_worker_starts_with_is_the_users_mistake) {
  optimize("none");
  std::ifstream in(folder / "recipe.toml");
  std::string recipe(std::istreambuf_iterator<char>(in), {});
  const std::string given = "memory_mb = 8000";
  recipe.replace(recipe.find(given), given.size(), "memory_mb = 1");
  std::ofstream(folder / "recipe.toml") << recipe;
  const Outcome outcome =
      run({"optimize", (folder / "recipe.toml").string(), "-o", (folder / "out").string()});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("'isolation.memory_mb' is 1, but must be at least 256"));
}

TEST_F(Isolation, a_damaged_or_unwritable_cache_is_as_good_as_none) {
  const std::string first = run({"plugin", "list"}).out;
  for (const auto& file : fs::recursive_directory_iterator(folder / "cache"))
    if (file.is_regular_file()) std::ofstream(file.path()) << "damaged";
  EXPECT_EQ(run({"plugin", "list"}).out, first);
  fs::remove_all(folder / "cache");
  std::ofstream(folder / "cache") << "a file where a folder should be";
  const Outcome outcome = run({"plugin", "list"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, first);
}

TEST_F(Isolation, info_of_what_is_no_plugin_is_the_users_mistake) {
  std::ofstream(folder / "text.so") << "text";
  const Outcome text = run({"plugin", "info", (folder / "text.so").string()});
  EXPECT_EQ(text.exit_code, 2);
  EXPECT_THAT(text.err, HasSubstr("not an ELF file"));
  const Outcome unknown = run({"plugin", "info", "no.such.thing.at.all"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("org.example.hostile"));
  const Outcome file = run({"plugin", "info", (folder / "plugins/hostile.so").string()});
  EXPECT_EQ(file.exit_code, 0);
  EXPECT_THAT(file.out, HasSubstr("write_view"));
}

}  // namespace
}  // namespace adze::test
