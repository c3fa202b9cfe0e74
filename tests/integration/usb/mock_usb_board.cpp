#include "tests/integration/usb/mock_usb_board.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "hil/link/usb/identity.hpp"

namespace adze::test {
namespace {

namespace usb = hil::usb;

constexpr std::uint8_t kForeignInterface = 0;
constexpr std::uint8_t kAdzeInterface = 1;
// Not those that a gadget would ask for: the kernel renumbers endpoints.
constexpr std::uint8_t kOutEndpoint = 0x03;
constexpr std::uint8_t kInEndpoint = 0x84;
constexpr std::size_t kGadgetReadBytes = 16 * 1024;
constexpr std::size_t kBacklogBytes = 1024 * 1024;
constexpr std::chrono::seconds kGoodbye{2};
constexpr std::uint32_t kCapabilities =
    USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_BULK_CONTINUATION | USBDEVFS_CAP_NO_PACKET_SIZE_LIM |
    USBDEVFS_CAP_BULK_SCATTER_GATHER | USBDEVFS_CAP_REAP_AFTER_DISCONNECT;

std::string hexadecimal(const std::vector<std::uint8_t>& bytes) {
  std::string text;
  for (const auto byte : bytes) text += fmt::format("{:02X}", byte);
  return text;
}

/// A copy of the client's memory that `data` points to; nullptr: the client has died.
UMockdevIoctlData* resolve(UMockdevIoctlData* data, std::size_t offset, std::size_t size) {
  GError* error = nullptr;
  UMockdevIoctlData* resolved = umockdev_ioctl_data_resolve(data, offset, size, &error);
  g_clear_error(&error);
  return resolved;
}

/// The integer that an ioctl's argument points to.
std::optional<unsigned> read_unsigned(UMockdevIoctlData* argument) {
  UMockdevIoctlData* value = resolve(argument, 0, sizeof(unsigned));
  if (!value) return std::nullopt;
  unsigned number = 0;
  std::memcpy(&number, value->data, sizeof number);
  g_object_unref(value);
  return number;
}

}  // namespace

/// A transfer; the memory is a copy of the client's, written back when the client reaps it.
struct MockUsbBoard::Urb {
  UMockdevIoctlClient* client = nullptr;
  UMockdevIoctlData* data = nullptr;
  UMockdevIoctlData* buffer = nullptr;
  std::size_t filled_bytes = 0;

  Urb() = default;
  Urb(const Urb&) = delete;
  Urb& operator=(const Urb&) = delete;
  ~Urb() {
    if (buffer) g_object_unref(buffer);
    if (data) g_object_unref(data);
  }
  usbdevfs_urb& urb() const { return *reinterpret_cast<usbdevfs_urb*>(data->data); }
  std::uint8_t* bytes() const { return buffer ? buffer->data : nullptr; }
  std::size_t size() const { return static_cast<std::size_t>(urb().buffer_length); }
};

MockUsbBoard::MockUsbBoard(TestBed& bed, BoardOptions options)
    : bed_(bed),
      options_(std::move(options)),
      descriptors_(make_descriptors()),
      device_{.port = options_.port,
              .bus = 1,
              .number = options_.number,
              .descriptors = hexadecimal(descriptors_),
              .serial = options_.kernel_strings ? options_.serial : ""},
      handler_(umockdev_ioctl_base_new()),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  g_signal_connect(handler_, "handle-ioctl", G_CALLBACK(&MockUsbBoard::on_ioctl), this);
  g_signal_connect(handler_, "client-connected", G_CALLBACK(&MockUsbBoard::on_connected), this);
  thread_ = std::thread([this] { run(); });
}

MockUsbBoard::~MockUsbBoard() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake();
  }
  thread_.join();
  unplug();
  g_signal_handlers_disconnect_by_data(handler_, this);
  for (auto* client : clients_) g_object_unref(client);
  g_object_unref(handler_);
  close(wake_);
}

