// adze bundle: makes what is flashed, signs it, and checks it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "host/base/file.hpp"
#include "host/base/hash.hpp"
#include "host/cli/board_link.hpp"
#include "host/cli/calibration_set.hpp"
#include "host/dataset/dataset.hpp"
#include "host/pipeline/recipe.hpp"

namespace adze::host {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct BundleOptions {
  fs::path model, bundle, out, key, trusted, public_key, smoke;
  BundleRequest request;
  CalibrationOptions calibration;
  bool sign = false;
};

std::string shapes_of(const std::vector<hil::TensorSpec>& specs) {
  std::string text;
  for (const hil::TensorSpec& spec : specs)
    text += fmt::format("{}{} {} {}", text.empty() ? "" : ", ", spec.name, info(spec.dtype).name,
                        to_string(spec.shape));
  return text;
}

/// What people compare by eye: the first digits of the public key.
std::string fingerprint(const hil::PublicKey& key) { return hex(key).substr(0, 16); }

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
          {"smoke_test", !manifest.smoke_inputs.empty()},
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

/// What is overwritten is a bundle or nothing: a mixed-up argument must not cost somebody a model.
void require_bundle_name(const fs::path& file) {
  if (file.extension() == ".adze" && !fs::is_directory(file)) return;
  throw Error(ADZE_INVALID_ARGUMENT,
              "'" + file.string() +
                  "' cannot be written: bundles are files named *.adze; give -o " +
                  fs::path(file).replace_extension(".adze").filename().string());
}

fs::path signing_key(const BundleOptions& options) {
  return options.key.empty() ? default_signing_key() : options.key;
}

void make(const BundleOptions& options, Context& context) {
  if (options.model.empty() || options.out.empty())
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("a bundle is made of a model ({}) and gets a name ({}): `adze bundle "
                            "make model.onnx -o model.adze`",
                            options.model.empty() ? "missing" : options.model.string(),
                            options.out.empty() ? "-o is missing" : options.out.string()));
  require_bundle_name(options.out);
  BundleRequest request = options.request;
  if (options.sign || !options.key.empty())
    request.key = hil::load_secret_key(signing_key(options));
  const Graph graph = load_simplified(options.model);
  if (!options.smoke.empty()) {
    const auto samples = open_dataset(parse_data_file(options.smoke), input_specs(graph));
    if (samples->size() < request.batch)
      throw Error(ADZE_OUT_OF_RANGE,
                  fmt::format("'{}' has {} samples, the smoke test of batch {} needs as many",
                              options.smoke.string(), samples->size(), request.batch));
    std::vector<std::int64_t> first(request.batch);
    std::iota(first.begin(), first.end(), 0);
    request.smoke_inputs = samples->batch(first);
  }
  const CalibrationSet calibration(options.calibration, graph);
  request.services = calibration.services();
  const hil::ModelBundle made = bundle_of(context, options.model, graph, std::move(request));
  write_file(options.out, made.bytes);
  const auto source = hil::memory_source(made.bytes);
  const hil::Bundle bundle(*source);
  context.result(describe_bundle(bundle),
                 summary(bundle, made.bytes.size()) +
                     fmt::format("written to {}\n", options.out.string()) +
                     (bundle.signature().empty()
                          ? "boards outside lab mode want it signed: `adze bundle sign`\n"
                          : ""));
}

void keygen(const BundleOptions& options, Context& context) {
  const fs::path secret = options.out.empty() ? default_signing_key() : options.out;
  if (secret.extension() == ".pub")
    throw Error(ADZE_INVALID_ARGUMENT, "'" + secret.string() +
                                           "' is a name for the public key; give -o the name of "
                                           "the secret one");
  const fs::path shared = fs::path(secret).replace_extension(".pub");
  const hil::KeyPair pair = hil::make_key_pair();
  hil::save_key_pair(pair, secret, shared);
  context.result({{"secret_key", secret.string()},
                  {"public_key", shared.string()},
                  {"fingerprint", fingerprint(pair.public_key)}},
                 fmt::format("key {}\n  secret: {} (signs; nobody else may have it)\n  public: {} "
                             "(copy it to /etc/adze/trusted of each board)\n",
                             fingerprint(pair.public_key), secret.string(), shared.string()));
}

