#include "plugins/channel/weights.hpp"

#include <utility>

namespace channel {

std::vector<Remains> remains_of(const Model& model, const Leaving& leaving) {
  std::vector<Remains> remains;
  for (const ModelLayer& layer : model.layers)
    remains.push_back(
        {.columns = std::vector<std::uint8_t>(static_cast<std::size_t>(layer.layer.columns), 1),
         .rows = std::vector<std::uint8_t>(static_cast<std::size_t>(layer.layer.rows), 1),
         .keep = layer.keep,
         .moves_bias = layer.has_bias()});
  for (std::size_t g = 0; g < leaving.size(); ++g)
    for (const std::uint32_t channel : leaving[g]) {
      for (const Reading& reading : model.groups[g].readings)
        if (reading.layer != SIZE_MAX)
          for (const Eigen::Index column : reading.columns[channel])
            remains[reading.layer].columns[static_cast<std::size_t>(column)] = 0;
      for (const Writing& writing : model.groups[g].writings)
        for (const Eigen::Index row : writing.rows[channel])
          remains[writing.layer].rows[static_cast<std::size_t>(row)] = 0;
    }
  return remains;
}

Weights::Weights(adze_call* call, const Model& model)
    : call_(call), model_(model), start_(call->edit->mark(call)) {
  for (const ModelLayer& layer : model.layers) first_.push_back(layer.weight);
  now_ = first_;
}

void Weights::set(std::size_t layer, RowMatrix weight) {
  Eigen::MatrixXf stored = weight.cast<float>();
  stored.col(weight.cols() - 1) /= static_cast<float>(model_.layers[layer].layer.bias_factor);
  if (stored.allFinite()) now_[layer] = std::move(weight);
}

void Weights::clear(const std::vector<Remains>& remains) {
  for (std::size_t i = 0; i < now_.size(); ++i) {
    for (std::size_t column = 0; column < remains[i].columns.size(); ++column)
      if (!remains[i].columns[column]) now_[i].col(static_cast<Eigen::Index>(column)).setZero();
    for (std::size_t row = 0; row < remains[i].rows.size(); ++row)
      if (!remains[i].rows[row]) now_[i].row(static_cast<Eigen::Index>(row)).setZero();
  }
}

void Weights::hand_over() {
  adze::check(call_->edit->rewind(call_, start_));
  for (std::size_t i = 0; i < now_.size(); ++i) {
    const ModelLayer& shown = model_.layers[i];
    if (!shown.may_refit() || now_[i] == first_[i]) continue;
    const pruning::Layer& layer = shown.layer;
    std::vector<float> elements(static_cast<std::size_t>(layer.count()));
    for (Eigen::Index row = 0; row < layer.rows; ++row)
      for (Eigen::Index column = 0; column < layer.columns; ++column)
        elements[layer.index(row, column)] = static_cast<float>(now_[i](row, column));
    set_constant(layer.weight, elements);
    if (!shown.has_bias()) continue;
    std::vector<float> bias;
    for (Eigen::Index row = 0; row < layer.rows; ++row)
      bias.push_back(static_cast<float>(now_[i](row, layer.columns) / layer.bias_factor));
    set_constant(layer.bias, bias);
  }
}

void Weights::set_constant(std::uint32_t value, const std::vector<float>& elements) {
  const adze_tensor tensor = adze::with_contents(*call_->graph->values[value]->constant, elements);
  adze::check(call_->edit->set_constant(call_, value, &tensor));
}

}  // namespace channel
