#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/onnx/load_to_place.hpp"
#include "host/onnx/model.hpp"
#include "model_builder.hpp"

namespace adze::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;

void expect_refused(std::span<const std::byte> bytes, adze_status code,
                    const testing::Matcher<std::string>& text) {
  try {
    parse_model(bytes, {});
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, code) << error.what();
    EXPECT_THAT(std::string(error.what()), text);
  }
}

void expect_refused(const ModelBuilder& builder, adze_status code,
                    const testing::Matcher<std::string>& text) {
  expect_refused(builder.bytes(), code, text);
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

TEST(BadModel, missing_file_is_not_found_and_named) {
  try {
    load_model("/nowhere/model.onnx");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_NOT_FOUND);
    EXPECT_THAT(error.what(), HasSubstr("/nowhere/model.onnx"));
  }
}

TEST(UnknownOperator, is_refused_where_it_would_be_computed_and_placed_where_it_is_not) {
  ModelBuilder builder;
  builder.input("x", {1, 3, 8, 8}).output("y", {1, 3, 8, 8});
  builder.node("Foo", {"x"}, {"a"}).node("Relu", {"a"}, {"y"});
  builder.model.mutable_graph()->mutable_node(0)->set_domain("my.ops");
  auto& import = *builder.model.add_opset_import();
  import.set_domain("my.ops");
  import.set_version(1);
  expect_refused(builder, ADZE_INVALID_ARGUMENT, HasSubstr("operator 'Foo', which is not known"));
  const TemporaryDirectory folder;
  const auto path = folder.path() / "foo.onnx";
  const auto place = [&] {
    write_file(path, builder.bytes());
    return load_to_place(path);
  };
  const auto shape_of = [](const Graph& graph, const std::string& name) {
    const auto found = std::ranges::find(graph.values, name, &Value::name);
    return found == graph.values.end() ? Shape{} : found->shape;
  };
  // Like what it takes, unless the file says more.
  EXPECT_EQ(shape_of(place(), "a"), (Shape{1, 3, 8, 8}));
  builder.model.mutable_graph()->mutable_output(0)->mutable_type()->Clear();
  builder.output("a", {1, 5, 4, 4});
  auto& outputs = *builder.model.mutable_graph()->mutable_output();
  *builder.model.mutable_graph()->add_value_info() = outputs.Get(1);
  outputs.RemoveLast();
  builder.model.mutable_graph()
      ->mutable_output(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->set_elem_type(1);
  const Graph graph = place();
  EXPECT_EQ(shape_of(graph, "a"), (Shape{1, 5, 4, 4}));
  EXPECT_EQ(shape_of(graph, "y"), (Shape{1, 5, 4, 4}));
  EXPECT_EQ(graph.nodes[0].op_version, 0u);
}

TEST(BadModel, errors_of_a_file_name_the_file) {
  const TemporaryDirectory folder;
  const auto path = folder.path() / "empty.onnx";
  write_file(path, std::string_view());
  try {
    load_model(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_DATA_LOSS);
    EXPECT_THAT(error.what(), AllOf(HasSubstr(path.string()), HasSubstr("empty")));
  }
}

TEST(BadModel, empty_bytes_are_data_loss) {
  expect_refused(std::span<const std::byte>(), ADZE_DATA_LOSS, HasSubstr("empty"));
}

TEST(BadModel, truncated_bytes_are_data_loss_at_every_length) {
  const auto whole = small_cnn().bytes();
  for (std::size_t length = 1; length + 1 < whole.size(); length += 7) {
    try {
      parse_model(std::span(whole).first(length), {});
      ADD_FAILURE() << "accepted " << length << " of " << whole.size() << " bytes";
    } catch (const Error& error) {
      EXPECT_EQ(error.code, ADZE_DATA_LOSS) << length << ": " << error.what();
    }
  }
}

TEST(BadModel, other_files_are_data_loss) {
  expect_refused(bytes_of("\x89PNG\r\n\x1a\n and so on, for a while"), ADZE_DATA_LOSS,
                 HasSubstr("not"));
  expect_refused(bytes_of("{\"model\": \"no\"}"), ADZE_DATA_LOSS, HasSubstr("not"));
}

TEST(BadModel, field_that_claims_two_gigabytes_is_out_of_range) {
  std::string bytes = "\x08\x07\x3a";               // ir_version 7; graph of
  bytes += std::string("\xff\xff\xff\xff\x0f", 5);  // 4294967295 bytes
  bytes += "\x0a\x01g";
  expect_refused(bytes_of(bytes), ADZE_OUT_OF_RANGE,
                 AllOf(HasSubstr("4294967295"), HasSubstr("2 GiB")));
}

TEST(BadModel, tensor_that_claims_two_gigabytes_is_out_of_range) {
  ModelBuilder builder = small_cnn();
  builder.model.mutable_graph()->mutable_initializer(0)->set_dims(0, 1 << 30);
  expect_refused(builder, ADZE_OUT_OF_RANGE, AllOf(HasSubstr("'w'"), HasSubstr("claims")));
}

TEST(BadModel, tensor_whose_size_overflows_is_out_of_range) {
  ModelBuilder builder = small_cnn();
  builder.model.mutable_graph()->mutable_initializer(0)->set_dims(0, std::int64_t{1} << 62);
  expect_refused(builder, ADZE_OUT_OF_RANGE, HasSubstr("'w'"));
}

TEST(BadModel, initializer_of_another_size_than_its_data_is_named) {
  ModelBuilder builder = small_cnn();
  builder.model.mutable_graph()->mutable_initializer(0)->set_dims(0, 5);
  expect_refused(builder, ADZE_INVALID_ARGUMENT,
                 AllOf(HasSubstr("'w'"), HasSubstr("5x3x3x3"), HasSubstr("432")));
}

TEST(BadModel, negative_dimension_of_an_initializer_is_refused) {
  ModelBuilder builder = small_cnn();
  builder.model.mutable_graph()->mutable_initializer(0)->set_dims(0, -4);
  expect_refused(builder, ADZE_OUT_OF_RANGE, HasSubstr("'w'"));
}

TEST(BadModel, cycle_names_its_nodes) {
  ModelBuilder builder;
  builder.input("x", {1, 4})
      .output("y", {1, 4})
      .node("Add", {"x", "b"}, {"a"}, "first")
      .node("Relu", {"a"}, {"b"}, "second")
      .node("Relu", {"b"}, {"y"}, "behind");
  expect_refused(builder, ADZE_INVALID_ARGUMENT,
                 AllOf(HasSubstr("cycle"), HasSubstr("'first'"), HasSubstr("'second'"),
                       testing::Not(HasSubstr("behind"))));
}

TEST(BadModel, unknown_operator_names_node_operator_and_opset) {
  ModelBuilder builder;
  builder.input("x", {1, 4}).output("y", {1, 4}).node("Frobnicate", {"x"}, {"y"}, "odd");
  expect_refused(builder, ADZE_INVALID_ARGUMENT,
                 AllOf(HasSubstr("'odd'"), HasSubstr("'Frobnicate'"), HasSubstr("13")));
}

TEST(BadModel, operator_newer_than_the_opset_is_unknown) {
  ModelBuilder builder(13);
  builder.input("x", {1, 4}).output("y", {1, 4}).node("HardSwish", {"x"}, {"y"});
  expect_refused(builder, ADZE_INVALID_ARGUMENT, HasSubstr("HardSwish"));
}

TEST(BadModel, operator_of_an_unknown_domain_is_refused) {
  ModelBuilder builder;
  builder.input("x", {1, 4}).output("y", {1, 4}).node("Relu", {"x"}, {"y"}, "odd");
  builder.model.mutable_graph()->mutable_node(0)->set_domain("com.example");
  expect_refused(builder, ADZE_INVALID_ARGUMENT,
                 AllOf(HasSubstr("'odd'"), HasSubstr("com.example")));
}

TEST(BadModel, opset_from_the_future_names_a_node) {
  ModelBuilder builder(99);
  builder.input("x", {1, 4}).output("y", {1, 4}).node("Relu", {"x"}, {"y"}, "relu");
  expect_refused(builder, ADZE_INVALID_ARGUMENT,
                 AllOf(HasSubstr("'relu'"), HasSubstr("99"), HasSubstr("up to")));
}

TEST(BadModel, missing_initializer_names_the_node_that_needs_it) {
  ModelBuilder builder = small_cnn();
  builder.model.mutable_graph()->mutable_initializer()->DeleteSubrange(0, 1);
  expect_refused(builder, ADZE_INVALID_ARGUMENT,
                 AllOf(HasSubstr("'conv'"), HasSubstr("'w'"), HasSubstr("nothing produces")));
}

TEST(BadModel, missing_output_is_refused) {
  ModelBuilder builder = small_cnn();
  builder.output("z", {1, 4});
  expect_refused(builder, ADZE_INVALID_ARGUMENT, HasSubstr("'z'"));
}

TEST(BadModel, weight_for_other_channels_names_the_node) {
  ModelBuilder builder;
  builder.input("x", {1, 3, 8, 8}).output("y", {1, 4, 6, 6}).ramp("w", {4, 5, 3, 3});
  builder.node("Conv", {"x", "w"}, {"y"}, "conv");
  expect_refused(builder, ADZE_INVALID_ARGUMENT,
                 AllOf(HasSubstr("'conv'"), HasSubstr("4x5x3x3"), HasSubstr("3 are needed")));
}

// libonnx reads past the end of the shape of such a weight.
TEST(BadModel, weight_of_another_rank_names_the_node) {
  ModelBuilder builder;
  builder.input("x", {1, 3, 8, 8, 8}).output("y", {1, 4, 6, 6, 6}).ramp("w", {4, 3, 3});
  builder.node("Conv", {"x", "w"}, {"y"}, "conv");
  expect_refused(builder, ADZE_INVALID_ARGUMENT, AllOf(HasSubstr("'conv'"), HasSubstr("4x3x3")));
}

// libonnx reads the second axis of such a signal.
TEST(BadModel, spectrum_of_a_scalar_names_the_node) {
  ModelBuilder builder(17);
  builder.input("x", {}).output("y", {1, 2, 2, 2});
  builder.node("STFT", {"x", "x", "", "x"}, {"y"}, "spectrum");
  expect_refused(builder, ADZE_INVALID_ARGUMENT, AllOf(HasSubstr("'spectrum'"), HasSubstr("axes")));
}

TEST(BadModel, stride_of_zero_names_the_node) {
  ModelBuilder builder;
  builder.input("x", {1, 3, 8, 8}).output("y", {1, 3, 4, 4});
  builder.node("MaxPool", {"x"}, {"y"}, "pool")
      .attribute("kernel_shape", std::vector<std::int64_t>{2, 2})
      .attribute("strides", std::vector<std::int64_t>{0, 2});
  expect_refused(builder, ADZE_INVALID_ARGUMENT, AllOf(HasSubstr("'pool'"), HasSubstr("strides")));
}

TEST(BadModel, addition_that_does_not_broadcast_names_the_node) {
  ModelBuilder builder;
  builder.input("x", {1, 3, 8, 8}).output("y", {1, 3, 8, 8}).ramp("b", {1, 4, 1, 1});
  builder.node("Add", {"x", "b"}, {"y"}, "addition");
  expect_refused(builder, ADZE_INVALID_ARGUMENT, HasSubstr("addition"));
}

TEST(BadModel, declared_output_shape_must_be_what_the_nodes_make) {
  ModelBuilder builder;
  builder.input("x", {1, 3, 8, 8}).output("y", {1, 3, 8, 9}).node("Relu", {"x"}, {"y"});
  expect_refused(builder, ADZE_INVALID_ARGUMENT, AllOf(HasSubstr("'y'"), HasSubstr("1x3x8x9")));
}

TEST(BadModel, names_that_occur_twice_are_refused) {
  ModelBuilder twice_produced;
  twice_produced.input("x", {1, 4}).output("y", {1, 4});
  twice_produced.node("Relu", {"x"}, {"y"}, "one").node("Sigmoid", {"x"}, {"y"}, "two");
  expect_refused(twice_produced, ADZE_INVALID_ARGUMENT,
                 AllOf(HasSubstr("'y'"), HasSubstr("'one'"), HasSubstr("'two'")));

  ModelBuilder two_initializers = small_cnn();
  two_initializers.ramp("w", {4, 3, 3, 3});
  expect_refused(two_initializers, ADZE_INVALID_ARGUMENT, HasSubstr("'w'"));

  ModelBuilder two_inputs = small_cnn();
  two_inputs.input("x", {1, 3, 8, 8});
  expect_refused(two_inputs, ADZE_INVALID_ARGUMENT, HasSubstr("'x'"));
}

TEST(BadModel, open_height_asks_for_the_shape) {
  ModelBuilder builder;
  builder.input("x", {"N", 3, "height", 8}).output("y", {"N", 3, "height", 8});
  builder.node("Relu", {"x"}, {"y"});
  expect_refused(builder, ADZE_INVALID_ARGUMENT,
                 AllOf(HasSubstr("'x'"), HasSubstr("'height'"), HasSubstr("axis 2")));
  const Graph graph = parse_model(builder.bytes(), {}, {.input_shapes = {{"x", {1, 3, 6, 8}}}});
  EXPECT_EQ(value_named(graph, "y").shape, (Shape{1, 3, 6, 8}));
  EXPECT_EQ(value_named(graph, "y").batch_axis, 0);
  EXPECT_EQ(graph.symbols.at("x"), "N");
}

TEST(BadModel, shape_for_an_input_that_does_not_exist_is_refused) {
  EXPECT_THROW(parse_model(small_cnn().bytes(), {}, {.input_shapes = {{"z", {1}}}}), Error);
}

class ExternalData : public testing::Test {
 protected:
  ModelBuilder with_weight_at(const std::string& location, const std::string& offset,
                              const std::string& length) {
    ModelBuilder builder = small_cnn();
    onnx::TensorProto& weight = *builder.model.mutable_graph()->mutable_initializer(0);
    data_ = weight.raw_data();
    weight.clear_raw_data();
    weight.set_data_location(onnx::TensorProto::EXTERNAL);
    for (const auto& [key, text] : {std::pair<std::string, std::string>{"location", location},
                                    {"offset", offset},
                                    {"length", length}}) {
      auto& entry = *weight.add_external_data();
      entry.set_key(key);
      entry.set_value(text);
    }
    std::filesystem::create_directories(folder_.path() / "model");
    write_file(folder_.path() / "model" / "weights.bin", "12345678" + data_);
    write_file(folder_.path() / "outside.bin", "12345678" + data_);
    return builder;
  }
  adze_status status_of(const ModelBuilder& builder) {
    try {
      parse_model(builder.bytes(), folder_.path() / "model");
      return ADZE_OK;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("'w'"));
      return error.code;
    }
  }
  TemporaryDirectory folder_;
  std::string data_;
};

