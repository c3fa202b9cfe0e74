#include "hil/record/recorder.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "host/base/error.hpp"

namespace adze::hil {
namespace {

class RecordingLink : public Link {
 public:
  RecordingLink(Recorder& recorder, std::unique_ptr<Link> link)
      : recorder_(recorder), link_(std::move(link)) {}
  std::string name() const override { return link_->name(); }
  std::string token() const override { return link_->token(); }
  bool is_stream() const override { return link_->is_stream(); }
  void write(std::span<const std::byte> bytes, Deadline deadline) override {
    watch([&] { link_->write(bytes, deadline); });
    sent_.push(bytes);
    while (const auto frame = sent_.next()) recorder_.add(describe(*frame));
  }
  std::size_t read(std::span<std::byte> into, Deadline deadline) override {
    std::size_t got = 0;
    watch([&] { got = link_->read(into, deadline); });
    const auto bytes = into.first(got);
    recorder_.add(Received{{bytes.begin(), bytes.end()}});
    return got;
  }
  void reset() override {
    recorder_.add(WasReset{});
    sent_.reset();
    watch([&] { link_->reset(); });
  }

 private:
  template <class Body>
  void watch(Body&& body) {
    try {
      body();
    } catch (const host::RigError& error) {
      recorder_.add(Failed{error.code, error.what()});
      throw;
    }
  }
  Recorder& recorder_;
  std::unique_ptr<Link> link_;
  host::FrameDecoder sent_;
};

}  // namespace

Recorder::Recorder(const std::filesystem::path& file, const RecordingHeader& header)
    : file_(file), out_(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
  if (!out_)
    throw host::Error(
        errno == ENOENT ? ADZE_NOT_FOUND : ADZE_PERMISSION_DENIED,
        "cannot write the recording '" + file.string() + "': " + std::strerror(errno));
  append(line_of(header));
}

void Recorder::add(const Event& event) { append(line_of(event)); }

void Recorder::append(const std::string& line) {
  const std::string text = line + "\n";
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t put = ::write(out_.get(), rest.data(), rest.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0)
      throw host::Error(ADZE_RESOURCE_EXHAUSTED, "cannot go on with the recording '" +
                                                     file_.string() + "': " + std::strerror(errno));
    rest.remove_prefix(static_cast<std::size_t>(put));
  }
}

LinkOpener Recorder::record(const std::string& address, const SessionTimeouts& timeouts,
                            LinkOpener open) {
  return [this, address, timeouts, open = std::move(open)](Deadline deadline) {
    add(Opened{address, client_name(), timeouts});
    std::unique_ptr<Link> link;
    try {
      link = open(deadline);
    } catch (const host::RigError& error) {
      add(Failed{error.code, error.what()});
      throw;
    }
    if (!link->token().empty())
      throw host::Error(ADZE_FAILED_PRECONDITION,
                        "a session over " + link->name() +
                            " is not recorded: its token would be in the file; use ssh:, usb: or a "
                            "local socket");
    return std::unique_ptr<Link>(std::make_unique<RecordingLink>(*this, std::move(link)));
  };
}

}  // namespace adze::hil
