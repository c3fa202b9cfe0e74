// What a plugin says about itself, of any size and with any content, and the arguments that follow
// from it.
#include <cstdlib>

#include "host/abi/arguments.hpp"
#include "host/base/error.hpp"
#include "host/plugin/descriptor.hpp"
#include "tests/fuzz/program.hpp"

namespace {

using namespace adze::host;
using adze::fuzz::Program;

const char* id(Program& program) {
  const char* good[] = {"org.example.one", "org.example.two", "adze.cpu", "org", "1.0.0"};
  return program.one_in(2) ? program.input.PickValueInArray(good) : program.text();
}

const char* const* texts(Program& program) {
  if (program.one_in(2)) return nullptr;
  std::vector<const char*> all(program.below(4));
  for (const char*& text : all) do
      text = program.text();
    while (!text);
  all.push_back(nullptr);
  return program.copied(all);
}

const adze_param* params(Program& program, std::uint64_t& count) {
  count = program.below(4);
  if (count == 0 && program.one_in(4))
    count = program.number<std::uint64_t>() | 1ull << 32;  // a lie that can be seen
  if (program.one_in(8)) return nullptr;
  const std::uint32_t sizes[] = {sizeof(adze_param), sizeof(adze_param) + 8, 64, 0, 8, 1u << 20};
  const std::uint32_t size =
      program.one_in(4) ? program.input.PickValueInArray(sizes) : sizeof(adze_param);
  const std::uint64_t bytes = std::max<std::uint64_t>(size, 4) *
                              std::max<std::uint64_t>(1, std::min<std::uint64_t>(count, 64));
  auto* all = static_cast<char*>(program.block(std::min(bytes, adze::fuzz::kLargestBlock)));
  for (std::uint64_t i = 0;
       i < count && i < 64 && (i + 1) * std::max(4u, size) <= adze::fuzz::kLargestBlock; ++i) {
    adze_param made{};
    made.struct_size = size;
    made.type = program.one_in(16) ? program.number<std::uint32_t>() : 1 + program.below(5);
    made.flags = program.one_in(16) ? program.number<std::uint64_t>() : program.below(8);
    const char* names[] = {"alpha", "beta", "gamma_2", "Delta"};
    made.name = program.one_in(4) ? program.text() : program.input.PickValueInArray(names);
    made.doc = program.text();
    made.default_number = program.real();
    made.min = program.real();
    made.max = program.real();
    made.default_text = program.text();
    made.choices = texts(program);
    std::memcpy(all + i * size, &made, std::min<std::size_t>(sizeof made, std::max(4u, size)));
  }
  return reinterpret_cast<const adze_param*>(all);
}

template <class Table>
const Table* table(Program& program, bool wanted, Table contents) {
  return wanted != program.one_in(32) ? program.sized(contents) : nullptr;
}

const adze_component* component(Program& program) {
  if (program.one_in(32)) return nullptr;
  const auto work = [](void*, adze_call*) noexcept -> adze_status { return ADZE_OK; };
  adze_component made{};
  made.id = id(program);
  made.doc = program.text();
  made.params = params(program, made.param_count);
  made.needs = texts(program);
  made.targets = texts(program);
  const std::uint32_t kind = program.below(3);
  made.pruner = table<adze_pruner>(program, kind == 0, {0, 0, work});
  made.quantizer =
      table<adze_quantizer>(program, kind == 1, {0, 0, program.one_in(8) ? nullptr : +work});
  adze_backend backend{};
  backend.place = work;
  backend.compile = [](void*, adze_call*, const adze_compile*, void**) noexcept -> adze_status {
    return ADZE_OK;
  };
  backend.run = [](void*, adze_call*, const adze_tensor* const*,
                   std::uint64_t) noexcept -> adze_status { return ADZE_OK; };
  if (!program.one_in(8)) backend.release = [](void*) noexcept {};
  made.backend = table<adze_backend>(program, kind == 2, backend);
  return program.sized(made);
}

/// A component that was found faultless can be asked for its arguments.
void use(Program& program, const adze_component& component) {
  Settings settings;
  for (std::uint64_t i = 0; i < component.param_count; ++i) {
    const std::string name = param_at(component, i).name;
    try {
      if (program.one_in(2))
        settings[name] =
            parse_setting(component, name, program.input.ConsumeRandomLengthString(24));
    } catch (const Error& error) {
      if (error.code != ADZE_INVALID_ARGUMENT) std::abort();
    }
  }
  try {
    const Arguments arguments(component, settings);
    for (std::uint64_t i = 0; i < component.param_count; ++i)
      if (arguments.data()[i]->type != param_at(component, i).type) std::abort();
  } catch (const Error& error) {
    if (error.code != ADZE_INVALID_ARGUMENT) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Program program(data, size);
  adze_plugin made{};
  made.abi_minor = program.one_in(8) ? program.number<std::uint32_t>() : 0;
  made.required_minor = program.one_in(8) ? program.number<std::uint32_t>() : 0;
  made.id = id(program);
  made.version = program.one_in(4) ? program.text() : "1.0.0";
  made.vendor = program.one_in(8) ? program.text() : "Example";
  made.license = program.one_in(8) ? program.text() : "Apache-2.0";
  std::vector<const adze_component*> components(1 + program.below(3));
  for (const adze_component*& each : components) each = component(program);
  made.component_count = program.one_in(16) ? 0 : static_cast<std::uint32_t>(components.size());
  made.components = program.one_in(32) ? nullptr : program.copied(components);
  const adze_plugin* plugin = program.one_in(64) ? nullptr : program.sized(made);
  if (!descriptor_fault(plugin, program.one_in(2)).empty()) return 0;
  for (std::uint32_t i = 0; i < plugin->component_count; ++i) use(program, *plugin->components[i]);
  return 0;
}
