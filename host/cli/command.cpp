#include "host/cli/command.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "host/base/file.hpp"
#include "host/base/log.hpp"
#include "host/cli/unknown_operators.hpp"
#include "host/graph/simplify.hpp"
#include "host/isolate/proxy.hpp"
#include "host/onnx/load_to_place.hpp"
#include "host/plugin/scan_cache.hpp"

namespace adze::host {

const Registry& Context::registry() {
  if (!registry_) {
    registry_ = std::make_unique<Registry>(RegistryOptions{.search = plugin_path,
                                                           .isolation = worker(),
                                                           .trust = trust,
                                                           .cache = default_cache_folder()});
    for (const RejectedPlugin& file : registry_->rejected())
      log(LogLevel::warning, "plugin '" + file.path.string() + "' left out: " + file.reason);
  }
  return *registry_;
}

Isolation Context::worker() const {
  return {.program = installation_root() / "bin" / "adze-worker",
          .tables = &worker_tables(),
          .limits = isolation};
}

std::uint32_t Context::thread_count() const {
  return threads ? threads : std::max(1u, std::thread::hardware_concurrency());
}

void Context::result(const nlohmann::json& document, const std::string& text) const {
  const std::string out = json ? document.dump(2) + "\n" : text;
  if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size() || std::fflush(stdout))
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                std::string("cannot write the result to standard output: ") + std::strerror(errno));
}

ProgressBar::ProgressBar(const Context& context, std::string step)
    : enabled_(context.verbose >= 0),
      terminal_(isatty(STDERR_FILENO) == 1),
      step_(std::move(step)) {
  if (enabled_ && !terminal_) std::fprintf(stderr, "%s ...\n", step_.c_str());
}

ProgressBar::~ProgressBar() {
  if (enabled_ && terminal_) std::fprintf(stderr, "\r\033[K");
}

void ProgressBar::update(double fraction, const std::string& doing) {
  const int percent = static_cast<int>(std::min(1.0, std::max(0.0, fraction)) * 100);
  if (!enabled_ || !terminal_ || percent == last_percent_) return;
  last_percent_ = percent;
  constexpr int kWidth = 30;
  const int filled = percent * kWidth / 100;
  std::fprintf(stderr, "\r\033[K%-28.28s [%s%s] %3d %% %.40s", step_.c_str(),
               std::string(static_cast<std::size_t>(filled), '#').c_str(),
               std::string(static_cast<std::size_t>(kWidth - filled), '.').c_str(), percent,
               doing.c_str());
}

Progress ProgressBar::callback() {
  return [this](double fraction, const std::string& doing) {
    update(fraction, doing);
    return false;
  };
}

Table::Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }

void Table::row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

std::string Table::str() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& cells : rows_)
    for (std::size_t i = 0; i < widths.size(); ++i)
      widths[i] = std::max(widths[i], cells[i].size());
  const auto is_number = [](const std::string& cell) {
    return !cell.empty() &&
           (std::isdigit(static_cast<unsigned char>(cell[0])) || cell[0] == '-' || cell[0] == '+');
  };
  // A column stands right when its first cell below the header is a number.
  std::string text;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string& cell = rows_[r][i];
      const std::string pad(widths[i] - cell.size(), ' ');
      const bool right = rows_.size() > 1 && is_number(rows_[1][i]);
      line += (i ? "  " : "") + (right ? pad + cell : cell + pad);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    if (r == 0) {
      std::size_t total = 2 * (widths.size() - 1);
      for (const std::size_t width : widths) total += width;
      text += std::string(total, '-') + "\n";
    }
  }
  return text;
}

namespace {

std::pair<std::string, Shape> parse_input_shape(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  const auto fail = [&] {
    throw Error(ADZE_INVALID_ARGUMENT,
                "--shape: '" + text + "' is no shape; write it like image=1x3x224x224");
  };
  if (equals == std::string::npos || equals == 0) fail();
  Shape shape;
  bool digits = false;
  for (const char c : text.substr(equals + 1) + "x") {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c != 'x' || !digits || shape.back() == 0)) fail();
    if (digit && !digits) shape.push_back(0);
    if (digit) shape.back() = std::min<std::int64_t>(shape.back() * 10 + (c - '0'), 1 << 30);
    digits = digit;
  }
  return {text.substr(0, equals), shape};
}

Graph load_with(decltype(load_model)& load, const std::filesystem::path& path,
                const std::vector<std::string>& shapes) {
  LoadOptions options;
  for (const std::string& text : shapes) options.input_shapes.insert(parse_input_shape(text));
  Graph graph = load(path, options);
  simplify(graph);
  return graph;
}

}  // namespace

Graph load_simplified(const std::filesystem::path& path, const std::vector<std::string>& shapes) {
  return load_with(load_model, path, shapes);
}

Graph load_to_place(const std::filesystem::path& path, const std::vector<std::string>& shapes) {
  return load_with(load_to_place, path, shapes);
}

}  // namespace adze::host
