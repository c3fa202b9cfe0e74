// What a test needs of the machine: missing in CI is an error, elsewhere a reason to skip.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

#define ADZE_NEEDS(there, what)                                               \
  if (!(there)) {                                                             \
    if (std::getenv("CI")) FAIL() << what << " is missing: ci/setup.sh test"; \
    GTEST_SKIP() << what << " is missing: ci/setup.sh test";                  \
  }                                                                           \
  static_assert(true)
