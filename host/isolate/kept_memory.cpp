#include "host/isolate/kept_memory.hpp"

#include "host/isolate/faults.hpp"

namespace adze::host {

KeptConstant::KeptConstant(SharedBuffer&& memory)
    : buffer(std::move(memory)),
      watched(buffer.bytes().data(), buffer.bytes().size(), kShownReadOnly) {}

void KeptMemory::keep(Reader from, Channel& channel) {
  const auto id = from.number<std::uint64_t>();
  const auto file_bytes = from.number<std::uint64_t>(), shown_bytes = from.number<std::uint64_t>();
  auto descriptors = channel.take_descriptors(1);
  entries_[id] = {std::make_shared<const KeptConstant>(
                      SharedBuffer(std::move(descriptors.front()), file_bytes, shown_bytes)),
                  false};
}

std::span<const std::byte> KeptMemory::find(std::uint64_t id, std::uint64_t size) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.constant->buffer.bytes().size() != size)
    Reader::refuse();
  found->second.is_used = true;
  return found->second.constant->buffer.bytes();
}

std::vector<std::shared_ptr<const KeptConstant>> KeptMemory::settle() {
  std::vector<std::shared_ptr<const KeptConstant>> used;
  std::erase_if(entries_, [](const auto& entry) { return !entry.second.is_used; });
  for (auto& [id, entry] : entries_) {
    used.push_back(entry.constant);
    entry.is_used = false;
  }
  return used;
}

HeldMessage::HeldMessage(Message&& came, KeptMemory* kept)
    : message(std::move(came)), reader(message.settled_in(memory).reader(kept)) {
  if (const auto mapped = message.mapped(); !mapped.empty())
    watched.emplace(mapped.data(), mapped.size(), kShownReadOnly);
}

void HeldMessage::seal() { memory.seal(kShownReadOnly); }

}  // namespace adze::host
