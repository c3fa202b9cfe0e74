// A component that asks every service for anything, between any edits.
#include <cmath>

#include "tests/fuzz/services.hpp"

namespace {

using namespace adze::host;
using adze::fuzz::kSamples;
using adze::fuzz::program;

template <class Table>
const Table& service(adze_call* call, const char* id) {
  const void* table = call->host->get_extension(call, id);
  if (!table) adze::fuzz::finding("a service is gone");
  return *static_cast<const Table*>(table);
}

const adze_stat_request* requests(const adze_graph& graph, std::uint64_t claimed) {
  if (program->one_in(32)) return nullptr;
  const std::uint32_t sizes[] = {sizeof(adze_stat_request), sizeof(adze_stat_request) + 16, 40, 0,
                                 8};
  const std::uint32_t size =
      program->one_in(8) ? program->input.PickValueInArray(sizes) : sizeof(adze_stat_request);
  const std::uint64_t there = std::min<std::uint64_t>(claimed, 8);
  auto* all = static_cast<char*>(
      program->block(std::max<std::uint64_t>(4, size * std::max<std::uint64_t>(1, there))));
  for (std::uint64_t i = 0; i < std::max<std::uint64_t>(1, there); ++i) {
    adze_stat_request made{};
    made.struct_size = size;
    made.kind = program->one_in(16) ? program->number<std::uint32_t>() : 1 + program->below(5);
    made.node = program->index(graph.node_count);
    made.value = program->index(graph.value_count);
    made.state = program->one_in(16) ? program->number<std::uint32_t>() : program->below(2);
    made.value_state = program->one_in(16) ? program->number<std::uint32_t>() : program->below(2);
    made.first = program->count(program->below(kSamples));
    made.count = program->count(program->below(kSamples));
    made.bins = program->one_in(16) ? program->number<std::uint64_t>() : program->below(64);
    if (made.bins > 4096 && made.bins <= 1u << 24) made.bins = 4096;  // allowed, but slow
    std::memcpy(all + i * size, &made, std::min<std::size_t>(sizeof made, std::max(4u, size)));
  }
  return reinterpret_cast<const adze_stat_request*>(all);
}

void collect(adze_call* call) {
  const auto& calibration = service<adze_calibration>(call, ADZE_CALIBRATION);
  // More than there are only where the host refuses by the number alone.
  const std::uint64_t huge[] = {1ull << 17, 1ull << 40, ~std::uint64_t{0}};
  const std::uint64_t claimed =
      program->one_in(16) ? program->input.PickValueInArray(huge) : program->below(9);
  auto** out = program->array<const adze_stat*>(std::min<std::uint64_t>(claimed, 8));
  if (program->one_in(32)) out = nullptr;
  if (calibration.collect(call, requests(*call->graph, claimed), claimed, out) != ADZE_OK) {
    calibration.release(call, nullptr);
    return;
  }
  for (std::uint64_t i = 0; i < claimed; ++i) {
    if (!(out[i]->low <= out[i]->high)) adze::fuzz::finding("a range that is none");
    if (program->one_in(2)) calibration.release(call, out[i]);
  }
}

void ask_latency(adze_call* call) {
  const auto& latency = service<adze_latency>(call, ADZE_LATENCY);
  const std::uint64_t huge[] = {1ull << 33, ~std::uint64_t{0}};
  const std::uint64_t claimed =
      program->one_in(16) ? program->input.PickValueInArray(huge) : program->below(9);
  const std::uint32_t sizes[] = {sizeof(adze_what_if) + 8, 16, 0};
  const std::uint32_t size =
      program->one_in(8) ? program->input.PickValueInArray(sizes) : sizeof(adze_what_if);
  const std::uint64_t there = std::clamp<std::uint64_t>(claimed, 1, 8);
  auto* all = static_cast<char*>(program->block(std::max<std::uint64_t>(4, size * there)));
  for (std::uint64_t i = 0; i < there; ++i) {
    const adze_what_if made = {size, program->index(call->graph->node_count), program->real(),
                               program->below(8), program->below(8)};
    std::memcpy(all + i * size, &made, std::min<std::size_t>(sizeof made, std::max(4u, size)));
  }
  auto* out = program->array<double>(there);
  if (latency.ask(call, program->one_in(32) ? nullptr : reinterpret_cast<adze_what_if*>(all),
                  claimed, program->one_in(32) ? nullptr : out) != ADZE_OK)
    return;
  for (std::uint64_t i = 0; i < claimed; ++i)
    if (!std::isfinite(out[i]) || out[i] < 0) adze::fuzz::finding("a latency that is none");
}

void take_batch(adze_call* call) {
  const auto& dataset = service<adze_dataset>(call, ADZE_DATASET);
  const adze_batch* batch = nullptr;
  const auto any = [](std::uint32_t end) {
    return program->one_in(8) ? program->number<std::uint64_t>() : program->below(end);
  };
  const adze_status status =
      dataset.batch(call, static_cast<std::uint32_t>(any(2)), static_cast<std::uint32_t>(any(6)),
                    any(3), any(4), program->one_in(32) ? nullptr : &batch);
  if (status != ADZE_OK || !batch) return;
  if (batch->sample_count == 0 || batch->sample_count > kSamples || batch->input_count != 1)
    adze::fuzz::finding("a batch of the wrong size");
  const auto* last =
      static_cast<const float*>(batch->inputs[0]->data) + batch->sample_count * 32 - 1;
  if (!std::isfinite(*last)) adze::fuzz::finding("a sample that is none");
}

void score(adze_call* call) {
  double made = 0;
  const auto kind = program->one_in(8) ? program->number<std::uint32_t>() : 1 + program->below(2);
  if (service<adze_evaluate>(call, ADZE_EVALUATE)
              .score(call, kind, program->number<std::uint32_t>() % 8,
                     program->one_in(32) ? nullptr : &made) == ADZE_OK &&
      !std::isfinite(made))
    adze::fuzz::finding("a score that is none");
}

void look_at_groups(adze_call* call) {
  std::uint64_t count = 0;
  const adze_group* const* groups = nullptr;
  if (service<adze_structure>(call, ADZE_STRUCTURE)
          .groups(call, program->one_in(32) ? nullptr : &count, &groups) != ADZE_OK)
    return;
  for (std::uint64_t g = 0; g < count; ++g) {
    std::vector<std::uint32_t> leaving;
    for (std::uint32_t c = 0; c < groups[g]->channel_count; ++c)
      if (program->one_in(4)) leaving.push_back(c);
    call->edit->remove_channels(call, static_cast<std::uint32_t>(g), program->copied(leaving),
                                leaving.size());
  }
}

adze_status ask(void*, adze_call* call) noexcept {
  while (program->goes_on()) switch (program->below(8)) {
      case 0:
      case 1:
        collect(call);
        break;
      case 2:
        ask_latency(call);
        break;
      case 3:
        take_batch(call);
        break;
      case 4:
        score(call);
        break;
      case 5:
        look_at_groups(call);
        break;
      default:
        program->call_edit(call);
    }
  return ADZE_OK;
}

constexpr adze_quantizer kQuantizer = {sizeof(adze_quantizer), 0, ask};
constexpr adze_pruner kPruner = {sizeof(adze_pruner), 0, ask};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return adze::fuzz::run_component(data, size, kPruner, kQuantizer);
}
