// Whatever a file holds, loading it ends in a graph or in an Error.
#include <random>

#include "host/base/error.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"
#include "model_builder.hpp"

namespace adze::host {
namespace {

std::vector<std::byte> damaged(std::vector<std::byte> bytes, std::mt19937& random) {
  const auto anywhere = [&] { return random() % bytes.size(); };
  for (auto changes = 1 + random() % 4; changes > 0 && !bytes.empty(); --changes) {
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(anywhere());
    switch (random() % 6) {
      case 0:
        *at ^= std::byte(1u << random() % 8);
        break;
      case 1:
        *at = std::byte(random());
        break;
      case 2:
        bytes.erase(at);
        break;
      case 3:
        bytes.insert(at, std::byte(random()));
        break;
      case 4: {  // a piece of the file somewhere else, as lengths and field tags are
        const std::size_t from = anywhere();
        const std::size_t length = std::min<std::size_t>(random() % 16, bytes.size() - from);
        const std::vector<std::byte> piece(
            bytes.begin() + static_cast<std::ptrdiff_t>(from),
            bytes.begin() + static_cast<std::ptrdiff_t>(from + length));
        std::copy_n(piece.begin(), std::min<std::size_t>(length, std::size_t(bytes.end() - at)),
                    at);
        break;
      }
      default:
        bytes.resize(anywhere());
    }
  }
  return bytes;
}

// 1 when the bytes made a graph that could be saved.
int survives(const std::vector<std::byte>& bytes, std::string* why = nullptr) {
  try {
    Graph graph = parse_model(bytes, {});
    simplify(graph);
    serialize_model(graph);
    return 1;
  } catch (const Error& error) {
    EXPECT_NE(error.code, ADZE_INTERNAL) << error.what();
    EXPECT_NE(std::string(error.what()), "");
    if (why) *why = error.what();
    return 0;
  }
}

ModelBuilder arithmetic_model() {
  ModelBuilder builder(11, 6);
  builder.input("x", {"N", 2, 4, 4}).output("y", {"N", 32}).output("z", {"N", 2, 8, 8});
  builder.integers("zero", {0}).integers("two", {2}).integers("rest", {-1}).integers("one", {1});
  builder.floats("scales", {4}, {1, 1, 2, 2}).floats("none", {0}, {});
  builder.node("Shape", {"x"}, {"s"})
      .node("Slice", {"s", "zero", "one"}, {"n"})
      .node("Concat", {"n", "rest"}, {"target"})
      .attribute("axis", std::int64_t{0})
      .node("Reshape", {"x", "target"}, {"flat"})
      .node("Softmax", {"flat"}, {"y"})
      .attribute("axis", std::int64_t{1})
      .node("Resize", {"x", "none", "scales"}, {"z"});
  return builder;
}

ModelBuilder quantized_model() {
  ModelBuilder builder;
  builder.input("x", {"N", 2, 3, 3}).output("y", {"N", 2, 3, 3}).floats("s", {}, {0.5f});
  builder.constant<std::uint8_t>("zp", onnx::TensorProto::UINT8, {}, {3});
  builder.constant<std::int8_t>("w", onnx::TensorProto::INT8, {2, 2, 1, 1}, {1, 2, 0, 4});
  builder.floats("ws", {2}, {0.25f, 0.5f}).metadata("adze.masks", R"({"w":{"pattern":"1:2"}})");
  builder.node("QuantizeLinear", {"x", "s", "zp"}, {"q"})
      .node("DequantizeLinear", {"q", "s", "zp"}, {"d"})
      .node("DequantizeLinear", {"w", "ws"}, {"wd"})
      .attribute("axis", std::int64_t{0})
      .node("Conv", {"d", "wd"}, {"y"});
  return builder;
}

class DamagedModel : public testing::TestWithParam<int> {};

TEST_P(DamagedModel, ends_in_a_graph_or_an_error) {
  const ModelBuilder models[] = {small_cnn(), small_cnn(11), arithmetic_model(), quantized_model()};
  const auto whole = models[GetParam()].bytes();
  std::string why;
  ASSERT_EQ(survives(whole, &why), 1) << why;
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  int survivors = 0;
  constexpr int kAttempts = 1500;
  for (int attempt = 0; attempt < kAttempts; ++attempt)
    survivors += survives(damaged(whole, random));
  EXPECT_GT(survivors, 0) << "nothing reached the later steps";
  EXPECT_LT(survivors, kAttempts);
}

INSTANTIATE_TEST_SUITE_P(Models, DamagedModel, testing::Range(0, 4));

}  // namespace
}  // namespace adze::host
