#include "plugins/drpai_tvm/toolchain.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "plugins/drpai_tvm/failures.hpp"

namespace adze::drpai_tvm {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::chrono::seconds kProbeLimit{120};
constexpr const char* kMark = "adze-probe ";
constexpr Version kOldest{2, 2, 1}, kNewestKnown{2, 7, 0}, kTooNew{3, 0, 0};

/// Says what is there, in whatever environment it runs.
constexpr const char* kProbe = R"(
import json, os, subprocess, sys
names = ("TVM_ROOT", "TRANSLATOR", "QUANTIZER", "SDK", "PRODUCT")
values = {name: os.environ.get(name, "") for name in names}
root = values["TVM_ROOT"]
version = ""
try:
    version = open(os.path.join(root, "VERSION")).read().strip()
except OSError:
    try:
        version = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "describe", "--tags"],
                                 capture_output=True, text=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass
print("adze-probe " + json.dumps({
    "values": values,
    "folders": {name: os.path.isdir(values[name]) for name in names},
    "script": os.path.isfile(os.path.join(root, "tutorials", sys.argv[1])),
    "version": version if root else "",
}))
)";

/// Copies the scripts, so that what they leave behind lies in our folder, and puts all options of
/// the quantizer into the one --opts that counts.
constexpr const char* kCopy = R"(
import os, re, shutil, sys
target, opts = sys.argv[1:3]
shutil.copytree(os.path.join(os.environ["TVM_ROOT"], "tutorials"), target,
                ignore=shutil.ignore_patterns("temp", "__pycache__"))
name = os.path.join(target, "run_quantization_onnx.sh")
if opts:
    with open(name) as file:
        text = file.read()
    text, count = re.subn(r"--opts\s+exclude_act_func_dir\s+\S+", lambda _: "--opts " + opts, text)
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    if count != 1 or len(re.findall(r"--opts\b", code)) != 1:
        sys.exit("adze: run_quantization_onnx.sh sets its --opts in another way than known")
    with open(name, "w") as file:
        file.write(text)
)";

const json& member(const json& value, const char* key) {
  static const json none;
  const auto found = value.find(key);
  return found == value.end() ? none : *found;
}

std::string environment_of(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string joined(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : ",") + std::to_string(size);
  return text;
}

}  // namespace

