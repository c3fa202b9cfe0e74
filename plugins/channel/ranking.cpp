#include "plugins/channel/ranking.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>

#include "plugins/channel/samples.hpp"
#include "plugins/pruning/statistics.hpp"

namespace channel {
namespace {

/// Gram matrices that live at the same time.
constexpr double kMostGramBytes = 512e6;
/// Refitted weights that are kept for trials, of all groups and levels together.
constexpr double kMostTrialBytes = 1e9;
/// Numbers of channels to leave that a group is offered.
constexpr std::size_t kMostChoices = 64, kFewestChoices = 8;

class Ranker {
 public:
  Ranker(adze_call* call, const Options& options, const Model& model, std::vector<Choices>& choices,
         const std::function<void(double, const char*)>& progress)
      : call_(call), options_(options), model_(model), choices_(choices), progress_(progress) {}

  Ranking rank() {
    removals_.resize(model_.groups.size());
    levels_.resize(model_.groups.size());
    std::size_t most = kMostChoices;
    for (offer(most); wants_trials() && trial_bytes() > kMostTrialBytes && most > kFewestChoices;)
      offer(most /= 2);
    keeps_trials_ = wants_trials() && trial_bytes() <= kMostTrialBytes;
    std::vector<std::size_t> together;
    std::set<std::size_t> layers;
    double bytes = 0;
    for (std::size_t g = 0; g < model_.groups.size(); ++g) {
      if (levels_[g].empty()) continue;
      double more = 0;
      for (const Reading& reading : model_.groups[g].readings)
        if (reading.layer != SIZE_MAX && !layers.contains(reading.layer))
          more += gram_bytes(reading.layer);
      if (!together.empty() && bytes + more > kMostGramBytes) {
        rank_together(together, layers);
        together.clear(), layers.clear(), bytes = 0;
      }
      together.push_back(g);
      for (const Reading& reading : model_.groups[g].readings)
        if (reading.layer != SIZE_MAX && layers.insert(reading.layer).second)
          bytes += gram_bytes(reading.layer);
    }
    if (!together.empty()) rank_together(together, layers);
    for (std::size_t g = 0; g < model_.groups.size(); ++g) {
      choices_[g].error.clear();
      for (const std::uint32_t leaving : choices_[g].leaving)
        choices_[g].error.push_back(leaving ? removals_[g].error[leaving] : 0);
    }
    return {std::move(levels_), std::move(removals_), keeps_trials_};
  }

 private:
  bool wants_trials() const {
    return options_.refit && options_.allocation == Allocation::search &&
           options_.score == Score::reconstruction;
  }

  void offer(std::size_t most) {
    for (std::size_t g = 0; g < choices_.size(); ++g) {
      auto& leaving = choices_[g].leaving;
      levels_[g] = thinned(std::vector(leaving.begin() + 1, leaving.end()), most);
      leaving = levels_[g];
      leaving.insert(leaving.begin(), 0);
    }
  }

  double gram_bytes(std::size_t layer) const {
    const auto size = static_cast<double>(model_.layers[layer].layer.columns + 1);
    return size * size * sizeof(double);
  }
  double trial_bytes() const {
    double bytes = 0;
    for (std::size_t g = 0; g < model_.groups.size(); ++g)
      for (const Reading& reading : model_.groups[g].readings)
        if (reading.layer != SIZE_MAX)
          bytes += static_cast<double>(levels_[g].size()) * sizeof(float) *
                   static_cast<double>(model_.layers[reading.layer].weight.size());
    return bytes;
  }

  void rank_together(const std::vector<std::size_t>& groups, const std::set<std::size_t>& layers) {
    std::map<std::size_t, std::size_t> gram_at;                           // by layer
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> power_at;  // by group and reading
    std::vector<pruning::MomentsRequest> grams;
    std::vector<adze_stat_request> powers;
    if (options_.score == Score::reconstruction) {
      for (const std::size_t layer : layers) {
        gram_at[layer] = grams.size();
        grams.push_back({.layer = &model_.layers[layer].layer});
      }
      for (const std::size_t g : groups)
        for (std::size_t r = 0; r < model_.groups[g].readings.size(); ++r) {
          const adze_member& member = *model_.groups[g].readings[r].member;
          const std::uint32_t input = call_->graph->nodes[member.node]->inputs[0];
          if (model_.groups[g].readings[r].layer != SIZE_MAX ||
              call_->graph->values[input]->rank < 2)
            continue;
          power_at[{g, r}] = powers.size();
          powers.push_back(request(ADZE_STAT_CHANNELS, ADZE_NONE, input, {}, ADZE_STATE_SHOWN));
        }
    }
    const auto moments = pruning::collect_moments(call_, grams);
    const Collected found(call_, powers);
    for (const std::size_t g : groups) {
      const Group& group = model_.groups[g];
      std::vector<Reader> readers;
      for (std::size_t r = 0; r < group.readings.size(); ++r) {
        const auto gram = gram_at.find(group.readings[r].layer);
        const auto power = power_at.find({g, r});
        readers.push_back(reader_of(group, group.readings[r],
                                    gram == gram_at.end() ? nullptr : &moments[gram->second],
                                    power == power_at.end() ? nullptr : &found[power->second]));
      }
      const auto inside = [&](double share) {
        progress_((static_cast<double>(g) + share) / static_cast<double>(model_.groups.size()),
                  group.name.c_str());
      };
      try {
        removals_[g] = options_.score == Score::norm
                           ? choose_by_norm(readers, group.channels, levels_[g])
                           : choose_removal(std::move(readers), group.channels, levels_[g],
                                            options_.damping, inside);
      } catch (const adze::Error& error) {
        throw adze::Error(error.code, "readers of '" + group.name + "': " + error.what());
      }
      if (!keeps_trials_) removals_[g].weights.clear();
    }
  }

