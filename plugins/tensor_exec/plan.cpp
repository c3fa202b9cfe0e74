#include "plugins/tensor_exec/plan.hpp"

#include <algorithm>
#include <map>

#include "plugins/tensor_exec/chain.hpp"
#include "plugins/tensor_exec/convert.hpp"
#include "plugins/tensor_exec/strided_copy.hpp"

namespace adze::exec {
namespace {

class Planner {
 public:
  Planner(const Program& program, std::int64_t batch, const Options& options)
      : program_(program), options_(options) {
    plan_.batch = batch;
    layouts_.resize(program.values.size(), Layout::plain);
  }

  Plan make() {
    for (std::uint32_t i = 0; i < program_.inputs.size(); ++i) add_input(i);
    for (const Group& group : group_nodes(program_)) add_group(group);
    for (const auto* list : {&program_.outputs, &program_.extra_outputs})
      for (const std::uint32_t value : *list)
        plan_.reported.push_back(buffer_of(value, own_form(value)));
    allocate();
    return std::move(plan_);
  }

 private:
  Shape shape(std::uint32_t value) const {
    Shape sizes = program_.values[value].shape;
    const std::int32_t axis = program_.values[value].batch_axis;
    if (axis >= 0 && !program_.values[value].is_constant())
      sizes[static_cast<std::size_t>(axis)] *= plan_.batch;
    return sizes;
  }

  std::size_t element_bytes(std::uint32_t value, Storage storage) const {
    if (storage == Storage::u8) return 1;
    return storage == Storage::f32 ? sizeof(float) : size_of(program_.values[value].element_type());
  }

  /// How the value is held when nothing was asked of it: its own type.
  Form own_form(std::uint32_t value) const {
    const bool floats = program_.values[value].element_type() == DType::f32;
    return {floats ? Storage::f32 : Storage::native, Layout::plain};
  }

  std::size_t bytes_of(std::uint32_t value, Storage storage) const {
    return static_cast<std::size_t>(element_count(shape(value))) * element_bytes(value, storage);
  }

  std::size_t add_buffer(std::uint32_t value, Storage storage) {
    Buffer buffer;
    buffer.lifetime.bytes = bytes_of(value, storage);
    plan_.buffers.push_back(std::move(buffer));
    return plan_.buffers.size() - 1;
  }

  void know(std::uint32_t value, Form form, std::size_t buffer) {
    if (forms_[value].empty()) layouts_[value] = form.layout;
    forms_[value].emplace_back(form, buffer);
  }

  void add_conversion(std::unique_ptr<Kernel> kernel, std::size_t from, std::size_t to) {
    Step step;
    step.kernel = std::move(kernel);
    step.inputs = {from};
    step.outputs = {to};
    step.bytes = plan_.buffers[from].lifetime.bytes + plan_.buffers[to].lifetime.bytes;
    plan_.steps.push_back(std::move(step));
  }

  void add_input(std::uint32_t index) {
    const std::uint32_t value = program_.inputs[index];
    const std::size_t buffer = add_buffer(value, own_form(value).storage);
    plan_.buffers[buffer].kind = Buffer::Kind::input;
    plan_.buffers[buffer].input = index;
    know_result(value, own_form(value), buffer);
  }

  /// Takes up what an operator computed; quantizes it when the operator left that to the planner.
  void know_result(std::uint32_t value, Form form, std::size_t buffer) {
    const Value& whole = program_.values[value];
    if (!whole.quantization || form.storage == Storage::u8) return know(value, form, buffer);
    if (const auto quant8 = quant8_of(whole)) {
      const std::size_t to = add_buffer(value, Storage::u8);
      add_conversion(make_quantize(element_count(shape(value)), *quant8, program_.rounding), buffer,
                     to);
      return know(value, {Storage::u8, form.layout}, to);
    }
    if (form.layout != Layout::plain) {
      const std::size_t plain = add_buffer(value, Storage::f32);
      add_conversion(
          make_strided_copy(layout_change(shape(value), form.layout, Layout::plain, sizeof(float))),
          buffer, plain);
      buffer = plain;
    }
    const std::size_t to = add_buffer(value, Storage::f32);
    add_conversion(make_fake_quantize(shape(value), *whole.quantization, program_.rounding), buffer,
                   to);
    know(value, {Storage::f32, Layout::plain}, to);
  }

  std::size_t find(std::uint32_t value, Form form) const {
    const auto known = forms_.find(value);
    if (known != forms_.end())
      for (const auto& [existing, buffer] : known->second)
        if (existing == form) return buffer;
    return kNotFound;
  }

  std::size_t buffer_of(std::uint32_t value, Form want) {
    const Shape sizes = shape(value);
    if (layouts_coincide(sizes)) want.layout = Layout::plain;
    if (want.storage == Storage::native) want.storage = own_form(value).storage;
    if (const std::size_t found = find(value, want); found != kNotFound) return found;
    if (program_.values[value].is_constant()) return add_constant(value, want);

    const auto [have, given] = forms_.at(value).front();
    std::size_t source = given;
    if (have.layout != want.layout) {
      const Form between{have.storage, want.layout};
      source = find(value, between);
      if (source == kNotFound) {
        source = add_buffer(value, have.storage);
        add_conversion(make_strided_copy(layout_change(sizes, have.layout, want.layout,
                                                       element_bytes(value, have.storage))),
                       given, source);
        know(value, between, source);
      }
      if (between == want) return source;
    }
    if (have.storage == Storage::native) {
      const std::size_t floats = add_buffer(value, Storage::f32);
      add_conversion(
          make_cast(program_.values[value].element_type(), DType::f32, element_count(sizes)),
          source, floats);
      know(value, want, floats);
      return floats;
    }
    // Of floats, only values that are held as u8 exist in two storages.
    const Quant8 quant8 = quant8_of(program_.values[value]).value();
    const std::size_t to = add_buffer(value, want.storage);
    const std::int64_t count = element_count(sizes);
    add_conversion(want.storage == Storage::f32 ? make_dequantize(count, quant8)
                                                : make_quantize(count, quant8, program_.rounding),
                   source, to);
    know(value, want, to);
    return to;
  }

