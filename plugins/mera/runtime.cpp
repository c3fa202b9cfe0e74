#include "plugins/mera/runtime.hpp"

#include <MeraDrpRuntimeWrapper.h>

#include <adze/adze.hpp>
#include <mutex>
#include <tuple>

namespace adze::mera {
namespace {

/// The driver answers EBUSY to a second inference.
std::mutex& engine() {
  static std::mutex made;
  return made;
}

ElementType type_of(InOutDataType type) {
  return type == InOutDataType::FLOAT32   ? ElementType::f32
         : type == InOutDataType::FLOAT16 ? ElementType::f16
         : type == InOutDataType::INT64   ? ElementType::i64
                                          : ElementType::other;
}

// Releases differ in whether loading reports success and whether a clock can be chosen.
template <class W>
bool load_model(W& wrapper, const std::string& folder, std::uint64_t start_address) {
  using Address = std::conditional_t < requires { wrapper.LoadModel(folder, std::uint64_t{0}); }
  , std::uint64_t, std::uint32_t > ;
  const auto address = static_cast<Address>(start_address);
  if constexpr (std::is_same_v<decltype(wrapper.LoadModel(folder, address)), bool>)
    return wrapper.LoadModel(folder, address);
  else
    wrapper.LoadModel(folder, address);
  return true;
}

[[noreturn]] void no_clocks() {
  throw Error(ADZE_UNIMPLEMENTED,
              "freq_index: the vendor's runtime of this board cannot change the clock; leave it 0");
}

template <class W>
void run_model(W& wrapper, int freq_index) {
  if (freq_index == 0) {
    wrapper.Run();
  } else if constexpr (requires { wrapper.Run(freq_index); }) {
    wrapper.Run(freq_index);
  } else {
    no_clocks();
  }
}

template <class W>
void profile_model(W& wrapper, const std::string& table, const std::string& csv, int freq_index) {
  if (freq_index == 0) {
    wrapper.ProfileRun(table, csv);
  } else if constexpr (requires { wrapper.ProfileRun(table, csv, freq_index); }) {
    wrapper.ProfileRun(table, csv, freq_index);
  } else {
    no_clocks();
  }
}

}  // namespace

struct Runtime::Wrapper {
  mutable MeraDrpRuntimeWrapper vendor;
};

Runtime::Runtime(const std::filesystem::path& folder, std::uint64_t start_address)
    : wrapper_(std::make_unique<Wrapper>()) {
  const std::lock_guard lock(engine());
  if (!load_model(wrapper_->vendor, folder.string(), start_address))
    throw Error(ADZE_DATA_LOSS, "the vendor's runtime does not load '" + folder.string() +
                                    "'; was it compiled for this part and runtime version?");
}

Runtime::~Runtime() = default;

ElementType Runtime::input_type(int index) const {
  return type_of(wrapper_->vendor.GetInputDataType(index));
}

void Runtime::set_input(int index, const void* data) {
  if (input_type(index) == ElementType::f16)
    wrapper_->vendor.SetInput(index, static_cast<const unsigned short*>(data));
  else
    wrapper_->vendor.SetInput(index, static_cast<const float*>(data));
}

void Runtime::run(int freq_index) {
  const std::lock_guard lock(engine());
  run_model(wrapper_->vendor, freq_index);
}

int Runtime::output_count() const { return wrapper_->vendor.GetNumOutput(); }

Output Runtime::output(int index) const {
  const auto [type, data, count] = wrapper_->vendor.GetOutput(index);
  return {type_of(type), data, static_cast<std::int64_t>(count)};
}

void Runtime::profile(const std::filesystem::path& table, const std::filesystem::path& csv,
                      int freq_index) {
  const std::lock_guard lock(engine());
  profile_model(wrapper_->vendor, table.string(), csv.string(), freq_index);
}

}  // namespace adze::mera
