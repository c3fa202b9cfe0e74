#include "host/check/subject.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>
#include <string_view>
#include <thread>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/nearest.hpp"
#include "host/base/owned_fd.hpp"
#include "host/check/held.hpp"
#include "host/plugin/descriptor.hpp"
#include "host/plugin/library.hpp"

namespace adze::host::check {
namespace {

namespace fs = std::filesystem;

/// Takes what is written to stdout and stderr, until it is destroyed.
class Capture {
 public:
  Capture() : file_(::memfd_create("printed", MFD_CLOEXEC)) {
    std::fflush(stdout);
    for (int fd : {STDOUT_FILENO, STDERR_FILENO}) {
      saved_[fd - 1] = OwnedFd(::fcntl(fd, F_DUPFD_CLOEXEC, 16));
      ::dup2(file_.get(), fd);
    }
  }
  ~Capture() { restore(); }
  std::string text() {
    restore();
    std::string text(512, '\0');
    const ssize_t got = ::pread(file_.get(), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }

 private:
  void restore() {
    if (!saved_[0]) return;
    std::fflush(stdout);
    for (int fd : {STDOUT_FILENO, STDERR_FILENO}) {
      ::dup2(saved_[fd - 1].get(), fd);
      saved_[fd - 1].reset();
    }
  }
  OwnedFd file_, saved_[2];
};

/// What is there beyond `before`; threads that are just ending still count for a moment.
Held held_beyond(const Held& before) {
  Held left = held_now() - before;
  for (int tries = 0; left.threads > 0 && tries < 20; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    left = held_now() - before;
  }
  return left;
}

}  // namespace

Subject::Subject(SubjectOptions options) : options_(std::move(options)) {
  if (!options_.note) options_.note = [](const std::string&) {};
  if (!options_.inside) options_.inside = [](const std::string&) {};
  try {
    scan_ = scan_elf(read_file(options_.file));
  } catch (const Error&) {  // L01 says why
  }
}

void Subject::note(const std::string& doing) {
  const std::scoped_lock lock(telling_);
  options_.note(doing);
}

Subject::Inside::Inside(Subject& subject, const char* function, const char* component)
    : subject_(subject), function_(fmt::format("{}() of {}", function, component)) {
  const std::scoped_lock lock(subject_.telling_);
  subject_.running_.push_back(function_);
  subject_.options_.inside(function_);
}

Subject::Inside::~Inside() {
  const std::scoped_lock lock(subject_.telling_);
  auto& running = subject_.running_;
  running.erase(std::ranges::find(running, function_));
  try {
    subject_.options_.inside(running.empty() ? "" : running.back());
  } catch (const Error&) {  // nobody listens any more: this process is about to be ended
  }
}

const LoadFacts& Subject::load() {
  if (facts_) return *facts_;
  note("loading the library");
  LoadFacts& facts = facts_.emplace();
  Capture capture;
  const Held before = held_now();
  try {
    const auto started = std::chrono::steady_clock::now();
    const auto entry = load_entry(options_.file);
    const adze_plugin* plugin = entry();
    facts.load_ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started)
            .count();
    const Held left = held_beyond(before);
    facts.threads_left = left.threads;
    facts.processes_left = left.processes;
    facts.files_left = left.files;
    const adze_plugin* from_thread = nullptr;
    std::thread([&] { from_thread = entry(); }).join();
    facts.same_from_here = entry() == plugin;
    facts.same_from_thread = from_thread == plugin;
    if (plugin)
      loaded_ = {options_.file, plugin};
    else
      facts.error = "its entry function returned NULL";
  } catch (const Error& error) {
    facts.error = error.what();
  }
  facts.printed = capture.text();
  note("");
  return facts;
}

const adze_plugin* Subject::plugin() {
  load();
  return loaded_.plugin;
}

bool Subject::is_first_party() const { return is_own_plugin(options_.file); }

const std::string& Subject::unusable() {
  if (unusable_) return *unusable_;
  std::string& why = unusable_.emplace();
  if (!plugin()) return why = "it cannot be loaded: " + load().error;
  static const std::set<std::string_view> kHarmless = {"D03", "D04", "P05"};
  for (const PluginFault& fault : descriptor_faults(plugin(), is_first_party()))
    if (!kHarmless.contains(fault.rule)) return why = fmt::format("{}: {}", fault.rule, fault.text);
  return why;
}

std::vector<Component> Subject::components() {
  std::vector<Component> chosen;
  std::vector<std::string> ids;
  const adze_plugin* shown = plugin();
  for (std::uint32_t i = 0; shown && i < shown->component_count; ++i) {
    const adze_component* component = shown->components[i];
    ids.emplace_back(component->id);
    if (options_.component.empty() || options_.component == ids.back())
      chosen.push_back({component, &loaded_});
  }
  if (chosen.empty())
    throw Error(ADZE_NOT_FOUND, "the plugin has no component '" + options_.component + "'" +
                                    did_you_mean(options_.component, ids));
  return chosen;
}

fs::path Subject::new_folder() {
  const fs::path folder = options_.scratch / std::to_string(++folders_);
  fs::create_directories(folder);
  return folder;
}

}  // namespace adze::host::check
