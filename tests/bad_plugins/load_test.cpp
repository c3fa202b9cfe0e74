// Files that must not become plugins, and the words in which the host says so.
#include <gtest/gtest.h>

#include <cstring>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/plugin/elf_scan.hpp"
#include "host/plugin/registry.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

using test::test_plugin;
using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const std::filesystem::path& path) {
  try {
    load_plugin(path);
  } catch (const PluginError& error) {
    EXPECT_EQ(error.exit(), Exit::failed);
    return error.what();
  }
  return "it was loaded";
}

TEST(BadPlugins, the_measure_itself_loads) {
  const LoadedPlugin plugin = load_plugin(test_plugin("bad_good"));
  EXPECT_STREQ(plugin.plugin->id, "org.example.good");
  EXPECT_EQ(load_plugin(test_plugin("bad_good")).plugin, plugin.plugin);
}

TEST(BadPlugins, a_missing_file_is_named) {
  EXPECT_THAT(refusal("/nowhere/plugin.so"),
              AllOf(HasSubstr("/nowhere/plugin.so"), HasSubstr("No such file")));
}

TEST(BadPlugins, a_text_file_is_not_elf) {
  const TemporaryDirectory folder;
  write_file(folder.path() / "text.so", "#!/bin/sh\necho no plugin\n");
  EXPECT_THAT(refusal(folder.path() / "text.so"),
              AllOf(HasSubstr("not an ELF file"), HasSubstr("L01")));
}

TEST(BadPlugins, an_empty_file_is_not_elf) {
  const TemporaryDirectory folder;
  write_file(folder.path() / "empty.so", "");
  EXPECT_THAT(refusal(folder.path() / "empty.so"), HasSubstr("not an ELF file"));
}

TEST(BadPlugins, a_truncated_file_is_refused_before_it_is_loaded) {
  const TemporaryDirectory folder;
  const auto whole = read_file(test_plugin("bad_good"));
  for (const std::size_t size : {20u, 64u, 200u, 1000u}) {
    write_file(folder.path() / "cut.so", std::span(whole).first(size));
    EXPECT_THAT(refusal(folder.path() / "cut.so"), HasSubstr("L01")) << size;
  }
}

TEST(BadPlugins, another_machine_is_named) {
  const TemporaryDirectory folder;
  auto bytes = read_file(test_plugin("bad_good"));
  const std::uint16_t riscv = 243;
  std::memcpy(bytes.data() + 18, &riscv, sizeof riscv);
  write_file(folder.path() / "riscv.so", bytes);
  EXPECT_THAT(refusal(folder.path() / "riscv.so"),
              AllOf(HasSubstr("built for RISC-V"), HasSubstr(machine_name(own_machine()))));
}

TEST(BadPlugins, a_library_without_the_entry_is_no_plugin) {
  EXPECT_THAT(refusal(test_plugin("bad_L02")),
              AllOf(HasSubstr("does not export adze_plugin_v1"), HasSubstr("L02")));
}

TEST(BadPlugins, another_abi_major_is_named) {
  EXPECT_THAT(refusal(test_plugin("bad_next_major")), HasSubstr("built for ABI 2"));
}

TEST(BadPlugins, undefined_symbols_are_found_when_loading) {
  EXPECT_THAT(refusal(test_plugin("bad_L05")), HasSubstr("function_that_nobody_has"));
}

TEST(BadPlugins, extra_exports_are_refused_by_name) {
  EXPECT_THAT(refusal(test_plugin("bad_L03")), AllOf(HasSubstr("'helper'"), HasSubstr("L03")));
}

TEST(BadPlugins, a_newer_minor_is_refused_with_both_numbers) {
  EXPECT_THAT(refusal(test_plugin("bad_newer_minor")),
              HasSubstr("needs ABI 1.7, this host offers 1.0"));
}

TEST(BadPlugins, a_component_with_two_tables_is_refused) {
  EXPECT_THAT(refusal(test_plugin("bad_D05")),
              AllOf(HasSubstr("org.example.bad"), HasSubstr("D05")));
}

TEST(BadPlugins, a_wrong_struct_size_is_refused) {
  EXPECT_THAT(refusal(test_plugin("bad_D01")), HasSubstr("adze_component.struct_size"));
}

TEST(BadPlugins, our_prefix_is_refused_outside_the_installation) {
  EXPECT_THAT(refusal(test_plugin("bad_D03")),
              AllOf(HasSubstr("adze.prune.magnitude"), HasSubstr("D03")));
}

TEST(BadPlugins, a_default_outside_its_limits_is_refused) {
  EXPECT_THAT(refusal(test_plugin("bad_P02")), AllOf(HasSubstr("'strength'"), HasSubstr("P02")));
}

TEST(BadPlugins, an_entry_that_returns_null_is_refused) {
  EXPECT_THAT(refusal(test_plugin("bad_L04")), HasSubstr("returned NULL"));
}

TEST(BadPlugins, a_sanitizer_that_the_host_lacks_is_refused_before_it_ends_the_process) {
  if (!std::filesystem::exists(test_plugin("bad_asan")))
    GTEST_SKIP() << "this host has the sanitizer itself: nothing is refused";
  EXPECT_THAT(refusal(test_plugin("bad_asan")), HasSubstr("built with AddressSanitizer"));
}

TEST(BadPlugins, a_file_that_anyone_may_write_to_is_refused) {
  const TemporaryDirectory folder;
  const auto copy = folder.path() / "open.so";
  std::filesystem::copy_file(test_plugin("bad_good"), copy);
  std::filesystem::permissions(copy, std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);
  EXPECT_THAT(refusal(copy), HasSubstr("anyone may write"));
}

}  // namespace
}  // namespace adze::host