void sign(const BundleOptions& options, Context& context) {
  const fs::path out = options.out.empty() ? options.bundle : options.out;
  require_bundle_name(out);
  const hil::SecretKey key = hil::load_secret_key(signing_key(options));
  const auto source = hil::file_source(options.bundle);
  const hil::Bundle bundle(*source);
  const std::vector<std::byte> bytes = hil::sign_bundle(bundle, key);
  write_file(out, bytes);
  const std::string by = fingerprint(hil::public_key_of(key));
  context.result(
      {{"bundle", bundle.id()}, {"file", out.string()}, {"fingerprint", by}},
      fmt::format("{}: bundle {} signed by key {}\n", out.string(), bundle.id().substr(0, 12), by));
}

hil::Trust trust_of(const BundleOptions& options) {
  hil::Trust trust;
  if (!options.trusted.empty()) {
    trust.keys = hil::load_trusted_keys(options.trusted);
    if (trust.keys.empty())
      throw Error(ADZE_NOT_FOUND, "'" + options.trusted.string() +
                                      "' is no folder with *.pub files, so nobody is trusted; "
                                      "name one, or one key with --public-key");
  }
  if (!options.public_key.empty())
    trust.keys[options.public_key.stem().string()] = hil::load_public_key(options.public_key);
  return trust;
}

void verify(const BundleOptions& options, Context& context) {
  const hil::Trust trust = trust_of(options);
  const auto source = hil::file_source(options.bundle);
  const hil::Bundle bundle(*source);
  bundle.verify();
  json document = describe_bundle(bundle);
  std::string text = summary(bundle, source->size()) + "contents are whole";
  document["signed_by"] = nullptr;
  if (!trust.keys.empty()) {
    const std::string signer = bundle.signed_by(trust);
    document["signed_by"] = signer;
    text += "; signed by " + signer + "\n";
  } else {
    text += bundle.signature().empty()
                ? "; not signed\n"
                : "; the signature was not checked (give --trusted or --public-key)\n";
  }
  context.result(document, text);
}

void add_make(CLI::App& group, Context& context, const std::shared_ptr<BundleOptions>& options) {
  auto* command = group.add_subcommand("make", "Compile a model into a bundle");
  command->add_option("model", options->model, "ONNX file");
  command->add_option("-o,--output", options->out, "The .adze file");
  command->add_option("--backend", options->request.backend, "Backend component")
      ->capture_default_str();
  command->add_option("--board-type", options->request.board_type, "Board type")
      ->capture_default_str();
  command->add_option("--batch", options->request.batch, "Samples in one inference")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--set", options->request.settings, "Arguments of the backend: name=value");
  command->add_option("--smoke", options->smoke,
                      "TOML file with a [data] table: its first samples are the smoke test "
                      "(default: noise)");
  add_calibration_options(*command, options->calibration);
  command->add_flag("--sign", options->sign, "Sign with ~/.config/adze/signing.key");
  command->add_option("--key", options->key, "Sign with this secret key");
  command->callback([options, &context] { make(*options, context); });
}

}  // namespace

void add_bundle(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("bundle", "Make, sign and check what is flashed");
  group->require_subcommand(1);
  const auto options = std::make_shared<BundleOptions>();
  add_make(*group, context, options);

  auto* checking = group->add_subcommand("verify", "Check a bundle's structure, hashes, signature");
  checking->add_option("bundle", options->bundle, "The .adze file")->required();
  checking->add_option("--trusted", options->trusted,
                       "Folder of *.pub files, one of which must have signed");
  checking->add_option("--public-key", options->public_key, "The key that must have signed");
  checking->callback([options, &context] { verify(*options, context); });

  auto* signing = group->add_subcommand("sign", "Sign a bundle, or sign it anew");
  signing->add_option("bundle", options->bundle, "The .adze file")->required();
  signing->add_option("--key", options->key, "Secret key (default: ~/.config/adze/signing.key)");
  signing->add_option("-o,--output", options->out, "Write there (default: the same file)");
  signing->callback([options, &context] { sign(*options, context); });

  auto* making_keys = group->add_subcommand("keygen", "Make a pair of keys to sign bundles with");
  making_keys->add_option("-o,--output", options->out,
                          "The secret key; the public one beside it ends in .pub (default: "
                          "~/.config/adze/signing.key)");
  making_keys->callback([options, &context] { keygen(*options, context); });
}

}  // namespace adze::host
