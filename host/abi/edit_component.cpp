// One call of a pruner or quantizer, from arguments to the edits it asked for.
#include <adze/pruner.h>
#include <adze/quantizer.h>

#include "host/abi/call.hpp"
#include "host/abi/refit.hpp"
#include "host/base/error.hpp"
#include "host/base/log.hpp"

namespace adze::host {

EditList run_edit_component(const Component& component, const Settings& settings,
                            const Graph& graph, const std::vector<std::uint32_t>& targets,
                            const CallOptions& options, const std::vector<Service*>& services,
                            const std::vector<std::uint32_t>& refits) {
  if (component.kind() == ComponentKind::backend)
    throw Error(ADZE_INVALID_ARGUMENT, std::string("'") + component.component->id +
                                           "' is a backend; a stage takes a pruner or quantizer");
  Call call(component, settings, options);
  for (Service* service : services) call.offer(*service);
  Refit refit(refits);
  if (component.kind() == ComponentKind::pruner) call.offer(refit);
  call.check_needs();
  const Instance instance(call);
  const View view(graph, targets);
  EditList edits(graph, targets, refits);
  call.show(view);
  call.accept(edits);
  if (const adze_pruner* pruner = component.component->pruner)
    call.check(pruner->prune(instance.self(), call.get()), "prune");
  else
    call.check(component.component->quantizer->quantize(instance.self(), call.get()), "quantize");
  if (const std::string refused = call.refusal(); !refused.empty())
    log(LogLevel::warning, std::string(component.component->id) +
                               " went on after the host refused something: " + refused);
  return edits;
}

}  // namespace adze::host
