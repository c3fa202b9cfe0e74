#include "hil/protocol/messages.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "host/base/cbor.hpp"

namespace adze::hil {
namespace {

using host::Error;
using nlohmann::json;

TEST(Messages, head_of_a_request_names_verb_and_deadline) {
  const RequestHead head = decode_head(encode_plain(Verb::slots, 1234));
  EXPECT_EQ(head.verb, Verb::slots);
  EXPECT_EQ(head.deadline_ms, 1234);
}

TEST(Messages, unknown_verbs_and_deadlines_out_of_range_are_refused) {
  const auto code_of = [](const json& message) {
    try {
      decode_head(host::encode_cbor(message));
    } catch (const Error& error) {
      return static_cast<int>(error.code);
    }
    return 0;
  };
  EXPECT_EQ(code_of({{"verb", "explode"}, {"deadline_ms", 5}}), ADZE_UNIMPLEMENTED);
  EXPECT_EQ(code_of({{"verb", "info"}, {"deadline_ms", 0}}), ADZE_DATA_LOSS);
  EXPECT_EQ(code_of({{"verb", "info"}, {"deadline_ms", -5}}), ADZE_DATA_LOSS);
  EXPECT_EQ(code_of({{"verb", "info"}}), ADZE_DATA_LOSS);
  EXPECT_EQ(code_of({{"verb", 7}, {"deadline_ms", 5}}), ADZE_DATA_LOSS);
  EXPECT_EQ(code_of(json::array({1})), ADZE_DATA_LOSS);
}

TEST(Messages, hello_survives_with_a_nonce_of_64_bits) {
  const HelloReply reply{.version = 1,
                         .board = "sim-01",
                         .board_type = "rzv2h",
                         .agent = "0.1.0",
                         .nonce = 0xFEDCBA9876543210,
                         .simulated = true,
                         .lab = true};
  const HelloReply back = HelloReply::decode(reply.encode());
  EXPECT_EQ(back.nonce, reply.nonce);
  EXPECT_EQ(back.board, "sim-01");
  EXPECT_TRUE(back.simulated);
}

TEST(Messages, run_keeps_tensors_and_settings) {
  const RunRequest request{
      .inputs = {{.name = "x", .dtype = host::DType::u8, .shape = {5, 0, 3}, .batch_axis = 0}},
      .settings = {.drop_first = true, .warmup_ms = 200, .repeats = 662, .outputs_wanted = false}};
  const RunRequest back = RunRequest::decode(request.encode(1000));
  EXPECT_EQ(back.inputs, request.inputs);
  EXPECT_EQ(back.settings.repeats, 662);
  EXPECT_FALSE(back.settings.outputs_wanted);
}

TEST(Messages, tensors_with_bad_shapes_or_types_are_refused) {
  const auto accepts = [](const json& tensor) {
    json message = {
        {"drop_first", false}, {"warmup_ms", 0}, {"repeats", 1}, {"outputs_wanted", true}};
    message["inputs"] = json::array({tensor});
    try {
      RunRequest::decode(host::encode_cbor(message));
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(error.code, ADZE_DATA_LOSS);
      return false;
    }
  };
  const json good = {{"name", "x"}, {"dtype", "float32"}, {"shape", {1, 2}}, {"batch_axis", 0}};
  const auto with = [&](const char* key, const json& value) {
    json tensor = good;
    tensor[key] = value;
    return tensor;
  };
  EXPECT_TRUE(accepts(good));
  EXPECT_FALSE(accepts(with("shape", {-1, 2})));
  EXPECT_FALSE(accepts(with("shape", {1u << 30, 1u << 30, 1u << 30})));
  EXPECT_FALSE(accepts(with("shape", json::array({1.5}))));
  EXPECT_FALSE(accepts(with("batch_axis", 2)));
  EXPECT_FALSE(accepts(with("dtype", "string")));
  EXPECT_FALSE(accepts(with("dtype", "float33")));
}

TEST(Messages, telemetry_leaves_out_what_could_not_be_read) {
  const Telemetry telemetry{
      .governor = "performance", .frequency_mhz = 1700, .temperatures_c = {{"cpu", 51.5}}};
  const Telemetry back = Telemetry::decode(telemetry.encode());
  EXPECT_EQ(back.frequency_mhz, 1700);
  EXPECT_TRUE(std::isnan(back.temperature_c));
  EXPECT_EQ(back.temperatures_c.at("cpu"), 51.5);
}

TEST(Messages, an_error_carries_text_that_is_not_utf8) {
  const ErrorNote note{.code = ADZE_ABORTED, .text = "crashed: \xFF\xFE", .busy = true};
  const ErrorNote back = ErrorNote::decode(note.encode());
  EXPECT_EQ(back.code, ADZE_ABORTED);
  EXPECT_TRUE(back.busy);
  EXPECT_THAT(back.text, testing::HasSubstr("crashed"));
}

TEST(Messages, no_mutation_of_a_message_crashes) {
  std::mt19937 random(5);
  const RunReply reply{.outputs = {{.name = "y", .shape = {1, 10}, .batch_axis = 0}},
                       .time_count = 3,
                       .before = {.governor = "g", .temperatures_c = {{"a", 1.0}}},
                       .after = {.governor = "g"}};
  const Payload clean = reply.encode();
  for (int round = 0; round < 20000; ++round) {
    Payload bytes = clean;
    for (auto i = 1 + random() % 3; i > 0; --i)
      bytes[random() % bytes.size()] = std::byte(random() & 255);
    try {
      RunReply::decode(bytes);
    } catch (const Error& error) {
      EXPECT_EQ(error.code, ADZE_DATA_LOSS);
    }
  }
}

}  // namespace
}  // namespace adze::hil
