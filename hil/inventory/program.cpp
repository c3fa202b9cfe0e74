#include "hil/inventory/program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "host/base/error.hpp"

namespace adze::hil {

Program::Program(const std::vector<std::string>& arguments, const std::string& what) {
  std::vector<std::string> copies = arguments;
  std::vector<char*> pointers;
  for (std::string& argument : copies) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC))
    throw host::Error(ADZE_RESOURCE_EXHAUSTED,
                      std::string("cannot make a pipe: ") + std::strerror(errno));
  output_ = host::OwnedFd(ends[0]);
  const host::OwnedFd theirs(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 2);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int failed =
      ::posix_spawnp(&pid_, pointers[0], &actions, &attributes, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (failed) {
    pid_ = -1;
    throw host::Error(ADZE_NOT_FOUND, "cannot start the " + what + " '" + arguments.at(0) +
                                          "': " + std::strerror(failed));
  }
  ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
}

Program::~Program() { kill(); }

std::optional<int> Program::ended() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, WNOHANG) != 0) status_ = status;
  return status_;
}

void Program::kill() {
  if (pid_ < 0 || ended()) return;
  ::kill(-pid_, SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  status_ = status;
}

}  // namespace adze::hil
