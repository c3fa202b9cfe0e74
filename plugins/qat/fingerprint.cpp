#include "plugins/qat/fingerprint.hpp"

#include <string>

#include "plugins/qat/checkpoint.hpp"

namespace qat {

std::uint64_t fingerprint(const adze_call& call, const Options& options,
                          const adze_dataset& dataset) {
  Fingerprint print;
  const adze_graph& graph = *call.graph;
  for (std::uint32_t i = 0; i < graph.node_count; ++i) {
    print.add(graph.nodes[i]->op);
    print.add(graph.nodes[i]->name);
  }
  for (std::uint32_t i = 0; i < graph.value_count; ++i) {
    const auto elements = adze::f32(graph.values[i]->constant);
    print.add(elements.data(), elements.size_bytes());
  }
  for (std::uint32_t i = 0; i < graph.target_count; ++i) print.number(graph.targets[i]);
  for (const std::int64_t one :
       {options.epochs, options.steps, options.batch, options.patience,
        std::int64_t{options.grids.bits}, std::int64_t{options.quantizes},
        std::int64_t{options.grids.learned}, std::int64_t{options.grids.shared_scales},
        std::int64_t{options.float_heads}})
    print.number(one);
  for (const double one : {options.seconds, options.learning_rate, options.float_share,
                           options.distillation, options.temperature, options.averaging})
    print.number(one);
  print.number(options.rule);
  print.number(options.grids.zero_point);
  for (const std::string& name : options.leave_float) print.add(name);
  print.number(call.seed);
  print.number(dataset.train_count);
  print.number(dataset.held_out_count);
  print.number(dataset.labeled);
  return print.get();
}

}  // namespace qat
