// A worker process that sends anything: whatever its bytes say is carried out, refused or no
// message.
#include "host/base/error.hpp"
#include "host/isolate/callbacks.hpp"
#include "tests/fuzz/services.hpp"

namespace {

using namespace adze::host;
using adze::fuzz::program;

template <class T>
void append(std::vector<std::byte>& to, const T* elements, std::size_t count) {
  const auto bytes = std::as_bytes(std::span(elements, count));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

/// The fields of a message, in no order that anyone promised.
std::vector<std::byte> fields() {
  std::vector<std::byte> made;
  for (std::uint32_t left = program->below(12); left > 0; --left) {
    const std::uint64_t count = program->count(program->below(6));
    const std::uint32_t index = program->index(8);
    const double real = program->real();
    switch (program->below(6)) {
      case 0:
        append(made, &index, 1);
        break;
      case 1:
        append(made, &count, 1);
        break;
      case 2:
        append(made, &real, 1);
        break;
      case 3:
        made.resize((made.size() + 7) / 8 * 8);
        break;
      case 4: {
        const auto byte = program->number<std::uint8_t>();
        append(made, &byte, 1);
        break;
      }
      default: {
        const std::string text = program->input.ConsumeRandomLengthString(24);
        append(made, text.data(), text.size());
      }
    }
  }
  return made;
}

/// Reads what a worker would be shown, from bytes that no host wrote.
void read_shown(Reader from) {
  Pool pool;
  std::uint64_t count = 0;
  switch (program->below(5)) {
    case 0:
      read_call(from, pool);
      return;
    case 1:
      read_graph(from, pool);
      return;
    case 2:
      read_target(from, pool);
      return;
    case 3:
      read_properties(from, pool, count);
      return;
    default:
      read_tensor(from, pool);
  }
}

void send_once(adze_call* call, Channel& host_end, Channel& worker_end) {
  const std::vector<std::byte> head = fields(),
                               blobs = program->input.ConsumeBytes<std::byte>(program->below(256));
  // Behind the last of them AddressSanitizer watches.
  const auto exact = std::make_unique<std::byte[]>(head.size());
  const auto exact_blobs = std::make_unique<std::byte[]>(blobs.size());
  std::ranges::copy(head, exact.get());
  std::ranges::copy(blobs, exact_blobs.get());
  Reader from({exact.get(), head.size()}, {exact_blobs.get(), blobs.size()});
  try {
    if (program->one_in(4)) return read_shown(from);
    const auto first = static_cast<std::uint32_t>(Verb::log),
               last = static_cast<std::uint32_t>(Verb::onnx_save);
    const auto verb = program->one_in(16) ? program->number<std::uint32_t>()
                                          : first + program->below(last - first + 1);
    serve_callback(call, static_cast<Verb>(verb), from, host_end);
  } catch (const Error& error) {
    if (error.code != ADZE_DATA_LOSS) adze::fuzz::finding(error.what());
  }
  while (auto frame = worker_end.receive_before(adze::host::after_ms(0))) {
    const Message answer(std::move(*frame), worker_end);
    if (answer.verb() != Verb::answer) adze::fuzz::finding("an answer of another kind");
  }
}

/// Frames as they arrive, before anything is known about them.
void receive_once(Channel& channel) {
  Frame frame;
  frame.payload = program->input.ConsumeBytes<std::byte>(program->below(64));
  try {
    const Message message(std::move(frame), channel);
    message.reader();
  } catch (const Error& error) {
    if (error.code != ADZE_DATA_LOSS) adze::fuzz::finding(error.what());
  }
}

adze_status work(void*, adze_call* call) noexcept {
  auto [host_socket, worker_socket] = make_channel_pair();
  Channel host_end(std::move(host_socket)), worker_end(std::move(worker_socket));
  while (program->goes_on()) {
    if (program->one_in(8))
      receive_once(host_end);
    else
      send_once(call, host_end, worker_end);
  }
  return ADZE_OK;
}

constexpr adze_pruner kPruner = {sizeof(adze_pruner), 0, work};
constexpr adze_quantizer kQuantizer = {sizeof(adze_quantizer), 0, work};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return adze::fuzz::run_component(data, size, kPruner, kQuantizer);
}
