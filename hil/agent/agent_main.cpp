// adze-agent: serves a board on USB, on a local socket, on loopback, or on standard input and
// output.
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <list>
#include <mutex>
#include <sstream>
#include <thread>

#include "hil/agent/agent.hpp"
#include "hil/agent/usb/functionfs.hpp"
#include "hil/link/tcp_link.hpp"
#include "hil/link/token.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace {

using namespace adze;
using namespace adze::hil;

constexpr std::size_t kMaxClients = 16;
std::atomic<bool> stop = false;

constexpr char kHelp[] =
    "adze-agent: serves a board\n"
    "  --listen ADDRESS               where clients come from: unix:PATH, or tcp:127.0.0.1:PORT\n"
    "                                 (loopback only; port 0: any), which wants --token-file\n"
    "  --usb DIR                      clients on USB, where `adze-gadget` mounted FunctionFS\n"
    "  --usb-serial, --usb-id, --usb-controller VALUE\n"
    "                                 for `adze-gadget`, which reads the configuration too\n"
    "  --stdio                        one client, on standard input and output, as ssh starts it;\n"
    "                                 hands it to the agent that listens at --listen, if one does\n"
    "  --token-file FILE              the secret that TCP clients must show; mode 0600\n"
    "  --config FILE                  lines `option value`, as here without the dashes; what the\n"
    "                                 command line says comes first (default "
    "/etc/adze/agent.conf)\n"
    "  --root DIR                     where bundles are kept\n"
    "  --board-id ID                  name of the board\n"
    "  --board-type TYPE              such as rzv2h\n"
    "  --plugin FILE                  backend plugin that runs bundles (default: the vendor's\n"
    "                                 runtime, lib/adze/plugins/adze_mera.so of the installation)\n"
    "  --component ID                 its component (default: adze.mera)\n"
    "  --set NAME=VALUE               an argument of the component; may be repeated\n"
    "  --threads N                    the most threads it may keep busy (default 1)\n"
    "  --worker FILE                  adze-worker (default: beside this program)\n"
    "  --trusted DIR                  public keys of signers (default /etc/adze/trusted)\n"
    "  --lab-file FILE                lab mode, where unsigned bundles are taken too, is on while\n"
    "                                 root has this file (default /etc/adze/lab)\n"
    "  --lab                          lab mode without the file; with --simulated only\n"
    "  --simulated                    this is no hardware: say so everywhere\n"
    "  --pace predicted|MS[:SPREAD]   simulated: how long an inference takes at least\n"
    "  --fault NAME[=VALUE]           simulated: what goes wrong; may be repeated\n";

constexpr const char* kConfigFile = "/etc/adze/agent.conf";
/// Set in the environment of an agent that started itself anew.
constexpr const char* kRestarted = "ADZE_AGENT_RESTARTED";
constexpr std::int64_t kSliceMs = 200, kRelayMs = 30'000, kTakeOverMs = 5'000;

struct CommandLine {
  AgentOptions agent;
  std::string listen, lab_file = "/etc/adze/lab";
  std::filesystem::path token_file, usb;
  bool stdio = false;
};

[[noreturn]] void usage(const std::string& why) {
  throw host::Error(ADZE_INVALID_ARGUMENT, why + "; see adze-agent --help");
}

/// Whoever can make the file could replace the agent as well.
bool is_lab(const std::string& file) {
  struct stat found {};
  if (::lstat(file.c_str(), &found)) return false;
  if (S_ISREG(found.st_mode) && found.st_uid == 0 && !(found.st_mode & 0022)) return true;
  std::fprintf(stderr,
               "adze-agent: '%s' does not turn lab mode on: it must be a regular file that belongs "
               "to root and that nobody else can write\n",
               file.c_str());
  return false;
}

std::uint32_t thread_count(const char* text) {
  char* end = nullptr;
  const unsigned long count = std::strtoul(text, &end, 10);
  if (*end || count < 1 || count > 1024)
    usage(std::string("--threads wants 1 to 1024, not ") + text);
  return static_cast<std::uint32_t>(count);
}

/// The options of a file as a command line has them.
std::vector<std::string> options_in(const std::filesystem::path& file) {
  std::vector<std::string> arguments;
  std::istringstream text(host::read_text_file(file, 1u << 20));
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string name, value;
    words >> name;
    if (name.empty() || name.front() == '#') continue;
    std::getline(words >> std::ws, value);
    arguments.push_back("--" + name);
    if (!value.empty()) arguments.push_back(value);
  }
  return arguments;
}

/// Those of the configuration come first, so that the command line's win.
std::vector<std::string> all_arguments(int argc, char** argv) {
  std::vector<std::string> given(argv + 1, argv + argc), all{argv[0]};
  std::filesystem::path config = kConfigFile;
  bool wanted = false;
  for (std::size_t i = 0; i + 1 < given.size(); ++i)
    if (given[i] == "--config") config = given[i + 1], wanted = true;
  if (wanted || std::filesystem::exists(config)) {
    const std::vector<std::string> more = options_in(config);
    all.insert(all.end(), more.begin(), more.end());
  }
  all.insert(all.end(), given.begin(), given.end());
  return all;
}