void MockUsbBoard::plug() {
  const std::lock_guard order(plug_mutex_);
  const std::string node_path = bed_.host_path(device_.device_node());
  std::filesystem::create_directories(std::filesystem::path(node_path).parent_path());
  {
    const std::lock_guard lock(mutex_);
    done_.clear();
    halted_.clear();
    claimed_.clear();
    node_.reset();  // takes its file away
    node_ = std::make_unique<PollNode>(node_path);
    gone_ = false;
  }
  // Before the device appears: libusb may open it at once.
  bed_.attach(device_.device_node(), handler_);
  bed_.add(device_.text());
  if (has_kernel_interface()) {
    bed_.add(fmt::format(
        "P: {}/{}\nE: DEVTYPE=usb_interface\nE: SUBSYSTEM=usb\nA: interface={}\\n\n",
        TestBed::sys_path(options_.port).substr(4), interface_name(), options_.interface_name));
  }
}

bool MockUsbBoard::has_kernel_interface() const {
  return options_.kernel_strings && !options_.foreign;
}

std::string MockUsbBoard::interface_name() const {
  return fmt::format("{}:1.{}", options_.port, kAdzeInterface);
}

void MockUsbBoard::unplug(Unplug how) {
  const std::lock_guard order(plug_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (gone_) return;
    gone_ = true;
    for (auto* queue : {&out_, &in_, &session_}) {
      for (auto urbs = std::exchange(*queue, {}); const auto& urb : urbs) {
        const int status = how == Unplug::no_device ? -ESHUTDOWN
                           : how == Unplug::error   ? -EPROTO
                                                    : 0;
        const bool pretend = how == Unplug::at_submit && queue == &out_;
        finish(urb, status, pretend ? urb->size() : urb->filled_bytes);
      }
    }
    node_->hang_up();
    wake();
  }
  bed_.detach(device_.device_node());  // new programs cannot open it; those that have it stay
  const std::string path = TestBed::sys_path(options_.port);
  bed_.announce_removal(path);
  if (has_kernel_interface()) bed_.remove(path + "/" + interface_name());
  bed_.remove(path);
}

void MockUsbBoard::stall_out_after(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  stall_out_after_ = bytes;
  wake();
}
void MockUsbBoard::stall_in_after(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  stall_in_after_ = bytes;
  wake();
}
void MockUsbBoard::unplug_out_after(std::size_t bytes, Unplug how) {
  const std::lock_guard lock(mutex_);
  unplug_after_ = bytes;
  unplug_how_ = how;
  wake();
}
void MockUsbBoard::refuse_out(bool refuse) {
  const std::lock_guard lock(mutex_);
  refuse_out_ = refuse;
  wake();
}
void MockUsbBoard::mute_in(bool mute) {
  const std::lock_guard lock(mutex_);
  mute_in_ = mute;
  wake();
}
void MockUsbBoard::leave_behind(std::vector<std::uint8_t> bytes) {
  const std::lock_guard lock(mutex_);
  left_behind_ = std::move(bytes);
}
void MockUsbBoard::limit_kernel_memory(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  memory_limit_bytes_ = bytes;
}
std::size_t MockUsbBoard::bytes_out() const {
  const std::lock_guard lock(mutex_);
  return bytes_out_;
}
int MockUsbBoard::opened() const {
  const std::lock_guard lock(mutex_);
  return opened_;
}
bool MockUsbBoard::plugged() const {
  const std::lock_guard lock(mutex_);
  return !gone_;
}

// ---- descriptors

std::vector<std::uint8_t> MockUsbBoard::make_descriptors() const {
  using Bytes = std::vector<std::uint8_t>;
  const auto low = [](unsigned value) { return static_cast<std::uint8_t>(value & 0xff); };
  const auto high = [](unsigned value) { return static_cast<std::uint8_t>(value >> 8); };
  const auto bulk = [&](std::uint8_t endpoint) -> Bytes {
    return {7, 5, endpoint, 2, low(options_.packet_bytes), high(options_.packet_bytes), 0};
  };
  // What fastboot looks for, with endpoints of its own.
  std::vector<Bytes> parts = {
      {9, 4, kForeignInterface, 0, 2, 0xff, 0x42, 0x03, 0}, bulk(0x01), bulk(0x82)};
  if (!options_.foreign) {
    parts.push_back({9, 4, kAdzeInterface, 0, 3, usb::kInterfaceClass, usb::kInterfaceSubclass,
                     usb::kInterfaceProtocol, 4});
    parts.push_back({7, 5, 0x85, 3, 8, 0, 4});  // interrupt: not for the link
    parts.push_back(bulk(kInEndpoint));
    parts.push_back(bulk(kOutEndpoint));
  }
  std::size_t total = 9;
  for (const Bytes& part : parts) total += part.size();
  const std::uint8_t interfaces = options_.foreign ? 1 : 2;
  const std::uint8_t serial_string = options_.serial.empty() ? 0 : 3;
  parts.insert(parts.begin(),
               {{18, 1, 0, 2, 0, 0, 0, 64, low(usb::kVendorId), high(usb::kVendorId),
                 low(usb::kProductId), high(usb::kProductId), 0, 1, 1, 2, serial_string, 1},
                {9, 2, low(static_cast<unsigned>(total)), high(static_cast<unsigned>(total)),
                 interfaces, 1, 0, 0x80, 125}});
  Bytes all;
  for (const Bytes& part : parts) {
    for (const auto byte : part) all.push_back(byte);
  }
  return all;
}

