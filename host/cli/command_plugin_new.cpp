// adze plugin new: a folder with a working plugin of one's own, from the SDK's templates.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "host/base/file.hpp"
#include "host/base/text.hpp"
#include "host/cli/command.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;
using Files = std::map<fs::path, std::string>;  // relative path: contents

struct PluginNewOptions {
  std::string kind, name, language = "c", id, vendor = "Example";
  fs::path folder;
};

/// Folders of templates/: common/<language> and <kind>/<language> make one plugin together.
fs::path template_folder() { return installation_root() / "share/adze/templates"; }

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

template <std::size_t count>
bool is_among(std::string_view name, const std::array<std::string_view, count>& names) {
  return std::ranges::find(names, name) != names.end();
}

/// Why no plugin can be called so, whatever the language; "": it can.
std::string fault_of(std::string_view name) {
  constexpr std::size_t kMostCharacters = 64;
  static constexpr auto kRust = std::to_array<std::string_view>(
      {"abstract",   "alloc",   "as",    "async",  "await", "become", "box",      "break",
       "const",      "core",    "crate", "do",     "dyn",   "else",   "enum",     "extern",
       "false",      "final",   "fn",    "for",    "if",    "impl",   "in",       "let",
       "loop",       "macro",   "match", "mod",    "move",  "mut",    "override", "priv",
       "proc_macro", "pub",     "ref",   "return", "self",  "static", "std",      "struct",
       "super",      "trait",   "true",  "try",    "type",  "typeof", "unsafe",   "unsized",
       "use",        "virtual", "where", "while",  "yield"});
  static constexpr auto kTargets =
      std::to_array<std::string_view>({"all", "check", "clean", "depend", "edit_cache", "help",
                                       "install", "list_install_components", "package",
                                       "package_source", "preinstall", "rebuild_cache", "test"});
  if (name.empty()) return "it is empty";
  if (name.size() > kMostCharacters)
    return fmt::format("it has {} bytes, more than {}", name.size(), kMostCharacters);
  if (!std::ranges::all_of(name, [](char c) { return c == '_' || is_lower_or_digit(c); }))
    return "write lower case letters from a to z, digits and '_' only";
  if (name[0] < 'a' || name[0] > 'z') return "it does not begin with a letter";
  if (name == "adze") return "the SDK's own headers, Rust module and CMake targets are called so";
  if (is_among(name, kRust)) return "it is a word of Rust, in which nothing can be called so";
  if (is_among(name, kTargets)) return "it is the name of a target that each build has";
  return "";
}

void check_name(const std::string& name, const std::string& kind) {
  constexpr std::size_t kShownBytes = 80;
  if (const std::string fault = fault_of(name); !fault.empty())
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("'{}' cannot be the name of a plugin: {}; take one like my_{}",
                            one_line(name, kShownBytes), fault, kind));
}

/// As the host will read it when it loads the plugin (rule D03).
void check_id(const std::string& id) {
  const bool plain = std::ranges::all_of(
      id, [](char c) { return c == '.' || c == '-' || c == '_' || is_lower_or_digit(c); });
  if (!plain || id.size() > 128 || id.find('.') == std::string::npos || id.starts_with('.') ||
      id.ends_with('.') || id.find("..") != std::string::npos)
    throw Error(
        ADZE_INVALID_ARGUMENT,
        fmt::format("--id '{}' is not in reverse DNS; write something like org.example.mine", id));
  if (id.starts_with("adze."))
    throw Error(
        ADZE_INVALID_ARGUMENT,
        fmt::format("--id '{}': ids that begin with 'adze.' are for Adze's own plugins", id));
}

/// It will stand between quotation marks in C, C++ and Rust.
void check_vendor(const std::string& vendor) {
  const bool plain = std::ranges::all_of(vendor, [](char c) {
    return static_cast<unsigned char>(c) >= ' ' && c != 127 && c != '"' && c != '\\';
  });
  if (vendor.empty() || vendor.size() > 128 || !plain ||
      !nlohmann::json::accept('"' + vendor + '"'))
    throw Error(ADZE_INVALID_ARGUMENT,
                "--vendor: write a name in UTF-8 without quotation marks and backslashes");
}

/// Names of the folders in `folder`, sorted; "common" is none.
std::vector<std::string> folders_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder, missing))
    if (entry.is_directory() && entry.path().filename() != "common")
      names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

