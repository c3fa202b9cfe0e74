#include "plugins/tensor_exec/chain.hpp"

#include <algorithm>
#include <array>

#include "plugins/tensor_exec/rows.hpp"

namespace adze::exec {
namespace {

constexpr std::int64_t kBlock = 512;  ///< elements

class ChainKernel final : public Kernel {
 public:
  ChainKernel(Chain chain, std::int64_t count) : chain_(std::move(chain)), count_(count) {}
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      chain_.apply(src + begin, dst + begin, end - begin);
    });
  }

 private:
  Chain chain_;
  std::int64_t count_;
};

}  // namespace

Chain::Chain(std::span<const Site> sites) : rounding_(sites.front().program.rounding) {
  for (const Site& site : sites) {
    Link link;
    link.function = check_node(site).row(site);
    link.a = operand(site, 0, sites);
    link.b = site.has_input(1) ? operand(site, 1, sites) : link.a;
    if (&site != &sites.back()) link.quant = site.quant8(site.output);
    links_.push_back(std::move(link));
  }
  result_ = sites.back().output;
}

Chain::Operand Chain::operand(const Site& site, std::size_t input, std::span<const Site> sites) {
  const std::uint32_t value = site.input(input);
  for (std::size_t i = 0; i < links_.size(); ++i)
    if (sites[i].output == value) return {Operand::Kind::link, i};
  if (site.value(value).is_constant()) {
    numbers_.emplace_back(static_cast<std::size_t>(kBlock), site.program.floats(value).front());
    return {Operand::Kind::number, numbers_.size() - 1};
  }
  source_ = value;
  return {};
}

void Chain::apply(const float* src, float* dst, std::int64_t count) const {
  auto* results = reinterpret_cast<float*>(
      thread_scratch(links_.size() * static_cast<std::size_t>(kBlock) * sizeof(float)));
  std::array<std::uint8_t, kBlock> rounded;
  for (std::int64_t at = 0; at < count; at += kBlock) {
    const std::int64_t length = std::min(kBlock, count - at);
    const auto place = [&](const Operand& operand) -> const float* {
      if (operand.kind == Operand::Kind::source) return src + at;
      return operand.kind == Operand::Kind::number
                 ? numbers_[operand.index].data()
                 : results + static_cast<std::int64_t>(operand.index) * kBlock;
    };
    for (std::size_t i = 0; i < links_.size(); ++i) {
      const Link& link = links_[i];
      float* to =
          i + 1 == links_.size() ? dst + at : results + static_cast<std::int64_t>(i) * kBlock;
      link.function(place(link.a), place(link.b), to, length);
      if (!link.quant) continue;
      quantize_row(to, static_cast<std::size_t>(length), *link.quant, rounding_, rounded.data());
      dequantize_row(rounded.data(), static_cast<std::size_t>(length), *link.quant, to);
    }
  }
}

Table Chain::table(const Quant8& from, const Quant8& to) const {
  Table table{};
  std::array<float, 256> floats;
  for (std::size_t q = 0; q < table.size(); ++q)
    floats[q] = dequantize(static_cast<std::uint8_t>(q), from);
  apply(floats.data(), floats.data(), static_cast<std::int64_t>(floats.size()));
  quantize_row(floats.data(), floats.size(), to, rounding_, table.data());
  return table;
}

Planned plan_chain(std::span<const Site> sites) {
  const Site& first = sites.front();
  Chain chain(sites);
  const std::uint32_t input = chain.source(), output = chain.result();
  const Layout layout = first.existing_layout(input);
  const std::int64_t count = element_count(first.shape(output));
  const auto from = first.quant8(input), to = first.quant8(output);
  const Storage storage = from && to ? Storage::u8 : Storage::f32;
  Planned planned;
  planned.inputs = {{input, {storage, layout}}};
  planned.outputs = {{output, {storage, layout}}};
  if (from && to)
    planned.kernel = make_lookup(chain.table(*from, *to), count);
  else
    planned.kernel = std::make_unique<ChainKernel>(std::move(chain), count);
  return planned;
}

}  // namespace adze::exec
