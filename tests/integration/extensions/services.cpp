// Three pruners, each of which cannot do without one of the host's services.
#include <adze/ext/draft/dataset.h>
#include <adze/ext/draft/evaluate.h>
#include <adze/ext/draft/latency.h>
#include <adze/ext/draft/structure.h>

#include <adze/adze.hpp>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

namespace {

void keep_the_largest(adze_call* call, uint32_t value, double sparsity) {
  const auto weights = adze::f32(call->graph->values[value]->constant);
  std::vector<float> sorted(weights.begin(), weights.end());
  for (float& weight : sorted) weight = std::abs(weight);
  std::ranges::sort(sorted);
  const auto pruned = static_cast<std::size_t>(sparsity * static_cast<double>(sorted.size()));
  const float cut = pruned ? sorted[pruned - 1] : -1.0f;
  std::vector<uint8_t> keep(weights.size());
  std::ranges::transform(weights, keep.begin(), [&](float w) { return std::abs(w) > cut; });
  adze::check(call->edit->set_mask(call, value, keep.data(), keep.size()));
}

// ---- channels with the smallest weights leave ----

/// Adds the absolute weights that stand at each channel along the member's axis.
void add_scores(const adze_tensor& tensor, const adze_member& member, std::vector<double>& score) {
  const auto weights = adze::f32(&tensor);
  const auto axis_size = static_cast<std::size_t>(tensor.shape[member.axis]);
  std::size_t inner = 1;
  for (int32_t axis = static_cast<int32_t>(member.axis) + 1; axis < tensor.ndim; ++axis)
    inner *= static_cast<std::size_t>(tensor.shape[axis]);
  for (std::size_t outer = 0; outer < weights.size() / (axis_size * inner); ++outer)
    for (std::size_t entry = 0; entry < score.size() * member.span; ++entry)
      for (std::size_t i = 0; i < inner; ++i)
        score[entry / member.span] += std::abs(
            static_cast<double>(weights[(outer * axis_size + member.indices[entry]) * inner + i]));
}

constexpr adze_param kChannelParams[] = {
    adze::f64("share", "Share of each group's channels to remove.", 0.3, 0, 0.95)};

adze_status prune_channels(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    uint64_t count = 0;
    const adze_group* const* groups = nullptr;
    adze::check(adze::need<adze_structure>(call, ADZE_STRUCTURE).groups(call, &count, &groups));
    for (uint32_t g = 0; g < count; ++g) {
      const adze_group& group = *groups[g];
      std::vector<double> score(group.channel_count);
      for (uint32_t m = 0; m < group.member_count; ++m)
        if (group.members[m]->role == ADZE_ROLE_PRODUCES)
          add_scores(*call->graph->values[group.members[m]->value]->constant, *group.members[m],
                     score);
      std::vector<uint32_t> order(score.size());
      std::iota(order.begin(), order.end(), 0u);
      std::ranges::stable_sort(order, {}, [&](uint32_t channel) { return score[channel]; });
      const double wanted = (1 - call->arguments[0]->f64[0]) * group.channel_count;
      const auto left =
          group.multiple * std::max(1u, static_cast<uint32_t>(wanted + 0.5) / group.multiple);
      if (left >= group.channel_count) continue;
      order.resize(group.channel_count - left);
      std::ranges::sort(order);
      adze::check(call->edit->remove_channels(call, g, order.data(), order.size()));
    }
    // Where scores can be had, the smaller model gets one.
    const auto* evaluate =
        static_cast<const adze_evaluate*>(call->host->get_extension(call, ADZE_EVALUATE));
    if (!evaluate) return;
    double sqnr_db = 0;
    adze::check(evaluate->score(call, ADZE_SCORE_SQNR_DB, 0, &sqnr_db));
    call->host->log(call, ADZE_LOG_WARNING,
                    ("channels left: " + std::to_string(sqnr_db) + " dB").c_str());
  });
}

constexpr const char* kChannelNeeds[] = {ADZE_STRUCTURE, nullptr};
constexpr adze_pruner kChannelPruner = {sizeof(adze_pruner), 0, prune_channels};
constexpr adze_component kChannel =
    adze::component("org.example.channel", "Removes the channels with the smallest weights.",
                    kChannelParams, kChannelNeeds, &kChannelPruner);

// ---- the layers that cost most are pruned, until the model would be fast enough ----

constexpr adze_param kLatencyParams[] = {
    adze::f64("budget", "Latency to reach, as a share of the latency now.", 0.8, 0.05, 1),
    adze::f64("sparsity", "Share of zeros in a layer that is pruned.", 0.8, 0, 1)};

