// The component as the host runs it, on a small network and images made in memory.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <random>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/services/dataset_service.hpp"
#include "plugins/qat/network.hpp"
#include "tests/bad_plugins/graphs.hpp"
#include "tests/unit/drpai/plugins.hpp"

namespace adze::host {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kSide = 8, kChannels = 6, kClasses = 3;

std::vector<float> normal(std::size_t count, float spread, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> draw(0, spread);
  std::vector<float> made(count);
  for (float& one : made) one = draw(random);
  return made;
}

/// Stripes whose direction is the class, in noise.
class Stripes : public Dataset {
 public:
  explicit Stripes(bool labeled) : labeled_(labeled) {}
  std::int64_t size() const override { return 400; }
  bool has_labels() const override { return labeled_; }
  std::int64_t label(std::int64_t index) const override { return index % kClasses; }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    std::vector<float> pixels;
    for (const std::int64_t index : indices) {
      const std::vector<float> noise = normal(kSide * kSide, 0.5F, static_cast<unsigned>(index));
      for (std::int64_t y = 0; y < kSide; ++y)
        for (std::int64_t x = 0; x < kSide; ++x) {
          const std::int64_t along[] = {x, y, x + y};
          const float stripe = along[index % kClasses] / 2 % 2 ? 1.0F : -1.0F;
          pixels.push_back(stripe + noise[static_cast<std::size_t>(y * kSide + x)]);
        }
    }
    return {Tensor(DType::f32, {static_cast<std::int64_t>(indices.size()), 1, kSide, kSide},
                   std::span<const float>(pixels))};
  }

 private:
  bool labeled_;
};

/// Conv 3x3 - Relu - depthwise Conv 3x3 - HardSwish - MaxPool - Conv 1x1 + its input - average -
/// Flatten - Gemm.
Graph network() {
  Graph graph;
  const auto value = [&](std::string name, Shape shape) {
    graph.values.push_back({.name = std::move(name), .shape = std::move(shape), .batch_axis = 0});
    return static_cast<std::uint32_t>(graph.values.size() - 1);
  };
  const auto constant = [&](std::string name, Shape shape, float spread) {
    const auto count = static_cast<std::size_t>(element_count(shape));
    const auto seed = static_cast<unsigned>(graph.values.size());
    graph.values.push_back(test::constant(std::move(name), shape, normal(count, spread, seed)));
    return static_cast<std::uint32_t>(graph.values.size() - 1);
  };
  const auto node = [&](std::string op, std::vector<std::uint32_t> inputs, Shape shape,
                        std::map<std::string, Attribute> attributes = {}) {
    const std::string name = op + std::to_string(graph.nodes.size());
    const std::uint32_t made = value(name + ".result", std::move(shape));
    graph.nodes.push_back({.op = std::move(op),
                           .name = name,
                           .op_version = 13,
                           .inputs = std::move(inputs),
                           .outputs = {made},
                           .attributes = std::move(attributes)});
    return made;
  };
  using List = std::vector<std::int64_t>;
  const Shape large = {1, kChannels, kSide, kSide}, small = {1, kChannels, kSide / 2, kSide / 2};
  graph.inputs = {value("image", {1, 1, kSide, kSide})};
  std::uint32_t at = node("Conv",
                          {graph.inputs[0], constant("w0", {kChannels, 1, 3, 3}, 0.4F),
                           constant("b0", {kChannels}, 0.1F)},
                          large, {{"pads", List{1, 1, 1, 1}}, {"kernel_shape", List{3, 3}}});
  at = node("Relu", {at}, large);
  at = node(
      "Conv", {at, constant("w1", {kChannels, 1, 3, 3}, 0.4F), constant("b1", {kChannels}, 0.1F)},
      large, {{"pads", List{1, 1, 1, 1}}, {"kernel_shape", List{3, 3}}, {"group", kChannels}});
  at = node("HardSwish", {at}, large);
  at = node("MaxPool", {at}, small, {{"kernel_shape", List{2, 2}}, {"strides", List{2, 2}}});
  const std::uint32_t before = at;
  at = node(
      "Conv",
      {at, constant("w2", {kChannels, kChannels, 1, 1}, 0.4F), constant("b2", {kChannels}, 0.1F)},
      small, {{"kernel_shape", List{1, 1}}});
  at = node("Add", {at, before}, small);
  at = node("GlobalAveragePool", {at}, {1, kChannels, 1, 1});
  at = node("Flatten", {at}, {1, kChannels});
  at = node("Gemm",
            {at, constant("w3", {kClasses, kChannels}, 0.5F), constant("b3", {kClasses}, 0.1F)},
            {1, kClasses}, {{"transB", std::int64_t{1}}});
  graph.outputs = {at};
  for (std::uint32_t n = 0; n < graph.nodes.size(); ++n) {
    for (const std::uint32_t input : graph.nodes[n].inputs)
      graph.values[input].consumers.push_back(n);
    graph.values[graph.nodes[n].outputs[0]].producer = n;
  }
  // A mask of an earlier stage on one weight, zeros without a mask in another.
  Value& masked = graph.values[graph.find_value("w2")];
  masked.keep.assign(kChannels * kChannels, 1);
  masked.pattern = "unstructured";
  for (std::size_t i = 0; i < masked.keep.size(); i += 2) {
    masked.keep[i] = 0;
    masked.constant->mutate<float>()[i] = 0;
  }
  for (const std::size_t i : {0u, 7u, 20u})
    graph.values[graph.find_value("w1")].constant->mutate<float>()[i] = 0;
  return graph;
}

