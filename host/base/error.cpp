#include "host/base/error.hpp"

namespace adze::host {

const char* status_name(adze_status status) {
  static constexpr const char* kNames[] = {"ok",
                                           "cancelled",
                                           "unknown",
                                           "invalid argument",
                                           "deadline exceeded",
                                           "not found",
                                           "already exists",
                                           "permission denied",
                                           "resource exhausted",
                                           "failed precondition",
                                           "aborted",
                                           "out of range",
                                           "unimplemented",
                                           "internal",
                                           "unavailable",
                                           "data loss",
                                           "unauthenticated"};
  return status >= 0 && status < static_cast<adze_status>(std::size(kNames)) ? kNames[status]
                                                                             : "unknown";
}

}  // namespace adze::host