std::vector<std::uint8_t> MockUsbBoard::make_string(unsigned index) const {
  if (index == 0) return {4, 3, 9, 4};  // English
  const std::vector<std::string> texts = {"", "Maker", "Board", options_.serial,
                                          options_.interface_name};
  if (index >= texts.size()) return {};
  std::vector<std::uint8_t> bytes = {static_cast<std::uint8_t>(2 + 2 * texts[index].size()), 3};
  for (const char c : texts[index]) {
    bytes.push_back(static_cast<std::uint8_t>(c));
    bytes.push_back(0);
  }
  return bytes;
}

// ---- the kernel's side

void MockUsbBoard::on_connected(UMockdevIoctlBase*, UMockdevIoctlClient* client, gpointer self) {
  auto& board = *static_cast<MockUsbBoard*>(self);
  const std::lock_guard lock(board.mutex_);
  ++board.opened_;
  board.clients_.insert(g_object_ref(client));
  board.forget_closed_clients(client);
}

// umockdev 0.17 has a signal for this, but does not send it, and takes some clients that were
// killed for alive. So who has the node open decides.
void MockUsbBoard::forget_closed_clients(UMockdevIoctlClient* newest) {
  std::set<UMockdevIoctlClient*> closed;
  const bool only_newest = node_->open_elsewhere() <= 1;
  for (auto* client : clients_) {
    if (client != newest && (only_newest || !umockdev_ioctl_client_get_connected(client))) {
      closed.insert(client);
    }
  }
  for (auto* queue : {&out_, &in_, &session_, &done_}) {
    std::erase_if(*queue, [&](const UrbPointer& urb) {
      if (!closed.contains(urb->client)) return false;
      if (queue != &done_) memory_bytes_ -= urb->size();
      return true;
    });
  }
  std::erase_if(claimed_, [&](const auto& entry) { return closed.contains(entry.second); });
  for (auto* client : closed) {
    clients_.erase(client);
    g_object_unref(client);
  }
}

gboolean MockUsbBoard::on_ioctl(UMockdevIoctlBase*, UMockdevIoctlClient* client, gpointer self) {
  auto& board = *static_cast<MockUsbBoard*>(self);
  const std::lock_guard lock(board.mutex_);
  const Answer answer = board.answer(client);
  // With the lock held: this writes memory back that the board's thread would go on to fill.
  umockdev_ioctl_client_complete(client, answer.result, answer.error);
  if (answer.data) g_object_unref(answer.data);
  return TRUE;
}

const MockUsbBoard::Answer MockUsbBoard::kClientDied = {.result = -1, .error = EFAULT};

MockUsbBoard::Answer MockUsbBoard::answer(UMockdevIoctlClient* client) {
  UMockdevIoctlData* argument = umockdev_ioctl_client_get_arg(client);
  const auto request = static_cast<unsigned>(umockdev_ioctl_client_get_request(client));
  if (request == USBDEVFS_REAPURBNDELAY) return reap(client, argument);
  if (gone_) return {.result = -1, .error = ENODEV};
  switch (request) {
    case USBDEVFS_GET_CAPABILITIES: {
      Answer answer;
      answer.data = resolve(argument, 0, sizeof kCapabilities);
      if (!answer.data) return kClientDied;
      std::memcpy(answer.data->data, &kCapabilities, sizeof kCapabilities);
      return answer;
    }
    case USBDEVFS_CLAIMINTERFACE:
    case USBDEVFS_RELEASEINTERFACE:
    case USBDEVFS_CLEAR_HALT: {
      const auto number = read_unsigned(argument);
      if (!number) return kClientDied;
      if (request == USBDEVFS_CLAIMINTERFACE) return claim(client, *number);
      if (request == USBDEVFS_RELEASEINTERFACE) claimed_.erase(*number);
      if (request == USBDEVFS_CLEAR_HALT) halted_.erase(static_cast<std::uint8_t>(*number));
      wake();
      return {};
    }
    case USBDEVFS_SUBMITURB:
      return submit(client, argument);
    case USBDEVFS_DISCARDURB: {
      std::uintptr_t address = 0;
      std::memcpy(&address, argument->data, sizeof address);
      return take_back(client, address);
    }
    default:
      return {.result = -1, .error = ENOTTY};
  }
}

