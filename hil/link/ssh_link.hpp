// A link through the ssh of this machine: nothing is needed on the board but its agent.
#pragma once

#include <sys/types.h>

#include "hil/link/socket_link.hpp"

namespace adze::hil {

/// `destination`: [USER@]HOST[:PORT], HOST perhaps an alias of the user's ssh configuration.
/// Returns as soon as ssh runs. Errors: INVALID_ARGUMENT for a destination that ssh could take for
/// an option or that has odd characters, NOT_FOUND without ssh.
std::unique_ptr<Link> open_ssh(const std::string& destination);

/// The arguments that are run, for messages and tests.
std::vector<std::string> ssh_arguments(const std::string& destination);

}  // namespace adze::hil
