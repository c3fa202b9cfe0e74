#include "host/cli/board_link.hpp"

#include "hil/session/board_runner.hpp"
#include "host/base/file.hpp"
#include "host/base/hash.hpp"
#include "host/pipeline/board_type.hpp"

namespace adze::host {
namespace {

class OwnedBoardRunner : public Runner {
 public:
  OwnedBoardRunner(hil::BoardSession session, const std::string& model)
      : session_(std::move(session)), runner_(session_, model) {}
  std::string name() const override { return runner_.name(); }
  std::vector<NamedTensor> run(std::span<const Tensor> inputs) override {
    return runner_.run(inputs);
  }
  std::vector<ProfileRow> profile() override { return runner_.profile(); }

 private:
  hil::BoardSession session_;
  hil::BoardRunner runner_;
};

}  // namespace

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

std::unique_ptr<Runner> open_board_runner(Context& context, const std::string& address,
                                          const std::filesystem::path& model, const Graph& graph) {
  auto session = hil::BoardSession::open(address);
  // The agent has one backend; its id is that of a plugin here too, unless it is the vendor's.
  const hil::ModelBundle bundle = bundle_of(context, model, graph, session.info().backend,
                                            session.board().board_type, /*batch=*/1);
  session.activate(session.flash(*hil::memory_source(bundle.bytes)).bundle);
  return std::make_unique<OwnedBoardRunner>(std::move(session), model.filename().string());
}

}  // namespace adze::host
