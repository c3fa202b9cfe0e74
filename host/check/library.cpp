// L: what the file is, and what happens when it is loaded.
#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>

#include "host/base/file.hpp"
#include "host/check/rule_checks.hpp"
#include "host/plugin/file_check.hpp"

namespace adze::host::check {
namespace {

constexpr double kScanLimitMs = 100;

/// What the host finds out about the file before it loads it.
Finding file_finding(const Subject& subject, std::string_view rule) {
  const std::vector<PluginFault> faults = file_faults(subject.file());
  for (const PluginFault& fault : faults)
    if (fault.rule == rule) return failed(fault.text);
  const bool unread = !faults.empty() && !subject.scan();
  return unread ? skipped("L01: " + faults.front().text) : passed();
}

/// The dynamic loader of this process.
std::string own_loader() {
  const auto self = read_file("/proc/self/exe");
  Elf64_Ehdr header;
  if (self.size() < sizeof header) return "";
  std::memcpy(&header, self.data(), sizeof header);
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, self.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type == PT_INTERP)
      return reinterpret_cast<const char*>(self.data() + segment.p_offset);
  }
  return "";
}

std::string quoted(const std::string& path) {
  std::string text = "'";
  for (const char c : path) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

/// What the loader says about the file alone, as `ldd -r` asks it; nothing of the file runs.
std::string loader_says(const std::filesystem::path& file) {
  const std::string command = "LD_TRACE_LOADED_OBJECTS=1 LD_WARN=yes LD_BIND_NOW=yes " +
                              quoted(own_loader()) + " " + quoted(file.string()) + " 2>&1";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string said;
  char line[4096];
  while (pipe && std::fgets(line, sizeof line, pipe.get())) said += line;
  return said;
}

/// Lines of `text` that contain `word`, shortened to what stands behind it.
std::vector<std::string> after_word(const std::string& text, std::string_view word) {
  std::vector<std::string> found;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const std::size_t begin = text.find_first_not_of(" \t", at + word.size());
    const std::size_t end = text.find_first_of("\t\n ,", begin);
    found.push_back(text.substr(begin, end - begin));
  }
  return found;
}

bool is_of_sanitizer(const std::string& symbol) {
  return symbol.starts_with("__asan_") || symbol.starts_with("__ubsan_") ||
         symbol.starts_with("__tsan_") || symbol.starts_with("__sanitizer_") ||
         symbol.starts_with("__lsan_") || symbol.starts_with("__interceptor_");
}

/// GCC's __cpu_indicator_init, which comes with __builtin_cpu_supports().
bool asks_processor(std::string_view code) {
  constexpr std::string_view kCpuid = "\x0f\xa2";
  return own_machine() == EM_X86_64 && code.find(kCpuid) != std::string_view::npos;
}

/// Constructors that no author wrote. Seen without symbols, since plugins may be stripped.
std::size_t toolchain_constructors(const ElfScan& scan, std::string_view file) {
  const auto undefined = [&](std::string_view name) {
    return std::ranges::binary_search(scan.undefined, name) ? std::size_t{1} : 0;
  };
  // crtbegin's frame_dummy, which GCC and Clang link first.
  std::size_t count = undefined("_ITM_registerTMCloneTable");
  // libgcc's look at the processor; on AArch64 for its atomics.
  if (std::ranges::any_of(scan.constructors, asks_processor)) ++count;
  if (own_machine() == EM_AARCH64) count += undefined("__getauxval");
  // Rust's standard library keeps the command line.
  if (file.find("/rustc/") != std::string_view::npos &&
      file.find("/library/std/src/") != std::string_view::npos)
    ++count;
  return std::min(count, scan.constructors.size());
}

template <class List>
std::string joined(const List& list) {
  constexpr std::size_t kShown = 5;
  std::string text;
  std::size_t count = 0;
  for (const auto& each : list) {
    if (count++ == kShown) break;
    text += (count > 1 ? ", '" : "'") + std::string(each) + "'";
  }
  return list.size() > kShown ? fmt::format("{} and {} more", text, list.size() - kShown) : text;
}

}  // namespace

Finding check_L01(Subject& subject) { return file_finding(subject, "L01"); }
Finding check_L02(Subject& subject) { return file_finding(subject, "L02"); }
Finding check_L03(Subject& subject) { return file_finding(subject, "L03"); }
Finding check_L09(Subject& subject) { return file_finding(subject, "L09"); }

Finding check_L04(Subject& subject) {
  // What is no rule of plugins, and yet keeps the host from loading it.
  if (const Finding file = file_finding(subject, ""); file.outcome == Outcome::failed) return file;
  const LoadFacts& facts = subject.load();
  if (facts.error.empty()) return passed(fmt::format("{:.1f} ms", facts.load_ms));
  // The loader's words for what L05 is about.
  if (facts.error.find("undefined symbol") != std::string::npos) return skipped("see L05");
  return failed(facts.error);
}

Finding check_L05(Subject& subject) {
  subject.note("asking the dynamic loader for undefined symbols");
  const std::string said = loader_says(subject.file());
  std::vector<std::string> undefined = after_word(said, "undefined symbol:");
  std::erase_if(undefined, is_of_sanitizer);
  if (!undefined.empty())
    return failed(
        fmt::format("nobody has {}: neither it nor the libraries it names", joined(undefined)));
  const std::string& error = subject.load().error;
  if (error.find("undefined symbol") != std::string::npos) return failed(error);
  return passed();
}

Finding check_L06(Subject& subject) {
  const LoadFacts& facts = subject.load();
  const std::string took = fmt::format("{:.1f} ms", facts.load_ms);
  return facts.load_ms <= kScanLimitMs ? passed(took) : failed(took);
}

Finding check_L07(Subject& subject) {
  const LoadFacts& facts = subject.load();
  if (!facts.same_from_here) return failed("the second call of its entry returned another pointer");
  if (!facts.same_from_thread)
    return failed("its entry returned another pointer to another thread");
  return passed();
}

Finding check_L08(Subject& subject) {
  const LoadFacts& facts = subject.load();
  if (!facts.printed.empty()) return failed("it printed '" + facts.printed + "'");
  if (facts.threads_left > 0)
    return failed(fmt::format("it left {} threads running", facts.threads_left));
  if (facts.processes_left > 0)
    return failed(fmt::format("it left {} child processes", facts.processes_left));
  if (facts.files_left > 0) return failed(fmt::format("it left {} files open", facts.files_left));
  return passed();
}

Finding check_L10(Subject& subject) {
  if (!subject.scan()) return skipped("L01: no ELF file");
  const ElfScan& scan = *subject.scan();
  std::vector<std::string> libraries;
  for (const std::string& library : scan.needed)
    if (library.starts_with("libprotobuf") || library.starts_with("libonnx.") ||
        library.starts_with("libonnx_proto"))
      libraries.push_back(library);
  if (!libraries.empty())
    return failed(
        fmt::format("it needs {}, of which two in one process end it", joined(libraries)));
  if (!scan.unique.empty())
    return failed(fmt::format("{} unique in the process, so that it cannot be unloaded: {}",
                              scan.unique.size(), joined(scan.unique)));
  const auto file = read_file(subject.file());
  const std::size_t own =
      scan.constructors.size() -
      toolchain_constructors(scan, {reinterpret_cast<const char*>(file.data()), file.size()});
  // A sanitizer registers each file's variables when it is loaded.
  if (own > 0 && sanitizer_of(scan).empty())
    return failed(fmt::format(
        "{} of its functions run{} when it is loaded, as for static objects with constructors", own,
        own == 1 ? "s" : ""));
  return passed();
}

}  // namespace adze::host::check
