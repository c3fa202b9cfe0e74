#include "host/cli/board_link.hpp"

#include "host/base/file.hpp"
#include "host/base/hash.hpp"
#include "host/pipeline/board_type.hpp"

namespace adze::host {

hil::BoardSession::Progress board_progress(ProgressBar& bar) {
  return [&bar](double fraction, const std::string& doing) { bar.update(fraction, doing); };
}

std::string describe(const hil::HelloReply& board) {
  return (board.simulated ? "simulated board " : "board ") + board.board + " (" + board.board_type +
         (board.lab ? ", takes unsigned bundles" : "") + ")";
}

hil::ModelBundle bundle_of(Context& context, const std::filesystem::path& model, const Graph& graph,
                           const std::string& backend, const std::string& board_type,
                           std::uint32_t batch, std::vector<Tensor> smoke_inputs,
                           const hil::SecretKey* key) {
  const auto target = load_target(board_type);
  CallOptions call = context.call_options();
  call.target = target.get();
  return hil::make_model_bundle(graph,
                                {.backend = context.registry().find(backend),
                                 .call = call,
                                 .board_type = board_type,
                                 .model = model.filename().string(),
                                 .provenance = {{"model_sha256", sha256_hex(read_file(model))},
                                                {"adze_version", ADZE_VERSION}},
                                 .batch = batch,
                                 .smoke_inputs = std::move(smoke_inputs),
                                 .key = key});
}

}  // namespace adze::host
