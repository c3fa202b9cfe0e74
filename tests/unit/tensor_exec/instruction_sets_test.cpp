// Results of integer arithmetic are the same on every instruction set and path, those of floats for
// any number of threads.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <sstream>

#include "plugins/tensor_exec/plan.hpp"
#include "tests/unit/tensor_exec/every_operator.hpp"

namespace adze::testing {
namespace {

/// Bits of all results, one line an example.
std::string results_of(std::vector<Example> examples, exec::Path path) {
  std::string text;
  for (Example& example : examples) {
    text += example.name + ":";
    const auto results = execute(*example.builder, example.inputs, {.path = path});
    for (const float x : results.front()) {
      std::uint32_t bits;
      std::memcpy(&bits, &x, sizeof bits);
      text += " " + std::to_string(bits);
    }
    text += "\n";
  }
  return text;
}

/// Line by line, so that a failure names the example.
void expect_same(const std::string& got, const std::string& expected, const std::string& what) {
  std::istringstream a(got), b(expected);
  std::string left, right;
  while (std::getline(b, right)) {
    ASSERT_TRUE(std::getline(a, left)) << what;
    EXPECT_TRUE(left == right) << what << ", " << left.substr(0, left.find(':'));
  }
}

TEST(InstructionSets, integer_results_are_those_of_the_plain_path) {
  expect_same(results_of(integer_examples(), exec::Path::automatic),
              results_of(integer_examples(), exec::Path::plain), "this machine");
}

TEST(InstructionSets, all_give_the_same_integers) {
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  for (const char* isa : {"SSE41", "AVX", "AVX2", "AVX512_CORE", "AVX512_CORE_VNNI", "DEFAULT"}) {
    const std::string command =
        "ONEDNN_MAX_CPU_ISA=" + std::string(isa) + " '" + self.string() +
        "' --gtest_filter=InstructionSets.integer_results_are_those_of_the_plain_path";
    EXPECT_EQ(std::system(command.c_str()), 0) << isa;
  }
}

/// As an executable runs one part, but on as many threads as are asked for, however little the
/// work: executables leave small models to one.
std::vector<std::byte> run_on(const Example& example, int threads) {
  exec::Options options;
  options.threads = threads;
  const exec::Program program =
      exec::make_program(*example.builder->graph(), exec::Rounding::half_even);
  const exec::ThreadCount count(threads);
  const exec::Plan plan = exec::make_plan(program, 1, options);
  const exec::AlignedBytes arena(plan.arena_bytes), scratch(plan.scratch_bytes);
  std::vector<std::byte*> buffers;
  for (const exec::Buffer& buffer : plan.buffers)
    buffers.push_back(buffer.kind == exec::Buffer::Kind::arena
                          ? arena.data() + buffer.lifetime.offset
                      : buffer.kind == exec::Buffer::Kind::constant
                          ? buffer.constant.data()
                          : reinterpret_cast<std::byte*>(
                                const_cast<float*>(example.inputs[buffer.input].data())));
  for (const exec::Step& step : plan.steps) {
    std::vector<const std::byte*> sources;
    std::vector<std::byte*> targets;
    for (const std::size_t buffer : step.inputs) sources.push_back(buffers[buffer]);
    for (const std::size_t buffer : step.outputs) targets.push_back(buffers[buffer]);
    step.kernel->run({sources.data(), targets.data(), scratch.data(), threads});
  }
  const exec::Buffer& result = plan.buffers[plan.reported.front()];
  const std::byte* bytes = buffers[plan.reported.front()];
  return {bytes, bytes + result.lifetime.bytes};
}

TEST(Threads, do_not_change_a_bit_of_any_operator) {
  for (auto make : {float_examples, integer_examples})
    for (const Example& example : make()) {
      const auto one = run_on(example, 1);
      for (const int threads : {2, 3, 4})
        EXPECT_TRUE(run_on(example, threads) == one)
            << example.name << " on " << threads << " threads";
    }
}

TEST(Threads, do_not_change_products_of_large_matrices) {
  for (const auto& [rows, depth, columns] :
       {std::array<std::int64_t, 3>{197, 384, 197}, {64, 2048, 48}, {7, 4096, 9}, {500, 33, 129}}) {
    Random random(5);
    Example example{"",
                    std::make_unique<GraphBuilder>(),
                    {random.numbers(rows * depth, -1, 1), random.numbers(depth * columns, -1, 1)}};
    GraphBuilder& builder = *example.builder;
    const auto a = builder.input("a", {rows, depth}, -1),
               b = builder.input("b", {depth, columns}, -1);
    builder.output(builder.node("MatMul", {a, b}, {rows, columns}, {}, 13, -1));
    const auto one = run_on(example, 1);
    for (const int threads : {2, 3, 4}) EXPECT_TRUE(run_on(example, threads) == one) << depth;
  }
}

}  // namespace
}  // namespace adze::testing
