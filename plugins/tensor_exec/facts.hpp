// The target's description, looked up by name.
#pragma once

#include <adze/adze.hpp>
#include <string>
#include <vector>

namespace adze::exec {

class Facts {
 public:
  /// `target` may be NULL: then there are no facts.
  explicit Facts(const adze_target* target) : target_(target) {}

  bool has(const char* name) const { return find(name) != nullptr; }
  double number(const char* name, double fallback) const;
  bool flag(const char* name, bool fallback) const;
  std::string text(const char* name, const std::string& fallback) const;
  std::vector<std::string> texts(const char* name) const;  ///< empty when there are none

 private:
  const adze_property* find(const char* name) const;
  const adze_target* target_;
};

}  // namespace adze::exec