void check_choice(const std::string& what, const std::string& chosen, const fs::path& folder) {
  const std::vector<std::string> known = folders_in(folder);
  if (known.empty())
    throw Error(ADZE_NOT_FOUND,
                fmt::format("no templates in '{}'; install the package adze-sdk", folder.string()));
  if (std::ranges::find(known, chosen) == known.end())
    throw Error(ADZE_INVALID_ARGUMENT, fmt::format("there is no template for {} '{}', but for: {}",
                                                   what, chosen, fmt::join(known, ", ")));
}

void add_files(const fs::path& folder, Files& files) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    fs::path path = entry.path().lexically_relative(folder);
    // As a template it must not tell git what to leave out.
    if (path.filename() == "gitignore") path.replace_filename(".gitignore");
    files[path] = read_text_file(entry.path());
  }
}

/// Each @WORD@ once, from left to right: what is put in is not looked at again.
std::string filled_in(const std::string& text, const std::map<std::string, std::string>& words) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t first = text.find('@', at);
    const std::size_t last = first == std::string::npos ? first : text.find('@', first + 1);
    const auto word =
        last == std::string::npos ? words.end() : words.find(text.substr(first, last - first + 1));
    if (word == words.end()) {
      const std::size_t end = first == std::string::npos ? text.size() : first + 1;
      result += text.substr(at, end - at);
      at = end;
    } else {
      result += text.substr(at, first - at) + word->second;
      at = last + 1;
    }
  }
  return result;
}

void require_empty(const fs::path& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (!fs::exists(status)) return;
  if (!fs::is_directory(status) || !fs::is_empty(folder))
    throw Error(ADZE_ALREADY_EXISTS,
                fmt::format("'{}' exists and is no empty folder; name another one with --dir",
                            folder.string()));
}

/// All files or none: a half-written plugin would be refused as a folder the next time.
void write_all(const fs::path& folder, const Files& files) {
  std::vector<fs::path> written;
  try {
    for (const auto& [path, text] : files) {
      write_file(folder / path, text);
      written.push_back(folder / path);
    }
  } catch (...) {
    std::error_code ignored;
    for (const fs::path& path : written) fs::remove(path, ignored);
    throw;
  }
}

void make_plugin(PluginNewOptions options, Context& context) {
  const fs::path templates = template_folder();
  check_choice("kind", options.kind, templates);
  check_name(options.name, options.kind);
  if (options.id.empty()) options.id = "org.example." + options.name;
  if (options.folder.empty()) options.folder = options.name;
  check_id(options.id);
  check_vendor(options.vendor);
  check_choice("language", options.language, templates / options.kind);
  require_empty(options.folder);

  std::map<std::string, std::string> words = {{"@NAME@", options.name},
                                              {"@ID@", options.id},
                                              {"@VENDOR@", options.vendor},
                                              {"@KIND@", options.kind}};
  words["@USE@"] = filled_in(read_text_file(templates / options.kind / "use.md"), words);
  Files files;
  add_files(templates / "common" / options.language, files);
  add_files(templates / options.kind / options.language, files);
  nlohmann::json paths = nlohmann::json::array();
  for (auto& [path, text] : files) {
    text = filled_in(text, words);
    paths.push_back(path.string());
  }
  write_all(options.folder, files);
  context.result({{"kind", options.kind},
                  {"name", options.name},
                  {"language", options.language},
                  {"id", options.id},
                  {"folder", options.folder.string()},
                  {"files", paths}},
                 fmt::format("{}: a {} in {}, {} files; {} says how to build, check and use it\n",
                             options.folder.string(), options.kind, options.language, files.size(),
                             (options.folder / "README.md").string()));
}

}  // namespace

void add_plugin_new(CLI::App& group, Context& context) {
  auto* command = group.add_subcommand("new", "Start a plugin of your own from a template");
  const auto options = std::make_shared<PluginNewOptions>();
  command->add_option("kind", options->kind, "pruner, quantizer or backend")->required();
  command->add_option("name", options->name, "In snake_case; the plugin is NAME.so")->required();
  command->add_option("--lang", options->language, "c, c++ or rust")->capture_default_str();
  command->add_option("--dir", options->folder, "Folder to make (default: NAME)");
  command->add_option("--id", options->id, "In reverse DNS (default: org.example.NAME)");
  command->add_option("--vendor", options->vendor, "Who makes it")->capture_default_str();
  command->callback([options, &context] { make_plugin(*options, context); });
}

}  // namespace adze::host