std::vector<std::uint32_t> all_nodes(const Graph& graph) {
  std::vector<std::uint32_t> all(graph.nodes.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

std::vector<std::int64_t> from_to(std::int64_t first, std::int64_t end) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = first; i < end; ++i) all.push_back(i);
  return all;
}

class Training : public testing::Test {
 protected:
  /// Trains; `progress`: as of the call, true stops.
  EditList train(Settings settings, bool labeled = true,
                 std::function<bool(double, const std::string&)> progress = {}) {
    settings.try_emplace("epochs", std::int64_t{4});
    settings.try_emplace("batch", std::int64_t{32});
    settings.try_emplace("learning_rate", 0.01);
    samples_ = std::make_unique<Stripes>(labeled);
    DatasetService service(*samples_, from_to(0, 300), from_to(300, 400), inputs_);
    const CallOptions options{.threads = 1, .seed = 3, .progress = std::move(progress)};
    return run_edit_component(built_component("adze_qat.so"), settings, graph, all_nodes(graph),
                              options, {&service});
  }
  /// Share of the held-out samples that a backend gets right.
  double accuracy(const Graph& model, const Component& backend) {
    BackendRunner runner(backend, {}, model, "model", {.threads = 1}, {.batch = 50});
    const Stripes samples(true);
    const auto indices = from_to(300, 400);
    const std::vector<float> outputs = to_f32(runner.run(samples.batch(indices))[0].tensor);
    int right = 0;
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const auto row = outputs.begin() + static_cast<std::ptrdiff_t>(i * kClasses);
      right += std::max_element(row, row + kClasses) - row == samples.label(indices[i]);
    }
    return right / 100.0;
  }
  std::vector<float> constant_of(const Graph& model, const char* name) {
    return to_f32(*model.value(model.find_value(name)).constant);
  }

  Graph graph = network();
  const std::vector<InputSpec> inputs_ = {{"image", DType::f32, {1, 1, kSide, kSide}}};
  std::unique_ptr<Stripes> samples_;
};

void expect_same(const EditList& a, const EditList& b) {
  ASSERT_EQ(a.edits().size(), b.edits().size());
  for (std::size_t i = 0; i < a.edits().size(); ++i) {
    const Edit &one = a.edits()[i], &other = b.edits()[i];
    EXPECT_EQ(one.kind, other.kind);
    EXPECT_EQ(one.target, other.target);
    EXPECT_EQ(one.quant, other.quant);
    if (one.kind == Edit::Kind::constant) {
      EXPECT_TRUE(std::ranges::equal(one.constant.bytes(), other.constant.bytes())) << i;
    }
  }
}