MockUsbBoard::Answer MockUsbBoard::claim(UMockdevIoctlClient* client, unsigned interface) {
  if (interface != kForeignInterface && interface != kAdzeInterface) {
    return {.result = -1, .error = ENOENT};
  }
  if (const auto holder = claimed_.find(interface);
      holder != claimed_.end() && holder->second != client) {
    forget_closed_clients(client);
  }
  const auto [place, free] = claimed_.try_emplace(interface, client);
  if (!free && place->second != client) return {.result = -1, .error = EBUSY};
  return {};
}

MockUsbBoard::Answer MockUsbBoard::submit(UMockdevIoctlClient* client,
                                          UMockdevIoctlData* argument) {
  auto urb = std::make_shared<Urb>();
  urb->client = client;
  urb->data = resolve(argument, 0, sizeof(usbdevfs_urb));
  if (!urb->data) return kClientDied;
  if (memory_bytes_ + urb->size() > memory_limit_bytes_) return {.result = -1, .error = ENOMEM};
  if (urb->size() > 0) {
    urb->buffer = resolve(urb->data, offsetof(usbdevfs_urb, buffer), urb->size());
    if (!urb->buffer) return kClientDied;
  }
  memory_bytes_ += urb->size();
  if (urb->urb().type == USBDEVFS_URB_TYPE_CONTROL) {
    control(urb);
  } else if (urb->urb().endpoint == kOutEndpoint) {
    out_.push_back(urb);
  } else if (urb->urb().endpoint == kInEndpoint) {
    in_.push_back(urb);
  } else {
    memory_bytes_ -= urb->size();
    return {.result = -1, .error = ENOENT};
  }
  wake();
  return {};
}

void MockUsbBoard::control(const UrbPointer& urb) {
  const std::uint8_t* setup = urb->bytes();
  const unsigned value = setup[2] | static_cast<unsigned>(setup[3]) << 8;
  const unsigned index = setup[4] | static_cast<unsigned>(setup[5]) << 8;
  const unsigned length = setup[6] | static_cast<unsigned>(setup[7]) << 8;
  const bool session = setup[1] == usb::kRequestBegin || setup[1] == usb::kRequestEnd;
  if (setup[0] == 0x41 && session && index == kAdzeInterface) {
    session_.push_back(urb);
    return;
  }
  std::vector<std::uint8_t> reply;
  if (setup[0] == 0x80 && setup[1] == 6 && value >> 8 == 3) reply = make_string(value & 0xff);
  if (reply.empty()) {
    finish(urb, -EPIPE, 0);
    return;
  }
  reply.resize(std::min<std::size_t>(reply.size(), length));
  std::ranges::copy(reply, urb->bytes() + 8);
  finish(urb, 0, reply.size());
}

MockUsbBoard::Answer MockUsbBoard::reap(UMockdevIoctlClient* client, UMockdevIoctlData* argument) {
  const auto place = std::ranges::find(done_, client, [](const auto& urb) { return urb->client; });
  if (place == done_.end()) return {.result = -1, .error = gone_ ? ENODEV : EAGAIN};
  const UrbPointer urb = *place;
  done_.erase(place);
  Answer answer;
  answer.data = resolve(argument, 0, sizeof(void*));
  if (!answer.data) return kClientDied;
  umockdev_ioctl_data_set_ptr(answer.data, 0, urb->data);
  if (done_.empty() && !gone_) node_->set_ready(false);
  return answer;
}

