#include "host/isolate/remote.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "host/base/error.hpp"
#include "host/base/log.hpp"
#include "host/base/text.hpp"
#include "host/isolate/callbacks.hpp"
#include "host/plugin/elf_scan.hpp"

namespace adze::host {
namespace {

constexpr std::uint32_t kMostLines = 1000;  ///< of output shown
/// For functions that only free what they have.
constexpr std::int64_t kFreeMs = 30'000;

/// AddressSanitizer reserves terabytes, which no limit of the address space allows; it has its own.
std::vector<std::string> environment_for(std::uint64_t memory_mb) {
  if (own_sanitizer() != "AddressSanitizer") return {};
  const char* given = std::getenv("ASAN_OPTIONS");
  return {fmt::format("ASAN_OPTIONS={}:max_allocation_size_mb={}:allocator_may_return_null=1",
                      given ? given : "", memory_mb)};
}

bool out_of_memory_by_asan(const std::string& words) {
  for (const char* sign : {"allocation-size-too-big", "out-of-memory", "exceeds maximum supported"})
    if (words.find(sign) != std::string::npos) return true;
  return false;
}

}  // namespace

RemoteComponent::RemoteComponent(const Component& component)
    : component_(component), limits_(component.plugin->isolation->limits) {
  limits_.memory_mb = memory_limit_mb(limits_);
  process_ = std::make_unique<WorkerProcess>(
      component.plugin->isolation->program,
      std::vector<std::string>{"--mode", "component", "--plugin", component.plugin->path.string(),
                               "--component", component.component->id, "--memory-mb",
                               std::to_string(limits_.memory_mb)},
      environment_for(limits_.memory_mb));
  process_->on_line([this](std::string_view line) { listen(line); });
}

std::string RemoteComponent::name() const {
  return fmt::format("plugin '{}', component '{}'", component_.plugin->path.filename().string(),
                     component_.component->id);
}

void RemoteComponent::listen(std::string_view line) {
  if (line.empty() || lines_ > kMostLines) return;
  if (++lines_ > kMostLines)
    log(LogLevel::info,
        fmt::format("{}: it prints more than {} lines; the rest is not shown", name(), kMostLines));
  else
    log(LogLevel::info, fmt::format("{}: {}", name(), one_line(line)));
}

std::string RemoteComponent::end_text() {
  const WorkerEnd end = process_->end();
  const std::string words = process_->last_words();
  const auto text = [&](const std::string& rule, const std::string& what) {
    return fmt::format("{} ({}){}", what, rule, words);
  };
  if (const std::string& note = process_->note(); note.size() > 4) {
    const std::string rule = note.substr(0, 3), what = note.substr(4);
    return text(rule,
                rule == "X05" ? fmt::format("{} (limit: {} MB)", what, limits_.memory_mb) : what);
  }
  if (out_of_memory_by_asan(words))
    return text("X05", fmt::format("it ran out of memory (limit: {} MB)", limits_.memory_mb));
  if (end.alive) return text("X08", "it closed the socket to the host");
  if (end.signal == SIGABRT) return text("X02", "it aborted");
  if (end.signal)
    return text(
        "X01", fmt::format("it was killed by signal {} ({})", end.signal, ::strsignal(end.signal)));
  if (words.find("AddressSanitizer") != std::string::npos)
    return text("X01", "it crashed under AddressSanitizer");
  return text("X06", fmt::format("it ended its process with exit code {} in the middle of a call",
                                 end.exit_code));
}

adze_status RemoteComponent::exchange(adze_call* call, Verb verb, const Writer& request,
                                      const TakeResult& take) {
  const std::int64_t patience_ms =
      call ? limits_.deadline_ms : std::min(limits_.deadline_ms, kFreeMs);
  send_message(process_->channel(), verb, request, after_ms(kSendMs));
  for (;;) {
    std::optional<Frame> frame = process_->receive_before(after_ms(patience_ms));
    if (!frame)
      throw PluginError(ADZE_DEADLINE_EXCEEDED, fmt::format("no sign of life for {:g} s (X07){}",
                                                            static_cast<double>(patience_ms) / 1000,
                                                            process_->last_words()));
    const Message message(std::move(*frame), process_->channel());
    Reader from = message.reader();
    if (message.verb() == Verb::returned) {
      const auto status = from.number<adze_status>();
      if (take) take(from);
      return status;
    }
    if (!call) throw Error(ADZE_DATA_LOSS, "a call of the host where there is none to make");
    serve_callback(call, message.verb(), from, process_->channel());
  }
}

adze_status RemoteComponent::ask(adze_call* call, Verb verb, const Writer& request,
                                 const TakeResult& take) noexcept try {
  const std::scoped_lock lock(mutex_);
  if (!broken_.empty())
    return call->host->fail(call, ADZE_ABORTED, ("the worker had ended: " + broken_).c_str());
  adze_status code = ADZE_ABORTED;
  try {
    return exchange(call, verb, request, take);
  } catch (const ChannelClosed&) {
    broken_ = end_text();
  } catch (const PluginError& error) {
    code = error.code;
    broken_ = error.what();
  } catch (const Error& error) {
    code = error.code;
    broken_ = fmt::format("the socket to the worker carried {} (X08){}", error.what(),
                          process_->last_words());
    // A large message that finds no memory leaves the worker as it was, but also waiting.
    if (code == ADZE_RESOURCE_EXHAUSTED) broken_ = error.what();
  }
  process_->kill();
  return call->host->fail(call, code, broken_.c_str());
} catch (const std::exception& error) {
  return call->host->fail(call, ADZE_INTERNAL, error.what());
}

void RemoteComponent::tell(Verb verb, const Writer& request, const char* function) noexcept try {
  const std::scoped_lock lock(mutex_);
  if (!broken_.empty()) return;
  try {
    exchange(nullptr, verb, request, {});
    return;
  } catch (const ChannelClosed&) {
    broken_ = end_text();
  } catch (const Error& error) {
    broken_ = error.what();
  }
  process_->kill();
  // What it was asked for is there already.
  log(LogLevel::warning, fmt::format("{}: {}: {}", name(), function, broken_));
} catch (const std::exception&) {  // out of memory: the worker is killed with its owner
}

}  // namespace adze::host
