// The fuzzer's bytes as a misbehaving plugin: a program of calls through the tables it is given.
// What it hands over lies in heap blocks of exactly the size that a truthful plugin would use, so
// that reading by a lie about count or shape is a finding.
#pragma once

#include <adze/adze.h>
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace adze::fuzz {

/// Blocks larger than this are not made: what claims to be larger is a lie that nobody may read by.
inline constexpr std::uint64_t kLargestBlock = 1u << 16;

/// Ends the process with a finding that is no crash of its own.
[[noreturn]] inline void finding(const std::string& text) {
  std::fprintf(stderr, "finding: %s\n", text.c_str());
  std::abort();
}

class Program {
 public:
  Program(const std::uint8_t* data, std::size_t size) : input(data, size) {}

  FuzzedDataProvider input;

  bool goes_on() { return input.remaining_bytes() > 0 && ++steps_ < 200; }
  bool one_in(std::uint32_t many) {
    return input.ConsumeIntegralInRange<std::uint32_t>(1, many) == many;  // used up: never
  }
  template <class T>
  T number() {
    return input.ConsumeIntegral<T>();
  }
  std::uint32_t below(std::uint32_t end) {
    return input.ConsumeIntegralInRange<std::uint32_t>(0, end - 1);
  }
  /// Mostly an index that exists.
  std::uint32_t index(std::uint32_t count) {
    return one_in(8) ? number<std::uint32_t>() : below(std::max(1u, count));
  }
  /// Mostly `right`, else what plugins get wrong: off by one, negative, huge.
  std::uint64_t count(std::uint64_t right) {
    const std::uint64_t wrong[] = {
        0,          right - 1,  right + 1,          ~std::uint64_t{0},
        1ull << 31, 1ull << 40, 1ull << 62,         right * 2,
        1,          ~right + 1, right | 1ull << 32, number<std::uint16_t>()};
    return one_in(4) ? input.PickValueInArray(wrong) : right;
  }
  double real() {
    const double odd[] = {0.0,
                          -0.0,
                          -1.0,
                          std::numeric_limits<double>::quiet_NaN(),
                          std::numeric_limits<double>::infinity(),
                          -std::numeric_limits<double>::infinity(),
                          1e-320,
                          1e308,
                          0.5};
    return one_in(2) ? input.PickValueInArray(odd)
                     : static_cast<double>(number<std::int16_t>()) / 64;
  }

  /// `bytes` of memory, or none where that is more than anyone may read.
  void* block(std::uint64_t bytes) {
    if (bytes > kLargestBlock) bytes = 0;
    blocks_.push_back(std::make_unique<std::uint8_t[]>(bytes));
    return blocks_.back().get();
  }
  template <class T>
  T* array(std::uint64_t count) {
    return static_cast<T*>(block(count > kLargestBlock ? ~std::uint64_t{0} : count * sizeof(T)));
  }
  template <class T>
  T* filled(std::uint64_t count) {
    T* made = array<T>(count);
    if (count <= kLargestBlock / sizeof(T)) input.ConsumeData(made, count * sizeof(T));
    return made;
  }
  template <class T>
  T* copied(const std::vector<T>& elements) {
    T* made = array<T>(elements.size());
    if (!elements.empty()) std::memcpy(made, elements.data(), elements.size() * sizeof(T));
    return made;
  }
  /// NULL now and then; a terminated text otherwise.
  const char* text() {
    if (one_in(8)) return nullptr;
    std::string made = input.ConsumeRandomLengthString(one_in(16) ? 4096 : 24);
    made = made.substr(0, made.find('\0'));
    char* copy = array<char>(made.size() + 1);
    std::memcpy(copy, made.c_str(), made.size() + 1);
    return copy;
  }
  /// A struct as a plugin of some version hands it over: mostly as large as ours, in a block of the
  /// size it says.
  template <class T>
  T* sized(T contents) {
    const std::uint32_t ours = sizeof(T);
    const std::uint32_t odd[] = {ours, ours + 8, ours + 64, ours - 8, 0, 4, 16, ~0u, 0x80000000u};
    contents.struct_size = one_in(8) ? input.PickValueInArray(odd) : ours;
    const std::uint32_t bytes = std::max<std::uint32_t>(contents.struct_size, 4);
    void* made = block(bytes > kLargestBlock ? ours : bytes);
    std::memcpy(made, &contents, std::min<std::size_t>(bytes, ours));
    return static_cast<T*>(made);
  }
  /// A tensor that should look like `code`, `bits` and `shape`. Its data are there when it does.
  const adze_tensor* tensor(std::uint8_t code, std::uint8_t bits, std::vector<std::int64_t> shape) {
    if (one_in(32)) return nullptr;
    std::uint64_t bytes = bits / 8;
    for (const std::int64_t size : shape) bytes *= static_cast<std::uint64_t>(size);
    const std::vector<std::int64_t> right = shape;
    std::vector<std::int64_t> strides(shape.size());
    for (std::int64_t axis = static_cast<std::int64_t>(shape.size()) - 1, stride = 1; axis >= 0;
         --axis) {
      strides[static_cast<std::size_t>(axis)] = stride;
      stride *= shape[static_cast<std::size_t>(axis)];
    }
    adze_tensor made{};
    made.device_type = one_in(32) ? number<std::int32_t>() : 1;
    made.lanes = one_in(32) ? number<std::uint16_t>() : 1;
    made.code = code;
    made.bits = bits;
    if (one_in(8)) {
      made.code = number<std::uint8_t>();
      made.bits = number<std::uint8_t>();
    }
    if (one_in(8) && !shape.empty()) {
      const std::int64_t odd[] = {-1,
                                  0,
                                  1,
                                  std::numeric_limits<std::int64_t>::max(),
                                  std::numeric_limits<std::int64_t>::min(),
                                  1ll << 33,
                                  1ll << 60,
                                  7};
      shape[below(static_cast<std::uint32_t>(shape.size()))] = input.PickValueInArray(odd);
    }
    if (one_in(8)) {
      shape.resize(below(40), 1);
      strides.resize(shape.size(), 1);
    }
    if (one_in(16) && !strides.empty()) strides.back() = number<std::int64_t>();
    made.ndim = static_cast<std::int32_t>(shape.size());
    made.shape = one_in(32) ? nullptr : copied(shape);
    made.strides = one_in(16) ? nullptr : copied(strides);
    if (one_in(32)) {
      const std::int32_t odd[] = {-1, 33, std::numeric_limits<std::int32_t>::max(),
                                  std::numeric_limits<std::int32_t>::min()};
      made.ndim = input.PickValueInArray(odd);
    }
    made.byte_offset = one_in(8) ? below(64) : 0;
    const bool truthful =
        made.code == code && made.bits == bits && shape == right && bytes <= kLargestBlock;
    if (!one_in(32)) {
      auto* data = array<std::uint8_t>(truthful ? bytes + made.byte_offset : 0);
      if (truthful) input.ConsumeData(data + made.byte_offset, bytes);
      made.data = data;
    }
    adze_tensor* copy = array<adze_tensor>(1);
    *copy = made;
    return copy;
  }

  /// One call of the functions that every component has.
  void call_host(adze_call* call) {
    const adze_host& host = *call->host;
    switch (below(4)) {
      case 0:
        // Errors are printed, which takes longer than all the rest: few of them.
        return host.log(call, one_in(256) ? number<std::int32_t>() : -1, text());
      case 1:
        host.progress(call, real(), text());
        return;
      case 2:
        if (host.fail(call, one_in(2) ? number<std::int32_t>() : ADZE_INTERNAL, text()) == ADZE_OK)
          finding("fail() made a success of it");
        return;
      default:
        host.get_extension(call, text());
    }
  }

  /// One edit.
  void call_edit(adze_call* call) {
    const adze_graph& graph = *call->graph;
    const std::uint32_t value = index(graph.value_count);
    const adze_value* shown = value < graph.value_count ? graph.values[value] : nullptr;
    std::vector<std::int64_t> shape;
    if (shown && shown->rank > 0) shape.assign(shown->shape, shown->shape + shown->rank);
    std::uint64_t elements = 1;
    for (const std::int64_t size : shape) elements *= static_cast<std::uint64_t>(size);
    switch (below(6)) {
      case 0: {
        const adze_tensor* constant = shown ? shown->constant : nullptr;
        call->edit->set_constant(call, value,
                                 constant ? tensor(constant->code, constant->bits, shape)
                                          : tensor(ADZE_FLOAT, 32, shape));
        return;
      }
      case 1: {
        const std::uint64_t claimed = count(elements);
        call->edit->set_mask(call, value, one_in(32) ? nullptr : filled<std::uint8_t>(claimed),
                             claimed);
        return;
      }
      case 2: {
        const std::uint64_t claimed = count(below(8));
        call->edit->remove_channels(call, index(4),
                                    one_in(32) ? nullptr : filled<std::uint32_t>(claimed), claimed);
        return;
      }
      case 3:
        call->edit->set_quant(call, value, one_in(16) ? nullptr : quant(shape));
        return;
      case 4:
        marks_.push_back(call->edit->mark(call));
        return;
      default:
        call->edit->rewind(call, marks_.empty() || one_in(4)
                                     ? number<std::uint64_t>()
                                     : marks_[below(static_cast<std::uint32_t>(marks_.size()))]);
    }
  }

  const adze_quant* quant(const std::vector<std::int64_t>& shape) {
    adze_quant made{};
    made.flags = one_in(32) ? number<std::uint32_t>() : 0;
    made.axis = one_in(8) ? number<std::int32_t>() : static_cast<std::int32_t>(below(4)) - 1;
    made.code = one_in(16) ? number<std::uint8_t>() : static_cast<std::uint8_t>(below(2));
    made.bits = one_in(4) ? number<std::uint8_t>() : 8;
    const bool has_axis = made.axis >= 0 && static_cast<std::size_t>(made.axis) < shape.size();
    made.count = count(
        has_axis ? static_cast<std::uint64_t>(shape[static_cast<std::size_t>(made.axis)]) : 1);
    auto* scale = array<float>(made.count);
    if (made.count <= kLargestBlock / sizeof(float))
      for (std::uint64_t i = 0; i < made.count; ++i) scale[i] = static_cast<float>(real());
    made.scale = one_in(16) ? nullptr : scale;
    made.zero_point = one_in(2) ? nullptr : filled<std::int32_t>(made.count);
    return sized(made);
  }

 private:
  int steps_ = 0;
  std::vector<std::unique_ptr<std::uint8_t[]>> blocks_;
  std::vector<std::uint64_t> marks_;
};

/// What the component being fuzzed does; components have no other way to reach it.
inline Program* program = nullptr;

}  // namespace adze::fuzz
