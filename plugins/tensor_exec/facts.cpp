#include "plugins/tensor_exec/facts.hpp"

namespace adze::exec {

const adze_property* Facts::find(const char* name) const {
  for (std::uint32_t i = 0; target_ && i < target_->fact_count; ++i)
    if (std::string_view(target_->facts[i]->name) == name) return target_->facts[i];
  return nullptr;
}

double Facts::number(const char* name, double fallback) const {
  const adze_property* fact = find(name);
  if (fact && fact->count == 1 && fact->f64) return *fact->f64;
  if (fact && fact->count == 1 && fact->i64) return static_cast<double>(*fact->i64);
  return fallback;
}

bool Facts::flag(const char* name, bool fallback) const {
  const adze_property* fact = find(name);
  return fact && fact->count == 1 && fact->i64 ? *fact->i64 != 0 : fallback;
}

std::string Facts::text(const char* name, const std::string& fallback) const {
  const adze_property* fact = find(name);
  return fact && fact->count == 1 && fact->text ? *fact->text : fallback;
}

std::vector<std::string> Facts::texts(const char* name) const {
  const adze_property* fact = find(name);
  if (!fact || !fact->text) return {};
  return {fact->text, fact->text + fact->count};
}

}  // namespace adze::exec