  std::size_t add_constant(std::uint32_t value, Form form) {
    const std::size_t index = add_buffer(value, form.storage);
    Buffer& buffer = plan_.buffers[index];
    buffer.kind = Buffer::Kind::constant;
    buffer.constant = AlignedBytes(buffer.lifetime.bytes);
    const Shape sizes = shape(value);
    if (form.storage == Storage::u8) {
      const std::int32_t offset = program_.values[value].quantization->is_signed ? 128 : 0;
      std::vector<std::byte> elements;
      for (const std::int64_t q : program_.integers(value))
        elements.push_back(static_cast<std::byte>(q + offset));
      layout_change(sizes, Layout::plain, form.layout, 1)
          .run(elements.data(), buffer.constant.data(), 1);
    } else {
      std::vector<float> floats;
      if (form.storage == Storage::f32) floats = program_.floats(value);
      const std::byte* elements = form.storage == Storage::f32
                                      ? reinterpret_cast<const std::byte*>(floats.data())
                                      : program_.values[value].constant.value().bytes.data();
      const std::size_t width = element_bytes(value, form.storage);
      if (sizes.empty())
        std::memcpy(buffer.constant.data(), elements, width);
      else
        layout_change(sizes, Layout::plain, form.layout, width)
            .run(elements, buffer.constant.data(), 1);
    }
    know(value, form, index);
    return index;
  }

  std::vector<Site> sites_of_chain(const Group& group) const {
    std::vector<Site> sites;
    for (std::size_t i = group.nodes.size() - group.chain; i < group.nodes.size(); ++i)
      sites.emplace_back(program_, group.nodes[i], plan_.batch, options_);
    return sites;
  }

  Planned plan_group(const Group& group) const {
    std::vector<Site> chain = sites_of_chain(group);
    if (group.chain == group.nodes.size()) {
      chain.front().existing_layouts = layouts_;
      return plan_chain(chain);
    }
    Site site(program_, group.nodes.front(), plan_.batch, options_);
    site.clamp = group.clamp;
    site.addend = group.addend;
    if (!chain.empty()) site.chain = std::make_shared<const Chain>(chain);
    site.output = program_.nodes[group.nodes.back()].outputs.front();
    site.existing_layouts = layouts_;
    return check_node(site).plan(site);
  }

  /// Packing weights leaves copies of them behind, of each layer of another size.
  void give_back_copies(const Group& group) {
    constexpr std::size_t kMany = 2 << 20;
    for (const std::uint32_t input : program_.nodes[group.nodes.front()].inputs)
      if (input != ADZE_NONE && program_.values[input].constant)
        packed_bytes_ += program_.values[input].constant->bytes.size();
    if (packed_bytes_ < kMany) return;
    packed_bytes_ = 0;
    give_back_freed_memory();
  }

  void add_group(const Group& group) {
    Planned planned = plan_group(group);
    give_back_copies(group);

    Step step;
    step.nodes = group.nodes;
    step.kernel = std::move(planned.kernel);
    for (const auto& [value, form] : planned.inputs) {
      step.inputs.push_back(buffer_of(value, form));
      step.bytes += bytes_of(value, form.storage);
    }
    for (auto& [value, form] : planned.outputs) {
      if (form.storage == Storage::native) form.storage = own_form(value).storage;
      step.outputs.push_back(add_buffer(value, form.storage));
      step.bytes += bytes_of(value, form.storage);
    }
    plan_.scratch_bytes = std::max(plan_.scratch_bytes, planned.scratch_bytes);
    const std::vector<std::size_t> results = step.outputs;
    plan_.steps.push_back(std::move(step));
    for (std::size_t i = 0; i < results.size(); ++i) {
      Form form = planned.outputs[i].form;
      if (layouts_coincide(shape(planned.outputs[i].value))) form.layout = Layout::plain;
      know_result(planned.outputs[i].value, form, results[i]);
    }
  }

  void allocate() {
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      for (const std::size_t buffer : plan_.steps[i].outputs) {
        plan_.buffers[buffer].lifetime.first = i;
        plan_.buffers[buffer].lifetime.last = i;
      }
      for (const std::size_t buffer : plan_.steps[i].inputs)
        plan_.buffers[buffer].lifetime.last = i;
    }
    for (const std::size_t buffer : plan_.reported)
      plan_.buffers[buffer].lifetime.last = plan_.steps.size();
    std::vector<Lifetime*> lifetimes;
    for (Buffer& buffer : plan_.buffers)
      if (buffer.kind == Buffer::Kind::arena) lifetimes.push_back(&buffer.lifetime);
    plan_.arena_bytes = place_in_arena(lifetimes);
  }

  static constexpr std::size_t kNotFound = ~std::size_t{0};
  const Program& program_;
  const Options& options_;
  Plan plan_;
  std::map<std::uint32_t, std::vector<std::pair<Form, std::size_t>>> forms_;
  std::vector<Layout> layouts_;
  std::size_t packed_bytes_ = 0;  ///< since memory was given back
};

}  // namespace

Plan make_plan(const Program& program, std::int64_t batch, const Options& options) {
  return Planner(program, batch, options).make();
}

}  // namespace adze::exec