adze_status prune_slow_layers(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    const adze_graph& graph = *call->graph;
    const double sparsity = call->arguments[1]->f64[0];
    std::vector<adze_what_if> questions = {{sizeof(adze_what_if), ADZE_NONE, 0, 0, 0}};
    for (const uint32_t node : adze::targets(graph)) {
      questions.push_back({sizeof(adze_what_if), node, 0, 0, 0});
      questions.push_back({sizeof(adze_what_if), node, sparsity, 0, 0});
    }
    std::vector<double> latency_ms(questions.size());
    adze::check(adze::need<adze_latency>(call, ADZE_LATENCY)
                    .ask(call, questions.data(), questions.size(), latency_ms.data()));
    std::vector<uint32_t> order(graph.target_count);
    std::iota(order.begin(), order.end(), 0u);
    const auto gain_ms = [&](uint32_t t) { return latency_ms[2 * t + 1] - latency_ms[2 * t + 2]; };
    std::ranges::stable_sort(order, std::greater<>(), gain_ms);
    double now_ms = latency_ms[0];
    const double wanted_ms = call->arguments[0]->f64[0] * now_ms;
    for (const uint32_t t : order) {
      if (now_ms <= wanted_ms) return;
      keep_the_largest(call, adze::weight_of(graph, *graph.nodes[graph.targets[t]]), sparsity);
      now_ms -= gain_ms(t);
    }
    if (now_ms > wanted_ms) throw adze::Error(ADZE_OUT_OF_RANGE, "the budget cannot be met");
  });
}

constexpr const char* kLatencyNeeds[] = {ADZE_LATENCY, nullptr};
constexpr adze_pruner kLatencyPruner = {sizeof(adze_pruner), 0, prune_slow_layers};
constexpr adze_component kLatency =
    adze::component("org.example.latency", "Prunes layers until the model is fast enough.",
                    kLatencyParams, kLatencyNeeds, &kLatencyPruner);

// ---- samples are looked at, and what was seen is logged ----

constexpr adze_param kDatasetParams[] = {adze::i64("batch", "Samples in a batch.", 32, 1, 4096)};

adze_status look_at_samples(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    const auto& dataset = adze::need<adze_dataset>(call, ADZE_DATASET);
    const auto size = static_cast<uint32_t>(call->arguments[0]->i64[0]);
    for (uint64_t epoch = 0; epoch < 2; ++epoch) {
      uint64_t seen = 0, right = 0, first_label = 0;
      double sum = 0, first = 0;
      for (uint64_t index = 0; seen < dataset.train_count; ++index) {
        const adze_batch* batch = nullptr;
        adze::check(dataset.batch(call, ADZE_SPLIT_TRAIN, size, epoch, index, &batch));
        const auto pixels = adze::f32(batch->inputs[0]);
        for (const float pixel : pixels) sum += pixel;
        if (index == 0)
          first = std::accumulate(pixels.begin(), pixels.begin() + 784, 0.0),
          first_label = batch->labels ? 1 : 0;
        for (uint64_t i = 0; batch->labels && i < batch->sample_count; ++i) {
          const int64_t label = static_cast<const int64_t*>(batch->labels->data)[i];
          right += label >= 0 && label < 10;
        }
        seen += batch->sample_count;
        adze::progress(call, static_cast<double>(seen) / static_cast<double>(dataset.train_count),
                       "looking");
      }
      const std::string text = "epoch " + std::to_string(epoch) + ": " + std::to_string(seen) +
                               " samples, " + std::to_string(right) + " labels, sum " +
                               std::to_string(std::llround(sum)) + ", first " +
                               std::to_string(first) + (first_label ? "" : " unlabeled");
      call->host->log(call, ADZE_LOG_WARNING, text.c_str());
    }
    const adze_batch* batch = nullptr;
    uint64_t held_out = 0;
    adze_status status = ADZE_OK;
    for (uint64_t index = 0; status == ADZE_OK && held_out < dataset.held_out_count; ++index) {
      status = dataset.batch(call, ADZE_SPLIT_HELD_OUT, size, 0, index, &batch);
      if (status == ADZE_OK) held_out += batch->sample_count;
    }
    adze::check(status);
    call->host->log(call, ADZE_LOG_WARNING,
                    ("held out: " + std::to_string(held_out) + " samples").c_str());
    for (const uint32_t node : adze::targets(*call->graph))
      keep_the_largest(call, adze::weight_of(*call->graph, *call->graph->nodes[node]), 0.5);
  });
}

constexpr const char* kDatasetNeeds[] = {ADZE_DATASET, nullptr};
constexpr adze_pruner kDatasetPruner = {sizeof(adze_pruner), 0, look_at_samples};
constexpr adze_component kDataset =
    adze::component("org.example.dataset", "Looks at two epochs of samples, then prunes half.",
                    kDatasetParams, kDatasetNeeds, &kDatasetPruner);

constexpr const adze_component* kComponents[] = {&kChannel, &kLatency, &kDataset};
constexpr adze_plugin kPlugin =
    adze::plugin("org.example.services", "1.0.0", "Example", "Apache-2.0", kComponents);

}  // namespace

const adze_plugin* adze_plugin_v1(void) noexcept { return &kPlugin; }
