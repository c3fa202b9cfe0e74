// What a call shows (tensors, properties, the graph, the target) as bytes, and back. The structs
// that come out point into the message, which must outlive them.
#pragma once

#include <adze/host.h>

#include "host/isolate/wire.hpp"

namespace adze::host {

class SharedConstants;

/// A table of what read_one(from, pool) gives, as many times as the message says; NULL: none.
template <class Count, class ReadOne>
auto read_pointers(Reader& from, Pool& pool, Count& count, ReadOne&& read_one) {
  const std::uint32_t many = from.count();
  count = many;
  auto* table = pool.make<decltype(read_one(from, pool))>(many);
  for (std::uint32_t i = 0; i < many; ++i) table[i] = read_one(from, pool);
  return many ? table : nullptr;
}

/// NULL is a tensor too. `file`: has its elements; NULL: the message takes them along.
void write_tensor(Writer& to, const adze_tensor* tensor,
                  std::shared_ptr<const SharedFile> file = nullptr);
/// The data has the size that shape and type promise. Errors: DATA_LOSS.
const adze_tensor* read_tensor(Reader& from, Pool& pool);

void write_properties(Writer& to, const adze_property* const* properties, std::uint64_t count);
const adze_property* const* read_properties(Reader& from, Pool& pool, std::uint64_t& count);

/// Without its scales when their number cannot be right; the reader sees zeros, which nobody takes.
void write_quant(Writer& to, const adze_quant* quant, bool with_scales = true);
const adze_quant* read_quant(Reader& from, Pool& pool);

void write_graph(Writer& to, const adze_graph& graph, const SharedConstants* constants = nullptr);
const adze_graph* read_graph(Reader& from, Pool& pool);

/// Elements of the mask that a value of the graph can have: those of the constant; 0 without one.
std::uint64_t mask_count(const adze_graph& graph, std::uint32_t value);

void write_target(Writer& to, const adze_target* target);
const adze_target* read_target(Reader& from, Pool& pool);

}  // namespace adze::host
