// D: what the plugin says about itself. The host refuses the same when it loads a plugin.
#include "host/plugin/descriptor.hpp"

#include <string>

#include "host/check/rule_checks.hpp"

namespace adze::host::check {

Finding descriptor_finding(Subject& subject, std::string_view rule) {
  const adze_plugin* plugin = subject.plugin();
  if (!plugin) return skipped("not loaded: " + subject.load().error);
  std::string text;
  for (const PluginFault& fault : descriptor_faults(plugin, subject.is_first_party()))
    if (fault.rule == rule) text += (text.empty() ? "" : "; ") + fault.text;
  return text.empty() ? passed() : failed(text);
}

Finding check_D01(Subject& subject) { return descriptor_finding(subject, "D01"); }
Finding check_D02(Subject& subject) { return descriptor_finding(subject, "D02"); }
Finding check_D03(Subject& subject) { return descriptor_finding(subject, "D03"); }
Finding check_D04(Subject& subject) { return descriptor_finding(subject, "D04"); }
Finding check_D05(Subject& subject) { return descriptor_finding(subject, "D05"); }
Finding check_D06(Subject& subject) { return descriptor_finding(subject, "D06"); }

}  // namespace adze::host::check