CommandLine parse(int given_count, char** given) {
  CommandLine line;
  AgentOptions& agent = line.agent;
  agent.version = ADZE_VERSION;
  agent.worker.program = host::installation_root() / "bin" / "adze-worker";
  agent.trusted_keys = "/etc/adze/trusted";
  std::vector<std::string> arguments = all_arguments(given_count, given);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  const int argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  static const option kOptions[] = {{"listen", required_argument, nullptr, 'l'},
                                    {"usb", required_argument, nullptr, 'u'},
                                    {"usb-serial", required_argument, nullptr, 'G'},
                                    {"usb-id", required_argument, nullptr, 'G'},
                                    {"usb-controller", required_argument, nullptr, 'G'},
                                    {"stdio", no_argument, nullptr, 'i'},
                                    {"root", required_argument, nullptr, 'r'},
                                    {"board-id", required_argument, nullptr, 'b'},
                                    {"board-type", required_argument, nullptr, 't'},
                                    {"plugin", required_argument, nullptr, 'p'},
                                    {"component", required_argument, nullptr, 'c'},
                                    {"set", required_argument, nullptr, 's'},
                                    {"threads", required_argument, nullptr, 'n'},
                                    {"worker", required_argument, nullptr, 'w'},
                                    {"trusted", required_argument, nullptr, 'k'},
                                    {"lab-file", required_argument, nullptr, 'f'},
                                    {"lab", no_argument, nullptr, 'L'},
                                    {"simulated", no_argument, nullptr, 'S'},
                                    {"token-file", required_argument, nullptr, 'T'},
                                    {"config", required_argument, nullptr, 'C'},
                                    {"pace", required_argument, nullptr, 'P'},
                                    {"fault", required_argument, nullptr, 'F'},
                                    {"help", no_argument, nullptr, 'h'},
                                    {nullptr, 0, nullptr, 0}};
  for (int found = 0; (found = ::getopt_long(argc, argv.data(), "", kOptions, nullptr)) != -1;) {
    switch (found) {
      case 'l':
        line.listen = optarg;
        break;
      case 'i':
        line.stdio = true;
        break;
      case 'r':
        agent.root = optarg;
        break;
      case 'b':
        agent.board = optarg;
        break;
      case 't':
        agent.board_type = optarg;
        break;
      case 'p':
        agent.worker.plugin = optarg;
        break;
      case 'c':
        agent.worker.component = optarg;
        break;
      case 's':
        agent.worker.settings.emplace_back(optarg);
        break;
      case 'n':
        agent.worker.threads = thread_count(optarg);
        break;
      case 'w':
        agent.worker.program = optarg;
        break;
      case 'k':
        agent.trusted_keys = optarg;
        break;
      case 'f':
        line.lab_file = optarg;
        break;
      case 'L':
        agent.lab = true;
        break;
      case 'S':
        agent.simulated = true;
        break;
      case 'T':
        line.token_file = optarg;
        break;
      case 'u':
        line.usb = optarg;
        break;
      case 'C':
      case 'G':
        break;
      case 'P':
        agent.pace = parse_pace(optarg);
        break;
      case 'F':
        add_fault(agent.faults, optarg);
        agent.faulty = true;
        break;
      case 'h':
        std::fputs(kHelp, stdout);
        std::exit(0);
      default:
        usage("bad option");
    }
  }
  if (optind < argc)
    usage(std::string("'") + argv[static_cast<std::size_t>(optind)] + "' is no option");
  if (!line.stdio && line.listen.empty() && line.usb.empty())
    usage("give --listen, --usb or --stdio");
  if (agent.worker.plugin.empty() && agent.worker.component.empty()) {
    agent.worker.plugin = host::installation_root() / "lib/adze/plugins/adze_mera.so";
    agent.worker.component = "adze.mera";
    if (!std::filesystem::exists(agent.worker.plugin))
      usage("there is no '" + agent.worker.plugin.string() +
            "': build it with ADZE_DRPAI_TVM_ROOT, or name a --plugin and its --component");
  }
  if (agent.root.empty() || agent.board.empty() || agent.board_type.empty() ||
      agent.worker.plugin.empty() || agent.worker.component.empty())
    usage("--root, --board-id, --board-type, --plugin and --component are needed");
  const bool tcp = line.listen.starts_with("tcp:");
  if (!line.listen.empty() && !tcp && !line.listen.starts_with("unix:"))
    usage(
        "--listen takes unix:PATH or tcp:127.0.0.1:PORT; boards elsewhere are reached through "
        "ssh and --stdio");
  if (tcp && line.token_file.empty()) usage("--listen tcp: wants --token-file");
  if ((agent.faulty || agent.pace.any()) && !agent.simulated)
    usage("--fault and --pace are for boards that are --simulated");
  if (agent.lab && !agent.simulated)
    usage("--lab is for simulated boards; on hardware root makes the file " + line.lab_file);
  agent.lab = agent.lab || is_lab(line.lab_file);
  agent.root = std::filesystem::absolute(agent.root);
  return line;
}

