#include "host/check/stage.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

#include "host/base/error.hpp"

namespace adze::host::check {
namespace {

/// Fields of a host that is newer by a few minors.
constexpr std::size_t kLaterBytes = 64;
constexpr unsigned char kPoison = 0xA5;

std::size_t page_bytes() {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

std::size_t rounded(std::size_t size, std::size_t to) { return (size + to - 1) / to * to; }

/// What a newer host's functions are to a plugin that was not built for them.
void later_function() {
  std::fputs("it called a function that a newer host appended, which it cannot know\n", stderr);
  std::abort();
}

std::size_t bytes_of(const adze_tensor& tensor) {
  std::size_t count = 1;
  for (std::int32_t axis = 0; axis < tensor.ndim; ++axis)
    count *= static_cast<std::size_t>(tensor.shape[axis]);
  return (count * tensor.bits + 7) / 8;
}

}  // namespace

Stage::~Stage() {
  for (Mapping& mapping : guards_) {
    mapping.watched.reset();
    ::munmap(mapping.start, mapping.size);
  }
}

Stage::Mapping& Stage::map(std::size_t size) {
  void* start = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) throw Error(ADZE_RESOURCE_EXHAUSTED, "out of memory for a check");
  return guards_.emplace_back(Mapping{static_cast<char*>(start), size, nullptr});
}

char* Stage::take(std::size_t size) { return static_cast<char*>(memory_.take(size)); }

void* Stage::place(const void* original, std::size_t size, const char* what_is_behind,
                   bool functions) {
  char* copy = nullptr;
  if (behind_ == Behind::guard) {
    const std::size_t page = page_bytes(), room = rounded(size, page);
    Mapping& mapping = map(room + page);
    char* edge = mapping.start + room;
    ::mprotect(edge, page, PROT_NONE);
    mapping.watched = std::make_unique<WatchedRange>(edge, page, what_is_behind);
    copy = edge - size;
  } else {
    copy = take(size + kLaterBytes);
  }
  std::memcpy(copy, original, size);
  if (behind_ != Behind::newer) return copy;
  std::memset(copy + size, kPoison, kLaterBytes);
  for (std::size_t at = size; functions && at < size + kLaterBytes; at += sizeof(void*)) {
    const auto function = reinterpret_cast<std::uintptr_t>(later_function);
    std::memcpy(copy + at, &function, sizeof function);
  }
  const auto larger = static_cast<std::uint32_t>(size + kLaterBytes);
  std::memcpy(copy, &larger, sizeof larger);
  return copy;
}

template <class T>
T* Stage::sized(const T& original, const char* what_is_behind) {
  return static_cast<T*>(place(&original, sizeof(T), what_is_behind, false));
}

template <class T>
const T* const* Stage::pointers(const std::vector<const T*>& list) {
  if (list.empty()) return nullptr;
  char* copy = take(list.size() * sizeof(T*));
  std::memcpy(copy, list.data(), list.size() * sizeof(T*));
  return reinterpret_cast<const T* const*>(copy);
}

const void* Stage::table(const void* original, const char* what_is_behind) {
  const std::scoped_lock lock(mutex_);
  std::uint32_t size = 0;
  std::memcpy(&size, original, sizeof size);
  return place(original, size, what_is_behind, true);
}

const adze_tensor* Stage::tensor(const adze_tensor& original) {
  auto* copy = reinterpret_cast<adze_tensor*>(take(sizeof(adze_tensor)));
  *copy = original;
  if (original.data) {
    const std::size_t size = bytes_of(original);
    char* data = take(std::max<std::size_t>(size, 1));
    if (size) std::memcpy(data, original.data, size);
    copy->data = data;
  }
  return copy;
}

const adze_property* Stage::property(const adze_property& original) {
  adze_property* copy = sized(original, "read behind an adze_property");
  if (original.tensor) copy->tensor = tensor(*original.tensor);
  return copy;
}

const adze_value* Stage::value(const adze_value& original, bool as_int4) {
  adze_value* copy = sized(original, "read behind an adze_value");
  if (as_int4) copy->bits = 4;
  if (original.quant) copy->quant = sized(*original.quant, "read behind an adze_quant");
  if (!original.constant) return copy;
  adze_tensor shown = *original.constant;
  if (as_int4) shown.bits = 4;
  copy->constant = tensor(shown);
  return copy;
}

const adze_node* Stage::node(const adze_node& original) {
  adze_node* copy = sized(original, "read behind an adze_node");
  std::vector<const adze_property*> attributes;
  for (std::uint64_t i = 0; i < original.attribute_count; ++i)
    attributes.push_back(property(*original.attributes[i]));
  copy->attributes = pointers(attributes);
  return copy;
}

const adze_graph* Stage::graph(const adze_graph& original, std::uint32_t int4) {
  adze_graph* copy = sized(original, "read behind adze_graph");
  std::vector<const adze_node*> nodes;
  for (std::uint32_t i = 0; i < original.node_count; ++i) nodes.push_back(node(*original.nodes[i]));
  std::vector<const adze_value*> values;
  for (std::uint32_t i = 0; i < original.value_count; ++i)
    values.push_back(value(*original.values[i], i == int4));
  copy->nodes = pointers(nodes);
  copy->values = pointers(values);
  return copy;
}

const adze_target* Stage::target(const adze_target& original) {
  adze_target* copy = sized(original, "read behind adze_target");
  std::vector<const adze_property*> facts;
  for (std::uint32_t i = 0; i < original.fact_count; ++i)
    facts.push_back(property(*original.facts[i]));
  if (behind_ == Behind::newer) {  // and a fact of a type that came later
    adze_property later{};
    later.struct_size = sizeof later;
    later.type = 99;
    later.name = "zzz.later";
    facts.push_back(property(later));
    ++copy->fact_count;
  }
  copy->facts = pointers(facts);
  return copy;
}

adze_call* Stage::call(const adze_call& original, std::uint64_t argument_count,
                       std::uint32_t int4) {
  const std::scoped_lock lock(mutex_);
  adze_call* copy = sized(original, "read behind adze_call");
  auto* host = static_cast<adze_host*>(
      place(original.host, sizeof(adze_host), "read behind adze_host", true));
  if (behind_ == Behind::newer) ++host->abi_minor;
  copy->host = host;
  std::vector<const adze_property*> arguments;
  for (std::uint64_t i = 0; i < argument_count; ++i)
    arguments.push_back(property(*original.arguments[i]));
  copy->arguments = pointers(arguments);
  if (original.graph) copy->graph = graph(*original.graph, int4);
  if (original.target) copy->target = target(*original.target);
  if (original.edit)
    copy->edit = static_cast<const adze_edit*>(
        place(original.edit, sizeof(adze_edit), "read behind adze_edit", true));
  if (original.report)
    copy->report = static_cast<const adze_report*>(
        place(original.report, sizeof(adze_report), "read behind adze_report", true));
  return copy;
}

const adze_compile* Stage::compile(const adze_compile& original) {
  return sized(original, "read behind adze_compile");
}

const adze_what_if* Stage::what_if(const adze_what_if& original) {
  return sized(original, "read behind an adze_what_if");
}

void Stage::seal() {
  for (const auto part : memory_.parts()) shown_.push_back(part);
  if (read_only_) memory_.seal("wrote to what it was shown, which must stay unchanged");
}

std::uint64_t Stage::checksum() const {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const auto& part : shown_)
    for (const std::byte byte : part) {
      hash ^= static_cast<unsigned char>(byte);
      hash *= 0x100000001b3u;
    }
  return hash;
}

}  // namespace adze::host::check
