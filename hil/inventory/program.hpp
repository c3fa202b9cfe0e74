// A program of the lab: started with its arguments as they are, never by a shell, and ended with
// all that it started.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "host/base/owned_fd.hpp"

namespace adze::hil {

class Program {
 public:
  /// `what`: "power hook", for messages. Errors: NOT_FOUND when it cannot be started,
  /// RESOURCE_EXHAUSTED.
  Program(const std::vector<std::string>& arguments, const std::string& what);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  /// What it prints on both outputs; does not block. At its end when all who could print are gone.
  int output() const { return output_.get(); }
  /// The status of waitpid() once it ended.
  std::optional<int> ended();
  void kill();

 private:
  host::OwnedFd output_;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

}  // namespace adze::hil