// First, as the child of a fork must not find threads of LibTorch.
TEST_F(Training, a_killed_run_continues_with_the_result_of_an_undisturbed_one) {
  const TemporaryDirectory folder;
  const Settings settings = {{"checkpoint", (folder.path() / "state").string()},
                             {"checkpoint_seconds", 0.0},
                             {"epochs", std::int64_t{3}}};
  const pid_t child = fork();
  if (child == 0) {
    int steps = 0;
    train(settings, true, [&](double, const std::string& doing) {
      if (doing.starts_with("rounded") && ++steps == 10) std::raise(SIGKILL);
      return false;
    });
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "it was not killed in the middle";
  ASSERT_TRUE(std::filesystem::exists(folder.path() / "state"));
  double first_fraction = -1;
  const EditList continued = train(settings, true, [&](double fraction, const std::string&) {
    if (first_fraction < 0) first_fraction = fraction;
    return false;
  });
  EXPECT_GT(first_fraction, 0.4) << "it did not start anew";
  Settings undisturbed = settings;
  undisturbed.erase("checkpoint");
  expect_same(continued, train(undisturbed));

  Settings other = settings;
  other["learning_rate"] = 0.02;
  try {
    train(other);
    ADD_FAILURE() << "a checkpoint of another training";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("is of another training"));
  }
}

TEST_F(Training, learns_in_integers_and_keeps_every_pruned_weight_at_zero) {
  for (const char* method : {"lsq", "minmax"}) {
    const EditList edits = train({{"method", std::string(method)}});
    const Graph trained = edits.commit();
    EXPECT_GT(accuracy(trained, drpai_backend()), accuracy(graph, cpu_backend()) + 0.3) << method;
    for (const char* name : {"w1", "w2"}) {
      const std::vector<float> before = constant_of(graph, name), now = constant_of(trained, name);
      for (std::size_t i = 0; i < now.size(); ++i)
        if (before[i] == 0) {
          EXPECT_EQ(now[i], 0.0F) << name << ' ' << i;
        }
    }
    EXPECT_EQ(trained.value(trained.find_value("w2")).keep,
              graph.value(graph.find_value("w2")).keep);
    for (const char* name : {"w0", "w1", "w2", "w3", "image", "Relu1.result"})
      EXPECT_TRUE(trained.value(trained.find_value(name)).quant) << name;
    EXPECT_FALSE(trained.value(trained.find_value("Conv0.result")).quant) << "Relu runs with it";
  }
}

TEST_F(Training, gives_the_same_bytes_again) {
  expect_same(train({{"epochs", std::int64_t{2}}}), train({{"epochs", std::int64_t{2}}}));
}

TEST_F(Training, fine_tuning_stays_in_floats) {
  const Graph tuned = train({{"mode", std::string("finetune")}}).commit();
  for (const Value& value : tuned.values) EXPECT_FALSE(value.quant) << value.name;
  EXPECT_GT(accuracy(tuned, cpu_backend()), accuracy(graph, cpu_backend()) + 0.3);
  EXPECT_EQ(constant_of(tuned, "w2")[0], 0.0F);
}

TEST_F(Training, without_labels_imitates_the_float_model) {
  const Graph trained = train({{"learning_rate", 0.001}}, false).commit();
  const Stripes samples(false);
  const auto indices = from_to(300, 400);
  const auto outputs = [&](const Graph& model, const Component& backend) {
    BackendRunner runner(backend, {}, model, "model", {.threads = 1}, {.batch = 50});
    return to_f32(runner.run(samples.batch(indices))[0].tensor);
  };
  const std::vector<float> wanted = outputs(graph, cpu_backend()),
                           found = outputs(trained, drpai_backend());
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    signal += static_cast<double>(wanted[i] * wanted[i]);
    noise += static_cast<double>((wanted[i] - found[i]) * (wanted[i] - found[i]));
  }
  EXPECT_GT(10 * std::log10(signal / noise), 20);
}