struct Client {
  std::unique_ptr<Link> link;
  std::atomic<bool> ended = false;
  std::thread thread;
};

std::vector<std::unique_ptr<Listener>> open_listeners(const CommandLine& line) {
  std::vector<std::unique_ptr<Listener>> listeners;
  const std::string where = line.listen.substr(line.listen.find(':') + 1);
  if (line.listen.starts_with("unix:")) {
    listeners.push_back(std::make_unique<UnixListener>(where));
  } else if (!line.listen.empty()) {
    listeners.push_back(std::make_unique<TcpListener>(where, load_token(line.token_file)));
  }
  if (!line.usb.empty()) listeners.push_back(open_gadget(line.usb));
  return listeners;
}

void listen(Agent& agent, Listener& listener) {
  std::fprintf(stderr, "adze-agent: board %s (%s%s) listens at %s\n", agent.options().board.c_str(),
               agent.options().board_type.c_str(), agent.options().simulated ? ", simulated" : "",
               listener.name().c_str());
  std::list<Client> clients;
  std::exception_ptr failure;
  while (!stop) {
    std::unique_ptr<Link> link;
    try {
      link = listener.accept(host::after_ms(200));
    } catch (const host::Error&) {
      failure = std::current_exception();
      stop = true;  // for the clients
    }
    for (auto client = clients.begin(); client != clients.end();) {
      if (!client->ended) {
        ++client;
        continue;
      }
      client->thread.join();
      client = clients.erase(client);
    }
    if (!link || clients.size() >= kMaxClients) continue;
    Client& client = clients.emplace_back();
    client.link = std::move(link);
    client.thread = std::thread([&agent, &client] {
      // Whatever ended it, the connection is of no more use: closing it tells the client.
      agent.serve(*client.link, stop);
      client.link.reset();
      client.ended = true;
    });
  }
  for (Client& client : clients) client.thread.join();
  if (failure) std::rethrow_exception(failure);
}

/// A listener that fails ends the agent.
void listen_at_all(Agent& agent, const CommandLine& line) {
  const auto listeners = open_listeners(line);
  std::mutex mutex;
  std::exception_ptr failure;
  std::vector<std::thread> threads;
  for (const auto& listener : listeners)
    threads.emplace_back([&, &listener = *listener] {
      try {
        listen(agent, listener);
      } catch (...) {
        const std::lock_guard lock(mutex);
        failure = std::current_exception();
        stop = true;
      }
    });
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

/// Hands bytes over until one side closes.
void relay(Link& here, Link& there) {
  std::atomic<bool> ended = false;
  const auto copy = [&ended](Link& from, Link& to) {
    std::vector<std::byte> piece(1 << 16);
    while (!ended && !stop) {
      try {
        const std::size_t got = from.read(piece, host::after_ms(kSliceMs));
        to.write(std::span(piece).first(got), host::after_ms(kRelayMs));
      } catch (const host::RigError& error) {
        if (error.code != ADZE_DEADLINE_EXCEEDED) ended = true;
      }
    }
  };
  std::thread answers([&] { copy(there, here); });
  copy(here, there);
  answers.join();
}

/// The agent of a client that is gone may need a moment to end.
std::unique_ptr<Agent> open_agent(const AgentOptions& options) {
  const Deadline end = host::after_ms(kTakeOverMs);
  for (;;) {
    try {
      return std::make_unique<Agent>(options);
    } catch (const host::Error& error) {
      if (error.code != ADZE_ALREADY_EXISTS || host::remaining_ms(end) == 0) throw;
      ::usleep(50'000);
    }
  }
}

void serve_stdio(const CommandLine& line) {
  SocketLink link(OwnedFd{0}, OwnedFd{1}, "stdio");
  if (line.listen.starts_with("unix:")) {
    std::unique_ptr<Link> daemon;
    try {
      daemon = connect_unix(line.listen.substr(5), line.listen, host::after_ms(kRelayMs));
    } catch (const host::RigError&) {
    }
    if (daemon) return relay(link, *daemon);
  }
  const auto agent = open_agent(line.agent);
  while (!stop && agent->serve(link, stop) == Agent::Ended::out_of_step) link.reset();
}

/// As after a power cycle: nothing is left of this process but its slots.
void restart(char** argv) {
  ::setenv(kRestarted, "1", 1);
  ::execv("/proc/self/exe", argv);
  std::_Exit(static_cast<int>(host::Exit::internal));
}

}  // namespace

int main(int argc, char** argv) {
  struct sigaction action {};
  action.sa_handler = [](int) { stop = true; };
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  try {
    CommandLine line = parse(argc, argv);
    if (std::getenv(kRestarted)) line.agent.faults.reboot_at.reset();
    if (line.stdio) {
      serve_stdio(line);
      return 0;
    }
    line.agent.reboot = [argv] { restart(argv); };
    Agent agent(line.agent);
    listen_at_all(agent, line);
    return 0;
  } catch (const host::Error& error) {
    std::fprintf(stderr, "adze-agent: %s\n", error.what());
    return static_cast<int>(error.exit());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "adze-agent: %s\n", error.what());
    return static_cast<int>(host::Exit::internal);
  }
}
