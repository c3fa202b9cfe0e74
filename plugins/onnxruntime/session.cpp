#include "plugins/onnxruntime/session.hpp"

#include <adze/adze.hpp>
#include <algorithm>
#include <array>

namespace adze::ort {
namespace {

constexpr std::array<ElementType, 13> kElementTypes = {{{1, ADZE_FLOAT, 32},
                                                        {2, ADZE_UINT, 8},
                                                        {3, ADZE_INT, 8},
                                                        {4, ADZE_UINT, 16},
                                                        {5, ADZE_INT, 16},
                                                        {6, ADZE_INT, 32},
                                                        {7, ADZE_INT, 64},
                                                        {9, ADZE_BOOL, 8},
                                                        {10, ADZE_FLOAT, 16},
                                                        {11, ADZE_FLOAT, 64},
                                                        {12, ADZE_UINT, 32},
                                                        {13, ADZE_UINT, 64},
                                                        {16, ADZE_BFLOAT, 16}}};

// Everything it has to say comes back as a status too.
constexpr int kLogNothingButFatal = 4;

Shape shape_from(const Api& api, const void* tensor_info) {
  std::size_t rank = 0;
  api.call(Slot::dimension_count, tensor_info, &rank);
  Shape shape(rank);
  if (rank) api.call(Slot::dimensions, tensor_info, shape.data(), rank);
  return shape;
}

std::string name_from(const Api& api, Slot slot, void* session, std::size_t index) {
  void* allocator = nullptr;
  char* name = nullptr;
  api.call(Slot::default_allocator, &allocator);
  api.call(slot, session, index, allocator, &name);
  const std::string kept = name;
  api.call(Slot::free_with_allocator, allocator, static_cast<void*>(name));
  return kept;
}

}  // namespace

const ElementType* element_type_of_onnx(std::int32_t onnx) {
  const auto found = std::ranges::find(kElementTypes, onnx, &ElementType::onnx);
  return found != kElementTypes.end() ? &*found : nullptr;
}

const ElementType* element_type_of(std::uint8_t code, std::uint8_t bits) {
  const auto found = std::ranges::find_if(kElementTypes, [&](const ElementType& type) {
    return type.code == code && type.bits == bits;
  });
  return found != kElementTypes.end() ? &*found : nullptr;
}

Result::Result(const Api& api, Owned value, const std::string& name) : value_(std::move(value)) {
  int is_tensor = 0;
  if (value_.get()) api.call(Slot::is_tensor, value_.get(), &is_tensor);
  if (!is_tensor)
    throw Error(ADZE_UNIMPLEMENTED, "output '" + name + "' is no tensor but a list or a map");
  Owned info(api, Slot::release_tensor_info);
  api.call(Slot::get_tensor_info, value_.get(), info.out());
  shape_ = shape_from(api, info.get());
  api.call(Slot::element_type, info.get(), &onnx_type_);
  void* data = nullptr;
  api.call(Slot::get_data, value_.get(), &data);
  data_ = data;
}

Owned Session::prepared(const SessionOptions& options) {
  Owned made(api_, Slot::release_session_options);
  api_.call(Slot::create_env, kLogNothingButFatal, "adze", env_.out());
  api_.call(Slot::create_cpu_memory, 0, 0, memory_.out());
  api_.call(Slot::create_session_options, made.out());
  api_.call(Slot::set_intra_op_threads, made.get(), options.threads);
  api_.call(Slot::set_inter_op_threads, made.get(), 1);
  api_.call(Slot::set_graph_optimization_level, made.get(), static_cast<int>(options.optimization));
  // Without VNNI its u8 x s8 kernels add pairs of products in saturating 16 bits and give wrong
  // sums; this makes it shift the weights to u8 there, which is exact.
  api_.call(Slot::add_session_config_entry, made.get(), "session.x64quantprecision", "1");
  return made;
}

Session::Session(Api api, std::span<const std::uint8_t> model, const SessionOptions& options)
    : api_(std::move(api)),
      env_(api_, Slot::release_env),
      session_(api_, Slot::release_session),
      memory_(api_, Slot::release_memory) {
  const Owned prepared_options = prepared(options);
  api_.call(Slot::create_session_from_array, env_.get(), model.data(), model.size(),
            prepared_options.get(), session_.out());
  describe();
}

Session::Session(Api api, const std::filesystem::path& model, const SessionOptions& options)
    : api_(std::move(api)),
      env_(api_, Slot::release_env),
      session_(api_, Slot::release_session),
      memory_(api_, Slot::release_memory) {
  const Owned prepared_options = prepared(options);
  api_.call(Slot::create_session, env_.get(), model.c_str(), prepared_options.get(),
            session_.out());
  describe();
}

Session::~Session() = default;

void Session::describe() {
  std::size_t count = 0;
  api_.call(Slot::input_count, session_.get(), &count);
  for (std::size_t i = 0; i < count; ++i) {
    Input& input = inputs_.emplace_back();
    input.name = name_from(api_, Slot::input_name, session_.get(), i);
    Owned type(api_, Slot::release_type);
    api_.call(Slot::input_type, session_.get(), i, type.out());
    const void* info = nullptr;
    api_.call(Slot::cast_to_tensor_info, type.get(), &info);
    if (!info) continue;
    api_.call(Slot::element_type, info, &input.onnx_type);
    input.shape = shape_from(api_, info);
  }
  api_.call(Slot::output_count, session_.get(), &count);
  for (std::size_t i = 0; i < count; ++i)
    outputs_.push_back(name_from(api_, Slot::output_name, session_.get(), i));
}

std::vector<Result> Session::run(std::span<const TensorView> inputs) const {
  if (inputs.size() != inputs_.size())
    throw Error(ADZE_INVALID_ARGUMENT, "the model has " + std::to_string(inputs_.size()) +
                                           " inputs, " + std::to_string(inputs.size()) +
                                           " were given");
  static constexpr char kNothing = 0;  // a tensor of no elements still needs an address
  std::vector<Owned> given, made;
  std::vector<const char*> input_names, output_names;
  std::vector<const void*> values;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Owned& value = given.emplace_back(api_, Slot::release_value);
    const void* data = inputs[i].data ? inputs[i].data : &kNothing;
    // The function takes no pointer to const, but inputs are only read.
    api_.call(Slot::create_tensor, memory_.get(), const_cast<void*>(data), inputs[i].size_bytes,
              inputs[i].shape.data(), inputs[i].shape.size(), static_cast<int>(inputs[i].onnx_type),
              value.out());
    values.push_back(value.get());
    input_names.push_back(inputs_[i].name.c_str());
  }
  for (const std::string& name : outputs_) output_names.push_back(name.c_str());
  std::vector<void*> results(outputs_.size(), nullptr);
  api_.call(Slot::run, session_.get(), static_cast<const void*>(nullptr),
            static_cast<const char* const*>(input_names.data()),
            static_cast<const void* const*>(values.data()), values.size(),
            static_cast<const char* const*>(output_names.data()), output_names.size(),
            results.data());
  for (void* result : results) *made.emplace_back(api_, Slot::release_value).out() = result;
  std::vector<Result> described;
  for (std::size_t i = 0; i < made.size(); ++i)
    described.emplace_back(api_, std::move(made[i]), outputs_[i]);
  return described;
}

}  // namespace adze::ort
