// An sshd of the test's own: own configuration, own keys, loopback only, nothing of the user's.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>

#include "tests/integration/boards/sim_board.hpp"

namespace adze::hil::test {

inline int free_port() {
  const host::OwnedFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

class SshDaemon {
 public:
  static bool can_run() { return ::access("/usr/sbin/sshd", X_OK) == 0; }

  /// Whatever a client asks for, `command` runs.
  SshDaemon(const std::filesystem::path& folder, const std::string& command)
      : folder_(folder), port_(free_port()) {
    std::filesystem::create_directories(folder_);
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
    for (const char* key : {"host_key", "user_key"})
      adze::test::run_program(
          {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", (folder_ / key).string()});
    std::filesystem::copy_file(folder_ / "user_key.pub", folder_ / "authorized_keys");
    if (::geteuid() == 0) std::filesystem::create_directories("/run/sshd");
    std::ofstream(folder_ / "sshd_config")
        << "ListenAddress 127.0.0.1\nPort " << port_ << "\nHostKey "
        << (folder_ / "host_key").string() << "\nAuthorizedKeysFile "
        << (folder_ / "authorized_keys").string()
        << "\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin "
           "prohibit-password\nPidFile none\nForceCommand "
        << command << "\n";
    std::ifstream host_key(folder_ / "host_key.pub");
    std::string type, key;
    host_key >> type >> key;
    std::ofstream(folder_ / "known_hosts")
        << "[127.0.0.1]:" << port_ << " " << type << " " << key << "\n";
    std::ofstream(folder_ / "ssh_config")
        << "Host lab\n  HostName 127.0.0.1\n  Port " << port_ << "\n  IdentityFile "
        << (folder_ / "user_key").string() << "\n  IdentitiesOnly yes\n  UserKnownHostsFile "
        << (folder_ / "known_hosts").string()
        << "\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n";
    daemon_.emplace(std::vector<std::string>{"/usr/sbin/sshd", "-D", "-e", "-f",
                                             (folder_ / "sshd_config").string()},
                    std::vector<std::string>{}, folder_ / "log");
    for (int i = 0; i < 500 && log().find("listening") == std::string::npos; ++i) ::usleep(10'000);
  }
  std::string config() const { return (folder_ / "ssh_config").string(); }
  std::string log() const {
    return std::filesystem::exists(folder_ / "log") ? host::read_text_file(folder_ / "log") : "";
  }

 private:
  std::filesystem::path folder_;
  int port_;
  std::optional<Started> daemon_;
};

/// `adze-agent --stdio` of an echo board, as one shell command.
inline std::string stdio_agent(const std::filesystem::path& root, const std::string& more = "") {
  const AgentOptions options = agent_options(root);
  return (binary_dir() / "bin/adze-agent").string() + " --stdio --root " + root.string() +
         " --board-id far --board-type rzv2h --worker " + options.worker.program.string() +
         " --plugin " + options.worker.plugin.string() +
         " --component test.echo --lab --simulated " + more;
}

}  // namespace adze::hil::test
