// A pruner that uses all it is given and fails with an account of it, so that two ways of calling
// it can be compared word by word.
#include <adze/ext/draft/dataset.h>
#include <adze/ext/draft/evaluate.h>
#include <adze/ext/draft/latency.h>
#include <adze/ext/draft/refit.h>
#include <adze/ext/draft/structure.h>

#include <adze/adze.hpp>
#include <cstdio>
#include <string>

namespace {

class Account {
 public:
  template <class... Parts>
  void add(const char* format, Parts... parts) {
    char line[256];
    std::snprintf(line, sizeof line, format, parts...);
    text += line;
  }
  void add(const adze_tensor* tensor) {
    if (!tensor) return add("no tensor;");
    add("tensor %d.%d", tensor->code, tensor->bits);
    for (int32_t axis = 0; axis < tensor->ndim; ++axis)
      add(" %lld/%lld", static_cast<long long>(tensor->shape[axis]),
          static_cast<long long>(tensor->strides[axis]));
    const int64_t bytes = tensor->data ? adze::element_count(*tensor) * tensor->bits / 8 : 0;
    unsigned sum = 0;
    for (int64_t i = 0; i < bytes; ++i)
      sum = sum * 31 + static_cast<const unsigned char*>(tensor->data)[i];
    add(" sum %u;", sum);
  }
  void add(const adze_property& property) {
    add("%s %u %llu:", property.name, property.type,
        static_cast<unsigned long long>(property.count));
    for (uint64_t i = 0; i < property.count; ++i) {
      if (property.keys) add("%s=", property.keys[i]);
      if (property.f64) add("%g ", property.f64[i]);
      if (property.i64) add("%lld ", static_cast<long long>(property.i64[i]));
      if (property.text) add("%s ", property.text[i]);
    }
    if (property.tensor) add(property.tensor);
    add(";");
  }
  std::string text;
};

void graph(Account& account, const adze_graph& graph) {
  for (uint32_t v = 0; v < graph.value_count; ++v) {
    const adze_value& value = *graph.values[v];
    account.add("value %s flags %u rank %d batch %d type %d.%d producer %u shape", value.name,
                value.flags, value.rank, value.batch_axis, value.code, value.bits, value.producer);
    for (int32_t axis = 0; axis < value.rank; ++axis)
      account.add(" %lld", static_cast<long long>(value.shape[axis]));
    for (uint64_t i = 0; i < value.consumer_count; ++i) account.add(" to %u", value.consumers[i]);
    account.add(value.constant);
    if (value.keep)
      for (int64_t i = 0; i < adze::element_count(*value.constant); ++i)
        account.add("%d", value.keep[i]);
    if (value.quant) {
      account.add(" quant %d %d %d", value.quant->axis, value.quant->code, value.quant->bits);
      for (uint64_t i = 0; i < value.quant->count; ++i)
        account.add(" %g+%d", static_cast<double>(value.quant->scale[i]),
                    value.quant->zero_point ? value.quant->zero_point[i] : -1);
    }
  }
  for (uint32_t n = 0; n < graph.node_count; ++n) {
    const adze_node& node = *graph.nodes[n];
    account.add("node %s %s '%s' %u", node.name, node.op, node.domain, node.op_version);
    for (uint32_t i = 0; i < node.input_count; ++i) account.add(" in %u", node.inputs[i]);
    for (uint32_t i = 0; i < node.output_count; ++i) account.add(" out %u", node.outputs[i]);
    for (uint64_t i = 0; i < node.attribute_count; ++i) account.add(*node.attributes[i]);
  }
  for (uint32_t i = 0; i < graph.target_count; ++i) account.add("target %u;", graph.targets[i]);
}

void calibration(Account& account, adze_call* call) {
  const auto* table =
      static_cast<const adze_calibration*>(call->host->get_extension(call, ADZE_CALIBRATION));
  if (!table) return account.add("no calibration;");
  account.add("%u samples;", table->sample_count);
  adze_stat_request requests[2] = {};
  for (auto& request : requests) request.struct_size = sizeof request;
  requests[0].kind = ADZE_STAT_HISTOGRAM;
  requests[0].value = 3;
  requests[0].bins = 200000;  // more than fits into a frame
  requests[1].kind = ADZE_STAT_HISTOGRAM;
  const adze_stat* out[2] = {};
  adze::check(table->collect(call, requests, 2, out));
  for (const adze_stat* stat : out) {
    account.add("terms %llu %g..%g", static_cast<unsigned long long>(stat->terms), stat->low,
                stat->high);
    account.add(&stat->data);
  }
  table->release(call, out[0]);
  account.add("refused %d;", table->collect(call, nullptr, 2, out));
}

void services(Account& account, adze_call* call) {
  calibration(account, call);
  if (const auto* table =
          static_cast<const adze_evaluate*>(call->host->get_extension(call, ADZE_EVALUATE))) {
    double score = 0;
    adze::check(table->score(call, ADZE_SCORE_SQNR_DB, 7, &score));
    account.add("score %g of %u, task %d;", score, table->sample_count,
                table->score(call, ADZE_SCORE_TASK, 7, &score));
  }
  if (const auto* table =
          static_cast<const adze_latency*>(call->host->get_extension(call, ADZE_LATENCY))) {
    const adze_what_if questions[2] = {{sizeof(adze_what_if), 1, 0.5, 0, 3},
                                       {sizeof(adze_what_if), ADZE_NONE, 0.25, 4, 0}};
    double latency_ms[2] = {};
    adze::check(table->ask(call, questions, 2, latency_ms));
    account.add("latency %u: %g %g;", table->source, latency_ms[0], latency_ms[1]);
  }
  if (const auto* table =
          static_cast<const adze_dataset*>(call->host->get_extension(call, ADZE_DATASET))) {
    account.add("train %llu held out %llu labeled %u;",
                static_cast<unsigned long long>(table->train_count),
                static_cast<unsigned long long>(table->held_out_count), table->labeled);
    for (uint64_t index = 0; index < 3; ++index) {
      const adze_batch* batch = nullptr;
      const adze_status status = table->batch(call, ADZE_SPLIT_TRAIN, 2, 5, index, &batch);
      account.add("batch %d:", status);
      if (status != ADZE_OK) continue;
      account.add("%llu", static_cast<unsigned long long>(batch->sample_count));
      for (uint32_t i = 0; i < batch->input_count; ++i) account.add(batch->inputs[i]);
      account.add(batch->labels);
    }
  }
  if (const auto* table =
          static_cast<const adze_structure*>(call->host->get_extension(call, ADZE_STRUCTURE))) {
    uint64_t count = 0;
    const adze_group* const* groups = nullptr;
    adze::check(table->groups(call, &count, &groups));
    for (uint64_t i = 0; i < count; ++i) {
      account.add("group %u x%u:", groups[i]->channel_count, groups[i]->multiple);
      for (uint32_t m = 0; m < groups[i]->member_count; ++m) {
        const adze_member& member = *groups[i]->members[m];
        account.add("%u %u %u %u %u", member.role, member.value, member.node, member.axis,
                    member.span);
        for (uint32_t k = 0; k < groups[i]->channel_count * member.span; ++k)
          account.add(" %u", member.indices[k]);
      }
    }
  }
  if (const auto* table =
          static_cast<const adze_refit*>(call->host->get_extension(call, ADZE_REFIT))) {
    account.add("refits:");
    for (uint32_t i = 0; i < table->node_count; ++i) account.add(" %u", table->nodes[i]);
  }
  if (const auto* table =
          static_cast<const adze_onnx_bytes*>(call->host->get_extension(call, ADZE_ONNX_BYTES))) {
    const uint8_t* data = nullptr;
    uint64_t size = 0;
    adze::check(table->bytes(call, &data, &size));
    unsigned sum = 0;
    for (uint64_t i = 0; i < size; ++i) sum = sum * 31 + data[i];
    account.add("onnx %llu %u, save %d;", static_cast<unsigned long long>(size), sum,
                table->save(call, "x.onnx"));
  }
  account.add("unknown %d;", call->host->get_extension(call, "org.example.nothing/1") != nullptr);
}

void edits(Account& account, adze_call* call) {
  const adze_graph& graph = *call->graph;
  const adze_edit& edit = *call->edit;
  const uint64_t mark = edit.mark(call);
  for (uint32_t v = 0; v < graph.value_count; ++v) {
    const adze_tensor* constant = graph.values[v]->constant;
    if (!constant) continue;
    const auto shown = adze::f32(constant);
    std::vector<float> changed(shown.begin(), shown.end());
    for (float& element : changed) element *= 2;
    const adze_tensor contents = adze::with_contents(*constant, changed);
    account.add("constant %d;", edit.set_constant(call, v, &contents));
    std::vector<uint8_t> keep(changed.size(), 1);
    keep[0] = 0;
    account.add("mask %d;", edit.set_mask(call, v, keep.data(), keep.size()));
    account.add("short mask %d;", edit.set_mask(call, v, keep.data(), 1));
    account.add("no mask %d;", edit.set_mask(call, v, nullptr, keep.size()));
    account.add("null constant %d;", edit.set_constant(call, v, nullptr));
  }
  const adze_quant quant = {sizeof quant, 0, -1, ADZE_INT, 8, 0, 1, nullptr, nullptr};
  account.add("quant %d;", edit.set_quant(call, 1, &quant));
  const uint32_t channels[] = {0, 1};
  account.add("channels %d;", edit.remove_channels(call, 99, channels, 2));
  account.add("rewind %d %d;", edit.rewind(call, mark + 2), edit.rewind(call, mark + 1000));
}

adze_status prune(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    Account account;
    account.add("threads %u seed %llu;", call->threads,
                static_cast<unsigned long long>(call->seed));
    for (std::size_t i = 0; i < 3; ++i) account.add(*call->arguments[i]);
    if (call->target) {
      account.add("target %s;", call->target->board_type);
      for (uint32_t i = 0; i < call->target->fact_count; ++i) account.add(*call->target->facts[i]);
    }
    account.add("stop %d;", call->host->progress(call, 0.5, "half"));
    graph(account, *call->graph);
    services(account, call);
    edits(account, call);
    if (call->arguments[0]->f64[0] > 0) throw adze::Error(ADZE_ABORTED, account.text);
  });
}

constexpr adze_param kParams[] = {adze::f64("fail", "1: fail with the account.", 1, 0, 1),
                                  {.struct_size = sizeof(adze_param),
                                   .type = ADZE_TEXT,
                                   .flags = ADZE_PARAM_LIST,
                                   .name = "names",
                                   .doc = "Some texts."},
                                  {.struct_size = sizeof(adze_param),
                                   .type = ADZE_F64,
                                   .flags = ADZE_PARAM_MAP,
                                   .name = "levels",
                                   .doc = "Some numbers."}};
constexpr adze_pruner kPruner = {sizeof(adze_pruner), 0, prune};
constexpr adze_component kComponent =
    adze::component("org.example.probe", "Tells.", kParams, nullptr, &kPruner);
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin =
    adze::plugin("org.example.probe", "1.0.0", "Example", "Apache-2.0", kComponents);

}  // namespace

const adze_plugin* adze_plugin_v1(void) noexcept { return &kPlugin; }
