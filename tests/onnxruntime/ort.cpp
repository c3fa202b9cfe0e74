#include "tests/onnxruntime/ort.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <stdexcept>

namespace adze::testing {
namespace {

// Places in ONNX Runtime's function table, which is only ever appended to; all of these are part of
// version 1 of it.
enum class Slot : std::size_t {
  get_error_message = 2,
  create_env = 3,
  create_session = 7,
  run = 9,
  create_session_options = 10,
  set_graph_optimization_level = 23,
  set_intra_op_threads = 24,
  set_inter_op_threads = 25,
  input_count = 30,
  output_count = 31,
  input_name = 36,
  output_name = 37,
  create_tensor = 49,
  get_data = 51,
  dimension_count = 61,
  dimensions = 62,
  get_tensor_info = 65,
  create_cpu_memory = 69,
  free_with_allocator = 76,
  default_allocator = 78,
  release_env = 92,
  release_status = 93,
  release_memory = 94,
  release_session = 95,
  release_value = 96,
  release_tensor_info = 99,
  release_session_options = 100,
  add_session_config_entry = 130,
};

constexpr int kAllOptimizations = 99, kWarnings = 2, kFloat = 1;

struct ApiBase {
  const void* (*get_api)(std::uint32_t version);
  const char* (*version)();
};

}  // namespace

struct OrtSession::Impl {
  void* library = nullptr;
  const ApiBase* base = nullptr;
  void* const* table = nullptr;
  void *env = nullptr, *options = nullptr, *session = nullptr, *memory = nullptr;
  std::vector<std::string> input_names, output_names;

  template <class... Arguments>
  void call(Slot slot, Arguments... arguments) const {
    using Function = void* (*)(Arguments...);
    void* status = reinterpret_cast<Function>(table[static_cast<std::size_t>(slot)])(arguments...);
    if (!status) return;
    using Message = const char* (*)(void*);
    const auto message =
        reinterpret_cast<Message>(table[static_cast<std::size_t>(Slot::get_error_message)]);
    const std::string text = message(status);
    release(Slot::release_status, status);
    throw std::runtime_error("ONNX Runtime: " + text);
  }

  void release(Slot slot, void* object) const {
    using Function = void (*)(void*);
    if (object) reinterpret_cast<Function>(table[static_cast<std::size_t>(slot)])(object);
  }

  std::vector<std::string> names(Slot count_slot, Slot name_slot) const {
    std::size_t count = 0;
    call(count_slot, session, &count);
    void* allocator = nullptr;
    call(Slot::default_allocator, &allocator);
    std::vector<std::string> result;
    for (std::size_t i = 0; i < count; ++i) {
      char* name = nullptr;
      call(name_slot, session, i, allocator, &name);
      result.emplace_back(name);
      call(Slot::free_with_allocator, allocator, static_cast<void*>(name));
    }
    return result;
  }

  ~Impl() {
    if (!table) return;
    release(Slot::release_memory, memory);
    release(Slot::release_session, session);
    release(Slot::release_session_options, options);
    release(Slot::release_env, env);
    // The library keeps threads and is never unloaded.
  }
};

OrtSession::OrtSession(const std::filesystem::path& library, const std::filesystem::path& model,
                       int threads)
    : impl_(std::make_unique<Impl>()) {
  Impl& ort = *impl_;
  ort.library = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!ort.library) throw std::runtime_error(dlerror());
  using GetBase = const ApiBase* (*)();
  const auto get_base = reinterpret_cast<GetBase>(dlsym(ort.library, "OrtGetApiBase"));
  if (!get_base) throw std::runtime_error(library.string() + " is not ONNX Runtime");
  ort.base = get_base();
  ort.table = static_cast<void* const*>(ort.base->get_api(1));
  ort.call(Slot::create_env, kWarnings, "adze", &ort.env);
  ort.call(Slot::create_session_options, &ort.options);
  ort.call(Slot::set_intra_op_threads, ort.options, threads);
  ort.call(Slot::set_inter_op_threads, ort.options, 1);
  ort.call(Slot::set_graph_optimization_level, ort.options, kAllOptimizations);
  // Without VNNI its u8 x s8 kernels add pairs of products in saturating 16 bits and give wrong
  // sums; this makes it shift the weights to u8 there, which is exact.
  ort.call(Slot::add_session_config_entry, ort.options, "session.x64quantprecision", "1");
  ort.call(Slot::create_session, ort.env, model.c_str(), ort.options, &ort.session);
  ort.call(Slot::create_cpu_memory, 0, 0, &ort.memory);
  ort.input_names = ort.names(Slot::input_count, Slot::input_name);
  ort.output_names = ort.names(Slot::output_count, Slot::output_name);
}

OrtSession::~OrtSession() = default;

std::string OrtSession::version() const { return impl_->base->version(); }

std::vector<OrtSession::Tensor> OrtSession::run(std::span<const Tensor> inputs) {
  const Impl& ort = *impl_;
  if (inputs.size() != ort.input_names.size())
    throw std::runtime_error("the model has " + std::to_string(ort.input_names.size()) + " inputs");
  std::vector<const char*> input_names, output_names;
  for (const std::string& name : ort.input_names) input_names.push_back(name.c_str());
  for (const std::string& name : ort.output_names) output_names.push_back(name.c_str());
  std::vector<void*> given, made(output_names.size(), nullptr);
  const auto release_all = [&] {
    for (void* value : given) ort.release(Slot::release_value, value);
    for (void* value : made) ort.release(Slot::release_value, value);
  };
  try {
    for (const Tensor& input : inputs) {
      void* value = nullptr;
      // The function takes no pointer to const, but inputs are only read.
      ort.call(Slot::create_tensor, ort.memory,
               static_cast<void*>(const_cast<float*>(input.elements.data())),
               input.elements.size() * sizeof(float), input.shape.data(), input.shape.size(),
               kFloat, &value);
      given.push_back(value);
    }
    ort.call(Slot::run, ort.session, static_cast<void*>(nullptr),
             static_cast<const char* const*>(input_names.data()),
             static_cast<void* const*>(given.data()), given.size(),
             static_cast<const char* const*>(output_names.data()), output_names.size(),
             made.data());
    std::vector<Tensor> outputs;
    for (void* value : made) {
      void *info = nullptr, *data = nullptr;
      std::size_t rank = 0;
      ort.call(Slot::get_tensor_info, value, &info);
      ort.call(Slot::dimension_count, info, &rank);
      Tensor output{std::vector<std::int64_t>(rank), {}};
      ort.call(Slot::dimensions, info, output.shape.data(), rank);
      ort.release(Slot::release_tensor_info, info);
      ort.call(Slot::get_data, value, &data);
      std::size_t count = 1;
      for (const std::int64_t size : output.shape) count *= static_cast<std::size_t>(size);
      const auto* elements = static_cast<const float*>(data);
      output.elements.assign(elements, elements + count);
      outputs.push_back(std::move(output));
    }
    release_all();
    return outputs;
  } catch (...) {
    release_all();
    throw;
  }
}

std::optional<std::filesystem::path> ort_library() {
  const char* path = std::getenv("ADZE_ONNXRUNTIME");
  if (!path || !*path) return std::nullopt;
  return path;
}

}  // namespace adze::testing
