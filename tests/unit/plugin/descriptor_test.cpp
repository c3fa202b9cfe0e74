// What a plugin says about itself, when even the sizes of its structs are wrong.
#include "host/plugin/descriptor.hpp"

#include <adze/pruner.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

namespace adze::host {
namespace {

adze_status nothing(void*, adze_call*) noexcept { return ADZE_OK; }

/// A struct of `size` bytes, which it also says, and not one more: AddressSanitizer sees who reads
/// on.
template <class T>
std::unique_ptr<std::byte[]> cut(T whole, std::uint32_t size) {
  whole.struct_size = size;
  auto made = std::make_unique<std::byte[]>(size);
  std::memcpy(made.get(), &whole, std::min<std::size_t>(size, sizeof whole));
  return made;
}

template <class T>
const T* as(const std::unique_ptr<std::byte[]>& bytes) {
  return reinterpret_cast<const T*>(bytes.get());
}

std::string fault_of(std::uint32_t component_size, std::uint32_t pruner_size) {
  const auto pruner = cut(adze_pruner{0, 0, nothing}, pruner_size);
  adze_component whole{};
  whole.id = "org.example.cut";
  whole.doc = "Changes nothing.";
  whole.pruner = as<adze_pruner>(pruner);
  const auto component = cut(whole, component_size);
  const adze_component* const components[] = {as<adze_component>(component)};
  const adze_plugin plugin = {sizeof plugin, 0,         0, 1, "org.example", "1.0.0", "Example",
                              "Apache-2.0",  components};
  return descriptor_fault(&plugin, false);
}

TEST(Descriptor, whole_structs_are_faultless) {
  EXPECT_EQ(fault_of(sizeof(adze_component), sizeof(adze_pruner)), "");
  EXPECT_EQ(fault_of(sizeof(adze_component) + 8, sizeof(adze_pruner) + 64), "") << "newer ones";
}

TEST(Descriptor, a_component_that_ends_early_is_read_no_further) {
  for (const std::uint32_t size : {4u, 8u, 88u})
    EXPECT_THAT(fault_of(size, sizeof(adze_pruner)),
                testing::HasSubstr("adze_component.struct_size"));
}

TEST(Descriptor, a_table_that_ends_early_is_read_no_further) {
  for (const std::uint32_t size : {4u, 8u})
    EXPECT_THAT(fault_of(sizeof(adze_component), size),
                testing::HasSubstr("adze_pruner.struct_size is " + std::to_string(size)));
}

}  // namespace
}  // namespace adze::host