TEST_F(Training, leaves_float_what_is_named_and_shares_scales_when_asked) {
  for (const char* method : {"lsq", "minmax"}) {
    const Graph trained = train({{"method", std::string(method)},
                                 {"shared_scales", std::string("on")},
                                 {"leave_float", std::vector<std::string>{"Gemm"}}})
                              .commit();
    EXPECT_FALSE(trained.value(trained.find_value("w3")).quant) << method;
    EXPECT_TRUE(trained.value(trained.find_value("w0")).quant) << method;
    const Value &sum = trained.value(trained.find_value("Conv5.result")),
                &other = trained.value(trained.find_value("HardSwish3.result"));
    ASSERT_TRUE(sum.quant && other.quant) << method;
    EXPECT_EQ(sum.quant, other.quant) << method;
    EXPECT_GT(accuracy(trained, drpai_backend()), accuracy(graph, cpu_backend()) + 0.3) << method;
  }
  try {
    train({{"leave_float", std::vector<std::string>{"Conw5"}}});
    ADD_FAILURE() << "there is no such node";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the nearest is 'Conv5'"));
  }
}

TEST_F(Training, can_be_stopped) {
  EXPECT_THROW(train({}, true, [](double fraction, const std::string&) { return fraction > 0.1; }),
               Error);
}

TEST_F(Training, names_the_node_it_cannot_train_through) {
  graph.nodes[3].op = "Det";
  try {
    train({});
    ADD_FAILURE() << "Det";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot train through node 'HardSwish3' (Det)"));
    EXPECT_THAT(error.what(), HasSubstr("adze.quantize.ptq"));
  }
}

TEST_F(Training, refuses_broken_weights_and_labels_beyond_the_classes) {
  graph.values[graph.find_value("w3")].constant->mutate<float>()[1] = NAN;
  EXPECT_THROW(train({}), Error);
  graph = network();
  class Beyond : public Stripes {
   public:
    Beyond() : Stripes(true) {}
    std::int64_t label(std::int64_t index) const override { return index; }
  } const beyond;
  DatasetService service(beyond, from_to(0, 300), from_to(300, 400), inputs_);
  try {
    run_edit_component(built_component("adze_qat.so"), {}, graph, all_nodes(graph), {}, {&service});
    ADD_FAILURE() << "labels to 399";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("has 3 elements a sample"));
  }
}

TEST_F(Training, the_emulated_integers_are_what_was_trained) {
  const View view(graph, all_nodes(graph));
  Call call(built_component("adze_qat.so"), {}, {});
  call.show(view);
  const adze_graph& shown = *call.get()->graph;
  for (const bool learned : {true, false}) {
    const ptq::Plan plan = ptq::make_plan(shown);
    qat::Network trained(shown, {.plan = &plan, .grids = {.learned = learned}});
    const Stripes samples(true);
    DatasetService service(samples, from_to(0, 64), from_to(300, 400), inputs_);
    const adze_batch& seen = *service.batch(0, ADZE_SPLIT_TRAIN, 64, 0, 0);
    trained.observe(seen);
    trained.start_quantizing();
    const std::vector<float> outputs = trained.run(seen).front();
    EditList edits(graph, all_nodes(graph));
    for (const qat::Parameter& one : trained.parameters())
      if (one.kind == qat::Parameter::Kind::constant) {
        const std::vector<float> contents = trained.contents(one);
        edits.set_constant(one.value, Tensor(DType::f32, *graph.value(one.value).shape,
                                             std::span<const float>(contents)));
      }
    for (const qat::Quantized& one : trained.quantized())
      edits.set_quant(one.value, Quant{.axis = one.axis,
                                       .is_signed = one.code == ADZE_INT,
                                       .bits = static_cast<std::uint8_t>(one.bits),
                                       .scale = one.scales,
                                       .zero_point = std::vector<std::int32_t>(one.scales.size(),
                                                                               one.zero_point)});
    BackendRunner runner(drpai_backend(), {}, edits.commit(), "model", {.threads = 1},
                         {.batch = 64});
    const std::vector<Tensor> images = {copy_of(*seen.inputs[0])};
    const std::vector<float> emulated = to_f32(runner.run(images)[0].tensor);
    ASSERT_EQ(emulated.size(), outputs.size());
    float largest = 0;
    for (const float one : outputs) largest = std::max(largest, std::abs(one));
    for (std::size_t i = 0; i < outputs.size(); ++i)
      EXPECT_NEAR(emulated[i], outputs[i], 0.03F * largest) << i << (learned ? " lsq" : " minmax");
  }
}