MockUsbBoard::Answer MockUsbBoard::take_back(UMockdevIoctlClient* client, std::uintptr_t address) {
  for (auto* queue : {&out_, &in_, &session_}) {
    const auto place = std::ranges::find_if(*queue, [&](const UrbPointer& urb) {
      return urb->client == client && urb->data->client_addr == address;
    });
    if (place == queue->end()) continue;
    const UrbPointer urb = *place;
    queue->erase(place);
    finish(urb, -ENOENT, urb->filled_bytes);
    return {};
  }
  return {.result = -1, .error = EINVAL};
}

void MockUsbBoard::finish(const UrbPointer& urb, int status, std::size_t actual_bytes) {
  urb->urb().status = status;
  urb->urb().actual_length = static_cast<int>(actual_bytes);
  memory_bytes_ -= urb->size();
  done_.push_back(urb);
  node_->set_ready(true);
}

// ---- the board's side

void MockUsbBoard::wake() { eventfd_write(wake_, 1); }

void MockUsbBoard::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (unplug_now_) {
      unplug_now_ = false;
      lock.unlock();
      unplug(unplug_how_);
      lock.lock();
    }
    if (gone_) end_session();
    if (!session_.empty()) change_session(lock);
    bool busy = write_to_agent();
    busy |= read_from_agent();
    busy |= take_out();
    busy |= give_in();
    if (!busy && !unplug_now_) wait(lock);
  }
  end_session();
}

void MockUsbBoard::wait(std::unique_lock<std::mutex>& lock) {
  const bool wants_data = agent_ >= 0 && from_agent_bytes_ < kBacklogBytes;
  short events = 0;
  if (wants_data) events |= POLLIN;
  if (agent_ >= 0 && !to_agent_.empty()) events |= POLLOUT;
  pollfd files[] = {{.fd = wake_, .events = POLLIN, .revents = 0},
                    {.fd = events ? agent_ : -1, .events = events, .revents = 0}};
  lock.unlock();
  poll(files, std::size(files), -1);
  eventfd_t ignored = 0;
  eventfd_read(wake_, &ignored);
  lock.lock();
}

void MockUsbBoard::end_session() {
  if (agent_ >= 0) close(agent_);
  agent_ = -1;
  agent_closed_ = false;
  from_agent_.clear();
  from_agent_bytes_ = 0;
  gadget_buffer_.clear();
  to_agent_.clear();
}

void MockUsbBoard::change_session(std::unique_lock<std::mutex>& lock) {
  const UrbPointer urb = session_.front();
  session_.pop_front();
  const bool begin = urb->bytes()[1] == usb::kRequestBegin;
  lock.unlock();
  say_goodbye();
  const int agent = begin && options_.connect_agent ? options_.connect_agent() : -1;
  lock.lock();
  end_session();
  agent_ = agent;
  if (auto stale = std::exchange(left_behind_, {}); !stale.empty()) {
    from_agent_bytes_ += stale.size();
    from_agent_.push_back({.bytes = std::move(stale)});
  }
  finish(urb, 0, 0);
}

/// Waits until the agent has let go of the old connection: it serves one after the other.
void MockUsbBoard::say_goodbye() {
  if (agent_ < 0) return;
  while (write_to_agent()) {
  }
  shutdown(agent_, SHUT_WR);
  std::array<char, 4096> ignored{};
  pollfd file = {.fd = agent_, .events = POLLIN, .revents = 0};
  const auto give_up = std::chrono::steady_clock::now() + kGoodbye;
  while (std::chrono::steady_clock::now() < give_up && poll(&file, 1, 50) >= 0) {
    if (file.revents && recv(agent_, ignored.data(), ignored.size(), MSG_DONTWAIT) <= 0) break;
  }
}

void MockUsbBoard::agent_closed() {
  close(agent_);
  agent_ = -1;
  agent_closed_ = true;
}

bool MockUsbBoard::write_to_agent() {
  if (agent_ < 0 || to_agent_.empty()) return false;
  const ssize_t count =
      send(agent_, to_agent_.data(), to_agent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count > 0) {
    to_agent_.erase(to_agent_.begin(), to_agent_.begin() + count);
  } else if (errno != EAGAIN && errno != EINTR) {
    to_agent_.clear();  // its answer may still be on the way: read_from_agent() notices the end
  }
  return count > 0;
}

