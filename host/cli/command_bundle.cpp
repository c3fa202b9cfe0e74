// adze bundle: makes what is flashed, and checks it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/base/file.hpp"
#include "host/cli/board_link.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

struct BundleOptions {
  std::filesystem::path model, out, key, trusted;
  std::string backend = "drpai", board_type = "rzv2h";
  std::uint32_t batch = 1;
};

std::string shapes_of(const std::vector<hil::TensorSpec>& specs) {
  std::string text;
  for (const hil::TensorSpec& spec : specs)
    text += fmt::format("{}{} {} {}", text.empty() ? "" : ", ", spec.name, info(spec.dtype).name,
                        to_string(spec.shape));
  return text;
}

json describe_bundle(const hil::Bundle& bundle) {
  const hil::Manifest& manifest = bundle.manifest();
  json files = json::array();
  for (const hil::BundleFile& file : manifest.files)
    files.push_back(
        {{"path", file.path}, {"size_bytes", file.size_bytes}, {"sha256", file.sha256}});
  return {{"bundle", bundle.id()},
          {"model", manifest.model},
          {"board_type", manifest.board_type},
          {"backend", manifest.backend},
          {"batch", manifest.batch},
          {"predicted_ms", manifest.predicted_ms > 0 ? json(manifest.predicted_ms) : json(nullptr)},
          {"signed", !bundle.signature().empty()},
          {"provenance", manifest.provenance},
          {"files", files}};
}

std::string summary(const hil::Bundle& bundle, std::uint64_t size_bytes) {
  const hil::Manifest& manifest = bundle.manifest();
  return fmt::format(
      "bundle {}\n  {} for {}, loaded by {}, batch {}, {} files, {} bytes, {}\n  in:  {}\n  out: "
      "{}\n",
      bundle.id(), manifest.model, manifest.board_type, manifest.backend, manifest.batch,
      manifest.files.size(), size_bytes, bundle.signature().empty() ? "not signed" : "signed",
      shapes_of(manifest.inputs), shapes_of(manifest.outputs));
}

void make(const BundleOptions& options, Context& context) {
  std::optional<hil::SecretKey> key;
  if (!options.key.empty()) key = hil::load_secret_key(options.key);
  const hil::ModelBundle made =
      bundle_of(context, options.model, load_simplified(options.model), options.backend,
                options.board_type, options.batch, {}, key ? &*key : nullptr);
  write_file(options.out, made.bytes);
  const auto source = hil::memory_source(made.bytes);
  const hil::Bundle bundle(*source);
  context.result(describe_bundle(bundle), summary(bundle, made.bytes.size()) +
                                              fmt::format("written to {}\n", options.out.string()));
}

void verify(const BundleOptions& options, Context& context) {
  const auto source = hil::file_source(options.out);
  const hil::Bundle bundle(*source);
  bundle.verify();
  json document = describe_bundle(bundle);
  std::string signer;
  if (!options.trusted.empty())
    signer = bundle.signed_by({.keys = hil::load_trusted_keys(options.trusted)});
  document["signed_by"] = signer.empty() ? json(nullptr) : json(signer);
  context.result(document, summary(bundle, source->size()) +
                               (signer.empty() ? "contents are whole; the signature was not "
                                                 "checked (give --trusted)\n"
                                               : "contents are whole; signed by " + signer + "\n"));
}

}  // namespace

void add_bundle(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("bundle", "Make and check what is flashed");
  group->require_subcommand(1);
  const auto options = std::make_shared<BundleOptions>();
  auto* making = group->add_subcommand("make", "Compile a model into a bundle");
  making->add_option("model", options->model, "ONNX file")->required();
  making->add_option("-o,--output", options->out, "The .adze file")->required();
  making->add_option("--backend", options->backend, "Backend component")->capture_default_str();
  making->add_option("--board-type", options->board_type, "Board type")->capture_default_str();
  making->add_option("--batch", options->batch, "Samples in one inference")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  making->add_option("--key", options->key, "Sign with this secret key (Ed25519, hexadecimal)");
  making->callback([options, &context] { make(*options, context); });
  auto* checking = group->add_subcommand("verify", "Check a bundle's structure, hashes, signature");
  checking->add_option("bundle", options->out, "The .adze file")->required();
  checking->add_option("--trusted", options->trusted,
                       "Folder of *.pub files, one of which must have signed");
  checking->callback([options, &context] { verify(*options, context); });
}

}  // namespace adze::host