std::string Version::text() const {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

std::optional<Version> parse_version(const std::string& text) {
  const std::size_t begin = text.find_first_of("0123456789");
  Version version;
  if (begin == std::string::npos || begin > 1 ||
      std::sscanf(text.c_str() + begin, "%4d.%4d.%4d", &version.major, &version.minor,
                  &version.patch) < 2)
    return std::nullopt;
  return version;
}

Toolchain::Toolchain(adze_call* call, const Settings& settings, fs::path work)
    : call_(call),
      settings_(settings),
      work_(std::move(work)),
      script_(settings.int8 ? "compile_onnx_model_quant.py" : "compile_onnx_model.py"),
      mounts_{work_} {
  const auto name = [&](const char* variable, const std::string& given) {
    // A container has an environment of its own.
    const std::string value =
        given.empty() && settings_.container.empty() ? environment_of(variable) : given;
    if (!value.empty()) environment_[variable] = value;
  };
  name("TVM_ROOT", settings.tvm_root);
  name("TRANSLATOR", settings.translator);
  name("QUANTIZER", settings.quantizer);
  name("SDK", settings.sdk);
  environment_["PRODUCT"] = settings.product;
  environment_["SPARSE_ENABLE"] = settings.sparse ? "true" : "false";
  environment_["PYTHONUNBUFFERED"] = "1";
  environment_["TVM_NUM_THREADS"] = std::to_string(call->threads);
  if (!settings.calibration.empty()) mounts_.emplace_back(settings.calibration);
  probe();
}

std::vector<std::string> Toolchain::in_environment(std::vector<std::string> arguments,
                                                   const fs::path& folder) {
  std::vector<std::string> made;
  if (settings_.container.empty()) {
    made = {"env"};
    for (const auto& [name, value] : environment_) made.push_back(name + "=" + value);
  } else {
    made = {settings_.container_program,
            "run",
            "--rm",
            "--init",
            "--name",
            "adze-" + std::to_string(::getpid()) + "-" + std::to_string(containers_),
            "--workdir",
            folder.string()};
    for (const fs::path& mount : mounts_)
      made.insert(made.end(), {"--volume", mount.string() + ":" + mount.string()});
    for (const auto& [name, value] : environment_)
      made.insert(made.end(), {"--env", name + "=" + value});
    made.push_back(settings_.container);
  }
  made.insert(made.end(), std::make_move_iterator(arguments.begin()),
              std::make_move_iterator(arguments.end()));
  return made;
}

Outcome Toolchain::run(const std::string& step, double fraction, std::vector<std::string> arguments,
                       const fs::path& folder) {
  ++containers_;
  const std::chrono::seconds limit = fraction > 0 ? settings_.time_limit : kProbeLimit;
  bool stopped = false;
  const Command command{in_environment(std::move(arguments), folder), folder};
  const Outcome outcome = run_command(command, log(), limit, [&](const std::string& line) {
    const std::string doing = line.empty() ? step : step + ": " + line.substr(0, 100);
    stopped = call_->host->progress(call_, fraction, doing.c_str()) != 0;
    return stopped;
  });
  if (!settings_.container.empty() && (stopped || outcome.timed_out)) {
    // What runs in the container is not a child of the program that started it.
    const std::string container =
        "adze-" + std::to_string(::getpid()) + "-" + std::to_string(containers_);
    run_command({{settings_.container_program, "kill", container}, folder}, log(),
                std::chrono::seconds(30), [](const std::string&) { return false; });
  }
  if (stopped) throw HostError{ADZE_CANCELLED};
  if (!outcome.ok()) throw failure_of(step, outcome, limit);
  return outcome;
}

void Toolchain::require_found(const std::map<std::string, std::string>& values,
                              const std::map<std::string, bool>& found, bool script) {
  const std::string where =
      settings_.container.empty() ? "" : " in the container '" + settings_.container + "'";
  std::vector<std::pair<const char*, const char*>> needed{
      {"TVM_ROOT", "tvm_root"}, {"TRANSLATOR", "translator"}, {"SDK", "sdk"}};
  if (settings_.int8) needed.emplace_back("QUANTIZER", "quantizer");
  for (const auto& [variable, parameter] : needed) {
    const std::string& value = values.at(variable);
    if (value.empty())
      throw Error(ADZE_UNAVAILABLE, std::string("DRP-AI TVM is not found") + where + ": set " +
                                        variable + " in the environment, or the parameter '" +
                                        parameter + "', to the folder it was installed in");
    if (!found.at(variable))
      throw Error(ADZE_NOT_FOUND, std::string(variable) + " names '" + value +
                                      "', which is no folder" + where +
                                      "; it is needed to compile for " + settings_.product);
  }
  if (!script)
    throw Error(ADZE_NOT_FOUND, "'" + values.at("TVM_ROOT") + "' has no tutorials/" + script_ +
                                    where + ", which compiles for " + settings_.product +
                                    "; is it DRP-AI TVM for this part?");
}

void Toolchain::probe() {
  const Outcome outcome =
      run("looking for it", 0, {settings_.python, "-c", kProbe, script_}, work_);
  const std::size_t at = outcome.output.rfind(kMark);
  const std::string line = at == std::string::npos
                               ? ""
                               : outcome.output.substr(at + std::char_traits<char>::length(kMark),
                                                       outcome.output.find('\n', at) - at -
                                                           std::char_traits<char>::length(kMark));
  const json answer = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object())
    throw Error(
        ADZE_FAILED_PRECONDITION,
        "'" + settings_.python + "' is no Python 3: it answered " + last_lines(outcome.output, 2));
  std::map<std::string, bool> folders;
  try {
    found_ = member(answer, "values").get<std::map<std::string, std::string>>();
    folders = member(answer, "folders").get<std::map<std::string, bool>>();
    require_found(found_, folders, member(answer, "script").get<bool>());
  } catch (const json::exception&) {
    throw Error(ADZE_FAILED_PRECONDITION, "'" + settings_.python + "' answered nonsense: " + line);
  }

  const json& told = member(answer, "version");
  const std::string text = !settings_.version.empty() ? settings_.version
                           : told.is_string()         ? told.get<std::string>()
                                                      : "";
  const auto version = parse_version(text);
  if (!version)
    throw Error(ADZE_FAILED_PRECONDITION,
                "the version of DRP-AI TVM in '" + found_["TVM_ROOT"] + "' is not known" +
                    (text.empty() ? "" : " ('" + text + "')") +
                    ": it is no checkout with tags; set 'version', such as 2.7.0");
  version_ = *version;
  if (version_ < kOldest || version_ >= kTooNew)
    throw Error(ADZE_FAILED_PRECONDITION, "DRP-AI TVM " + version_.text() +
                                              " is not supported: versions from " + kOldest.text() +
                                              " (which first uses pruning) and below " +
                                              kTooNew.text() + " are");
  if (version_ > kNewestKnown)
    call_->host->log(call_, ADZE_LOG_WARNING,
                     ("DRP-AI TVM " + version_.text() + " is newer than " + kNewestKnown.text() +
                      ", the latest whose files are known here")
                         .c_str());
}

void Toolchain::copy_scripts() {
  run("copying its scripts", 0,
      {settings_.python, "-c", kCopy, (work_ / "tutorials").string(),
       settings_.int8 ? settings_.quantizer_opts() : ""},
      work_);
}

fs::path Toolchain::compile(const CompileJob& job) {
  copy_scripts();
  const fs::path output = work_ / "compiled";
  std::vector<std::string> arguments{
      settings_.python, script_, job.model.string(),   "-o", output.string(),   "-t",
      found_["SDK"],    "-d",    found_["TRANSLATOR"], "-s", joined(job.shape), "-i",
      job.input};
  if (settings_.int8) {
    arguments.insert(arguments.end(), {"-c", found_["QUANTIZER"]});
    if (job.scales == Scales::own) {
      arguments.insert(arguments.end(), {"-a", "-m", "pytorch"});
    } else {
      arguments.insert(arguments.end(), {"--images", job.calibration.string()});
      const std::string options = settings_.quantizer_options();
      if (!options.empty()) arguments.insert(arguments.end(), {"-p", options});
    }
  }
  run("compiling for " + settings_.product, 0.1, std::move(arguments), work_ / "tutorials");
  return output;
}

std::optional<fs::path> Toolchain::intermediate(const std::string& name) const {
  std::optional<fs::path> newest;
  const fs::path folder = work_ / "tutorials" / "temp";
  std::error_code failed;
  for (fs::recursive_directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed))
    if (entry->path().filename() == name && entry->is_regular_file(failed) &&
        (!newest || entry->path() > *newest))  // folders are named by time
      newest = entry->path();
  return newest;
}

}  // namespace adze::drpai_tvm