TEST_F(Training, a_grid_that_begins_at_0_does_what_the_relu_before_it_did) {
  Graph clipped = graph;
  Node& node = clipped.nodes[1];
  ASSERT_EQ(node.op, "Relu");
  node.op = "Clip";
  node.inputs.push_back(static_cast<std::uint32_t>(clipped.values.size()));
  clipped.values.push_back(test::constant("zero", {}, {0}));
  clipped.values.back().consumers = {1};
  const Stripes samples(true);
  DatasetService service(samples, from_to(0, 64), from_to(300, 400), inputs_);
  const adze_batch& seen = *service.batch(0, ADZE_SPLIT_TRAIN, 64, 0, 0);
  std::vector<std::vector<float>> gradients[2];
  double losses[2];
  for (const std::size_t i : {0u, 1u}) {
    const Graph& shown = i ? clipped : graph;
    const View view(shown, all_nodes(shown));
    Call call(built_component("adze_qat.so"), {}, {});
    call.show(view);
    const ptq::Plan plan = ptq::make_plan(*call.get()->graph);
    qat::Network trained(*call.get()->graph, {.plan = &plan, .grids = {}});
    trained.observe(seen);
    trained.start_quantizing();
    losses[i] = trained.learn(seen, {}, {}).loss;
    for (const qat::Parameter& one : trained.parameters())
      gradients[i].emplace_back(one.gradients.begin(), one.gradients.end());
  }
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_EQ(gradients[0], gradients[1]);
}

TEST_F(Training, says_what_to_install_where_its_engine_is_missing_or_broken) {
  const TemporaryDirectory folder;
  const std::filesystem::path plugins = folder.path() / "lib/adze/plugins",
                              engine = folder.path() / "lib/adze/qat/adze_qat_engine.so";
  std::filesystem::create_directories(plugins);
  std::filesystem::create_directories(engine.parent_path());
  std::filesystem::copy(built_component("adze_qat.so").plugin->path, plugins / "adze_qat.so");
  const LoadedPlugin alone = load_unchecked(plugins / "adze_qat.so");
  const auto message = [&] {
    const Stripes samples(true);
    DatasetService service(samples, from_to(0, 300), from_to(300, 400), inputs_);
    try {
      run_edit_component({alone.plugin->components[0], &alone}, {}, graph, all_nodes(graph), {},
                         {&service});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message(), testing::AllOf(HasSubstr(engine.string()), HasSubstr("adze-qat"),
                                        HasSubstr("libtorch-dev")));
  write_file(engine, "no library");
  EXPECT_THAT(message(), testing::AllOf(HasSubstr("cannot load LibTorch"),
                                        HasSubstr("libtorch1.13"), HasSubstr("adze.quantize.ptq")));
}

TEST_F(Training, leaves_the_threads_of_its_caller_alone) {
  const Graph trained = train({{"epochs", std::int64_t{1}}}).commit();
  const double before = accuracy(trained, drpai_backend());
  train({{"epochs", std::int64_t{1}}});
  EXPECT_EQ(accuracy(trained, drpai_backend()), before) << "backends run beside LibTorch";
}

}  // namespace
}  // namespace adze::host
