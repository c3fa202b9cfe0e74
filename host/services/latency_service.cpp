#include "host/services/latency_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "host/abi/guard.hpp"
#include "host/base/error.hpp"
#include "host/plugin/first_sizes.hpp"

namespace adze::host {
namespace {

constexpr std::uint64_t kMaxQuestions = 1 << 20;

/// Output and input channels of a node with a weight; nullopt for others, where none can leave.
struct Channels {
  std::int64_t input, output;
};
std::optional<Channels> channels_of(const Graph& graph, const Node& node) {
  const std::uint32_t weight = weight_of(graph, node);
  if (weight == kNone || !graph.value(weight).shape) return std::nullopt;
  const Shape& shape = *graph.value(weight).shape;
  if (shape.size() < 2) return std::nullopt;
  const std::int64_t groups = attribute_or<std::int64_t>(node, "group", 1);
  if (node.op == "Conv") return Channels{shape[1] * groups, shape[0]};
  if (node.op == "ConvTranspose") return Channels{shape[0], shape[1] * groups};
  const std::int64_t rows = shape[shape.size() - 2], columns = shape.back();
  const bool flipped = node.op == "Gemm" && attribute_or<std::int64_t>(node, "transB", 0) != 0;
  return flipped ? Channels{columns, rows} : Channels{rows, columns};
}

// The component steps its array by its own idea of a question's size.
std::vector<WhatIf> copy_questions(const adze_what_if* questions, std::uint64_t count) {
  if (count > kMaxQuestions)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("adze_latency.ask: {} questions; {} are answered at once", count,
                            kMaxQuestions));
  const std::uint32_t size = questions->struct_size;
  if (!reaches_first_size(*questions) || size % alignof(adze_what_if) != 0)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("adze_latency.ask: adze_what_if.struct_size is {}, not {} or more",
                            size, kFirstSize<adze_what_if>));
  std::vector<WhatIf> copies;
  const auto* at = reinterpret_cast<const std::byte*>(questions);
  for (std::uint64_t i = 0; i < count; ++i, at += size) {
    adze_what_if question{};
    std::memcpy(&question, at, std::min<std::size_t>(size, sizeof question));
    copies.push_back({.node = question.node,
                      .sparsity = question.sparsity,
                      .input_channels = question.input_channels,
                      .output_channels = question.output_channels});
  }
  return copies;
}

adze_status ask(adze_call* call, const adze_what_if* questions, std::uint64_t count,
                double* out_latency_ms) noexcept {
  return guarded(call, [&](Call& self) {
    if (count == 0) return;
    if (!questions || !out_latency_ms)
      throw Error(ADZE_INVALID_ARGUMENT, "adze_latency.ask: questions or out is NULL");
    std::ranges::copy(self.service<LatencyService>().ask(copy_questions(questions, count)),
                      out_latency_ms);
  });
}

constexpr adze_latency kLatency = {sizeof(adze_latency), ADZE_PREDICTED, ask};

}  // namespace

LatencyService::LatencyService(const Graph& shown, Component backend, CallOptions options)
    : shown_(shown), backend_(backend), options_(std::move(options)) {
  options_.progress = {};  // the answers are a small part of the component's call
}

const void* LatencyService::table() const { return &kLatency; }

void LatencyService::check(const WhatIf& question, std::size_t number) const {
  if (!(question.sparsity >= 0 && question.sparsity <= 1))
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("adze_latency.ask: question {}: sparsity {} is not a share 0..1",
                            number, question.sparsity));
  if (question.node == kNone) {
    if (question.sparsity != 0 || question.input_channels || question.output_channels)
      throw Error(
          ADZE_INVALID_ARGUMENT,
          fmt::format("adze_latency.ask: question {}: the whole model is answered as shown; "
                      "name a node to change",
                      number));
    return;
  }
  if (question.node >= shown_.nodes.size())
    throw Error(ADZE_INVALID_ARGUMENT, fmt::format("adze_latency.ask: question {}: there is no "
                                                   "node {}",
                                                   number, question.node));
  if (!question.input_channels && !question.output_channels) return;
  const Node& node = shown_.nodes[question.node];
  const std::optional<Channels> channels = channels_of(shown_, node);
  if (!channels || question.input_channels > channels->input ||
      question.output_channels > channels->output)
    throw Error(
        ADZE_INVALID_ARGUMENT,
        fmt::format("adze_latency.ask: question {}: node '{}' ({}) has {} input and {} output "
                    "channels, so {} and {} cannot be left",
                    number, node.name, node.op, channels ? channels->input : 0,
                    channels ? channels->output : 0, question.input_channels,
                    question.output_channels));
}

std::vector<double> LatencyService::ask(std::span<const WhatIf> questions) const {
  for (std::size_t i = 0; i < questions.size(); ++i) check(questions[i], i);
  return estimate(backend_, {}, shown_, options_, questions);
}

bool predicts_latency(const Component& backend) {
  return backend.kind() == ComponentKind::backend &&
         ADZE_HAS(backend.component->backend, adze_backend, estimate);
}

}  // namespace adze::host
