// adze-agent: serves a board on a local socket, or on standard input and output.
#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <list>
#include <thread>

#include "hil/agent/agent.hpp"
#include "hil/link/socket_link.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace {

using namespace adze;
using namespace adze::hil;

constexpr std::size_t kMaxClients = 16;
std::atomic<bool> stop = false;

constexpr char kHelp[] =
    "adze-agent: serves a board\n"
    "  --listen unix:PATH | --stdio   where clients come from\n"
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
    "  --simulated                    this is no hardware: say so everywhere\n";

struct CommandLine {
  AgentOptions agent;
  std::string listen, lab_file = "/etc/adze/lab";
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

CommandLine parse(int argc, char** argv) {
  CommandLine line;
  AgentOptions& agent = line.agent;
  agent.version = ADZE_VERSION;
  agent.worker.program = host::installation_root() / "bin" / "adze-worker";
  agent.trusted_keys = "/etc/adze/trusted";
  static const option kOptions[] = {{"listen", required_argument, nullptr, 'l'},
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
                                    {"help", no_argument, nullptr, 'h'},
                                    {nullptr, 0, nullptr, 0}};
  for (int found = 0; (found = ::getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
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
      case 'h':
        std::fputs(kHelp, stdout);
        std::exit(0);
      default:
        usage("bad option");
    }
  }
  if (optind < argc) usage(std::string("'") + argv[optind] + "' is no option");
  if (line.stdio == !line.listen.empty()) usage("give either --listen or --stdio");
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
  if (line.listen.rfind("unix:", 0) != 0 && !line.stdio)
    usage("--listen takes unix:PATH; boards elsewhere are reached through ssh and --stdio");
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

void listen(Agent& agent, const std::string& path) {
  UnixListener listener(path);
  std::fprintf(stderr, "adze-agent: board %s (%s%s) listens at %s\n", agent.options().board.c_str(),
               agent.options().board_type.c_str(), agent.options().simulated ? ", simulated" : "",
               path.c_str());
  std::list<Client> clients;
  while (!stop) {
    auto link = listener.accept(host::after_ms(200));
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
}

void serve_stdio(Agent& agent) {
  SocketLink link(OwnedFd{0}, OwnedFd{1}, "stdio");
  while (!stop && agent.serve(link, stop) == Agent::Ended::out_of_step) link.reset();
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
    Agent agent(line.agent);
    if (line.stdio)
      serve_stdio(agent);
    else
      listen(agent, line.listen.substr(5));
    return 0;
  } catch (const host::Error& error) {
    std::fprintf(stderr, "adze-agent: %s\n", error.what());
    return static_cast<int>(error.exit());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "adze-agent: %s\n", error.what());
    return static_cast<int>(host::Exit::internal);
  }
}
