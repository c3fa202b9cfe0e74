#include "host/isolate/remote.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "host/base/error.hpp"
#include "host/base/log.hpp"
#include "host/base/text.hpp"
#include "host/isolate/callbacks.hpp"
#include "host/isolate/shared_constants.hpp"
#include "host/plugin/elf_scan.hpp"
#include "host/plugin/worker_end.hpp"

namespace adze::host {
namespace {

constexpr std::uint32_t kMostLines = 1000;   ///< of output shown
constexpr std::uint32_t kMostLogged = 1000;  ///< lines of each level, in one call
/// For functions that only free what they have.
constexpr std::int64_t kFreeMs = 30'000;

/// AddressSanitizer reserves terabytes, which no limit of the address space allows; it has its own.
std::vector<std::string> environment_for(std::uint64_t memory_mb) {
  if (own_sanitizer() != "AddressSanitizer") return {};
  const char* given = std::getenv("ASAN_OPTIONS");
  return {fmt::format("ASAN_OPTIONS={}:max_allocation_size_mb={}:allocator_may_return_null=1",
                      given ? given : "", memory_mb)};
}

}  // namespace

RemoteComponent::RemoteComponent(const Component& component)
    : component_(component), limits_(component.plugin->isolation->limits) {
  limits_.memory_mb = memory_limit_mb(limits_);
  if (limits_.memory_mb < kLeastMemoryMb)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("the memory limit of {} MB is below the {} MB that a worker needs to "
                            "start; raise memory_mb in [isolation]",
                            limits_.memory_mb, kLeastMemoryMb));
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

void RemoteComponent::send(Verb verb, const Writer& request) {
  std::set<std::uint64_t> named;
  for (const auto& file : request.files()) {
    if (!named.insert(file->id).second || kept_.contains(file->id)) continue;
    Writer constant;
    constant.number(file->id);
    constant.number<std::uint64_t>(file->file_bytes);
    constant.number<std::uint64_t>(file->shown_bytes);
    send_message(process_->channel(), Verb::keep, constant, after_ms(kSendMs), &file->fd);
  }
  if (request.shows_graph()) kept_ = std::move(named);
  send_message(process_->channel(), verb, request, after_ms(kSendMs));
}

adze_status RemoteComponent::exchange(adze_call* call, Verb verb, const Writer& request,
                                      const TakeResult& take) {
  const std::int64_t patience_ms =
      call ? limits_.deadline_ms : std::min(limits_.deadline_ms, kFreeMs);
  send(verb, request);
  LogQuota quota;
  Deadline deadline = after_ms(patience_ms);
  for (;;) {
    std::optional<Frame> frame = process_->receive_before(deadline);
    if (!frame) throw no_sign_of_life(patience_ms, quota);
    const Message message(std::move(*frame), process_->channel());
    Reader from = message.reader();
    if (message.verb() == Verb::returned) {
      process_->drain();  // what it printed in this call is shown as that, not with the next
      const auto status = from.number<adze_status>();
      if (take) take(from);
      return status;
    }
    if (!call) throw Error(ADZE_DATA_LOSS, "a call of the host where there is none to make");
    const bool is_shown = message.verb() != Verb::log || may_log(call, from, quota);
    if (is_shown) serve_callback(call, message.verb(), from, process_->channel());
    // A loop of failures, or of lines that nobody sees, is no sign of life.
    if (is_shown && message.verb() != Verb::fail)
      deadline = after_ms(patience_ms);
    else if (remaining_ms(deadline) == 0)
      throw no_sign_of_life(patience_ms, quota);
  }
}

bool RemoteComponent::may_log(adze_call* call, Reader line, LogQuota& quota) {
  const auto level = line.number<std::int32_t>();
  std::uint32_t& count = quota.lines[static_cast<std::size_t>(
      std::clamp<std::int32_t>(level, ADZE_LOG_DEBUG, ADZE_LOG_ERROR) - ADZE_LOG_DEBUG)];
  if (count < kMostLogged) {
    ++count;
    return true;
  }
  if (count == kMostLogged) {
    ++count;
    quota.is_exceeded = true;
    // At the level of what is left out: whoever would have seen that sees this.
    call->host->log(call, level,
                    fmt::format("plugin '{}' logs more than {} such lines in one call; the rest is "
                                "not shown",
                                component_.plugin->path.filename().string(), kMostLogged)
                        .c_str());
  }
  return false;
}

PluginError RemoteComponent::no_sign_of_life(std::int64_t patience_ms, const LogQuota& quota) {
  return {
      ADZE_DEADLINE_EXCEEDED,
      fmt::format("no sign of life for {:g} s{} (X07){}", static_cast<double>(patience_ms) / 1000,
                  quota.is_exceeded ? " but log lines beyond those that are shown" : "",
                  process_->last_words())};
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
    broken_ = describe_fault(*process_, limits_.memory_mb, " in the middle of a call");
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
    broken_ = describe_fault(*process_, limits_.memory_mb, " in the middle of a call");
  } catch (const Error& error) {
    broken_ = error.what();
  }
  process_->kill();
  // What it was asked for is there already.
  log(LogLevel::warning, fmt::format("{}: {}: {}", name(), function, broken_));
} catch (const std::exception&) {  // out of memory: the worker is killed with its owner
}

}  // namespace adze::host