bool MockUsbBoard::read_from_agent() {
  if (agent_ < 0 || from_agent_bytes_ >= kBacklogBytes) return false;
  std::vector<std::uint8_t> bytes(64 * 1024);
  const ssize_t count = recv(agent_, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    agent_closed();
    return true;
  }
  bytes.resize(static_cast<std::size_t>(count));
  from_agent_bytes_ += bytes.size();
  int more = 0;
  ioctl(agent_, FIONREAD, &more);
  if (more == 0 && bytes.size() % options_.packet_bytes == 0) {  // the last packet is a short one
    const std::uint8_t last = bytes.back();
    bytes.pop_back();
    from_agent_.push_back({.bytes = std::move(bytes)});
    bytes = {last};
  }
  from_agent_.push_back({.bytes = std::move(bytes)});
  return true;
}

bool MockUsbBoard::take_out() {
  if (out_.empty() || refuse_out_ || to_agent_.size() >= kBacklogBytes) return false;
  if (agent_closed_ && from_agent_.empty()) halted_.insert(kOutEndpoint);
  const UrbPointer urb = out_.front();
  if (halted_.contains(kOutEndpoint)) {
    out_.pop_front();
    finish(urb, -EPIPE, 0);
    return true;
  }
  const std::size_t size = urb->size();
  if (unplug_after_ && *unplug_after_ <= size) {
    accept(urb, *std::exchange(unplug_after_, std::nullopt));
    unplug_now_ = true;
    return true;
  }
  out_.pop_front();
  if (stall_out_after_ && *stall_out_after_ <= size) {
    const std::size_t count = *std::exchange(stall_out_after_, std::nullopt);
    accept(urb, count);
    halted_.insert(kOutEndpoint);
    finish(urb, -EPIPE, count);
    return true;
  }
  if (unplug_after_) *unplug_after_ -= size;
  if (stall_out_after_) *stall_out_after_ -= size;
  accept(urb, size);
  finish(urb, 0, size);
  return true;
}

void MockUsbBoard::accept(const UrbPointer& urb, std::size_t count) {
  bytes_out_ += count;
  urb->filled_bytes = count;
  const std::uint8_t* bytes = urb->bytes();
  for (std::size_t taken = 0; taken < count;) {
    const std::size_t part = std::min(count - taken, kGadgetReadBytes - gadget_buffer_.size());
    gadget_buffer_.insert(gadget_buffer_.end(), bytes + taken, bytes + taken + part);
    taken += part;
    const bool short_packet = taken == count && count % options_.packet_bytes != 0;
    if (gadget_buffer_.size() < kGadgetReadBytes && !short_packet) break;
    to_agent_.insert(to_agent_.end(), gadget_buffer_.begin(), gadget_buffer_.end());
    gadget_buffer_.clear();
  }
}

bool MockUsbBoard::give_in() {
  if (in_.empty() || mute_in_) return false;
  if (agent_closed_ && from_agent_.empty()) halted_.insert(kInEndpoint);
  const UrbPointer urb = in_.front();
  if (halted_.contains(kInEndpoint)) {
    in_.pop_front();
    finish(urb, -EPIPE, urb->filled_bytes);
    return true;
  }
  bool complete = false;
  bool moved = false;
  while (!complete && !from_agent_.empty()) {
    Message& message = from_agent_.front();
    std::size_t count =
        std::min(urb->size() - urb->filled_bytes, message.bytes.size() - message.sent_bytes);
    if (stall_in_after_) count = std::min(count, *stall_in_after_);
    std::memcpy(urb->bytes() + urb->filled_bytes, message.bytes.data() + message.sent_bytes, count);
    urb->filled_bytes += count;
    message.sent_bytes += count;
    from_agent_bytes_ -= count;
    moved = true;
    if (stall_in_after_ && (*stall_in_after_ -= count) == 0) {
      stall_in_after_.reset();
      halted_.insert(kInEndpoint);
      return true;
    }
    complete = urb->filled_bytes == urb->size();
    if (message.sent_bytes == message.bytes.size()) {
      complete |= message.bytes.size() % options_.packet_bytes != 0;
      from_agent_.pop_front();
    }
  }
  if (complete) {
    in_.pop_front();
    finish(urb, 0, urb->filled_bytes);
  }
  return moved;
}

}  // namespace adze::test