TEST_F(ExternalData, is_read_beside_the_model) {
  const auto builder = with_weight_at("weights.bin", "8", "432");
  const Graph graph = parse_model(builder.bytes(), folder_.path() / "model");
  const auto bytes = value_named(graph, "w").constant->bytes();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), data_);
}

TEST_F(ExternalData, outside_the_folder_is_refused) {
  EXPECT_EQ(status_of(with_weight_at("../outside.bin", "8", "432")), ADZE_PERMISSION_DENIED);
  EXPECT_EQ(status_of(with_weight_at((folder_.path() / "outside.bin").string(), "8", "432")),
            ADZE_PERMISSION_DENIED);
  const auto through_link = with_weight_at("link.bin", "8", "432");
  std::filesystem::create_symlink(folder_.path() / "outside.bin",
                                  folder_.path() / "model" / "link.bin");
  EXPECT_EQ(status_of(through_link), ADZE_PERMISSION_DENIED);
}

TEST_F(ExternalData, of_another_size_is_refused) {
  EXPECT_EQ(status_of(with_weight_at("weights.bin", "9", "432")), ADZE_OUT_OF_RANGE);
  EXPECT_EQ(status_of(with_weight_at("weights.bin", "18446744073709551615", "432")),
            ADZE_OUT_OF_RANGE);
  EXPECT_EQ(status_of(with_weight_at("weights.bin", "0", "12")), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(status_of(with_weight_at("weights.bin", "x", "12")), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(status_of(with_weight_at("missing.bin", "0", "432")), ADZE_NOT_FOUND);
}

}  // namespace
}  // namespace adze::host