  Reader reader_of(const Group& group, const Reading& reading, const pruning::Moments* gram,
                   const adze_stat* power) const {
    Reader reader{.columns = reading.columns};
    if (reading.layer == SIZE_MAX) {
      reader.weight = by_axis(*reading.member);
      reader.power = power_of(reader.weight.cols() - 1, power);
      reader.refits = reader.moves_bias = false;
      return reader;
    }
    const ModelLayer& layer = model_.layers[reading.layer];
    reader.weight = layer.weight;
    reader.keep = layer.keep;
    reader.refits = options_.refit && layer.may_refit();
    reader.moves_bias = reader.refits && layer.has_bias();
    if (gram)
      reader.gram = gram->groups.front().gram;
    else
      reader.power = Eigen::VectorXd::Ones(layer.layer.columns);
    for (const Writing& writing : group.writings)
      if (writing.layer == reading.layer) reader.rows = writing.rows;
    return reader;
  }

  /// A constant with the member's axis as columns, and a column more for a bias that is not there.
  RowMatrix by_axis(const adze_member& member) const {
    const adze_tensor& tensor = *call_->graph->values[member.value]->constant;
    const auto elements = adze::f32(&tensor);
    Eigen::Index before = 1, after = 1;
    const auto size = static_cast<Eigen::Index>(tensor.shape[member.axis]);
    for (std::uint32_t axis = 0; axis < static_cast<std::uint32_t>(tensor.ndim); ++axis)
      (axis < member.axis   ? before
       : axis > member.axis ? after
                            : before) *=
          axis == member.axis ? 1 : static_cast<Eigen::Index>(tensor.shape[axis]);
    RowMatrix matrix = RowMatrix::Zero(before * after, size + 1);
    if (elements.empty()) return matrix;
    for (Eigen::Index i = 0; i < before; ++i)
      for (Eigen::Index at = 0; at < size; ++at)
        for (Eigen::Index j = 0; j < after; ++j)
          matrix(i * after + j, at) =
              elements[static_cast<std::size_t>((i * size + at) * after + j)];
    return matrix;
  }

  static Eigen::VectorXd power_of(Eigen::Index inputs, const adze_stat* stat) {
    Eigen::VectorXd power = Eigen::VectorXd::Ones(inputs);
    if (!stat || stat->data.ndim != 2 || stat->data.shape[0] != inputs) return power;
    const auto* rows = reinterpret_cast<const double*>(static_cast<const char*>(stat->data.data) +
                                                       stat->data.byte_offset);
    for (Eigen::Index i = 0; i < inputs; ++i)
      power(i) = rows[i * 4 + 2] * rows[i * 4 + 2] + rows[i * 4 + 3];
    return power;
  }

  adze_call* call_;
  const Options& options_;
  const Model& model_;
  std::vector<Choices>& choices_;
  const std::function<void(double, const char*)>& progress_;
  std::vector<std::vector<std::uint32_t>> levels_;
  std::vector<Removal> removals_;
  bool keeps_trials_ = false;
};

}  // namespace

std::vector<std::uint32_t> thinned(const std::vector<std::uint32_t>& all, std::size_t most) {
  if (all.size() <= most) return all;
  std::vector<std::uint32_t> some;
  for (std::size_t i = 1; i <= most; ++i) some.push_back(all[all.size() * i / most - 1]);
  return some;
}

Ranking rank_channels(adze_call* call, const Options& options, const Model& model,
                      std::vector<Choices>& choices,
                      const std::function<void(double, const char*)>& progress) {
  return Ranker(call, options, model, choices, progress).rank();
}

}  // namespace channel
