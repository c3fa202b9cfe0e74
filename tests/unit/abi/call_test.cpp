// The call itself, with components made of functions of this file.
#include "host/abi/call.hpp"

#include <adze/pruner.h>
#include <gtest/gtest.h>

#include <cstring>

#include "host/base/error.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Body = adze_status (*)(void*, adze_call*) noexcept;

struct Made {
  explicit Made(Body body) {
    pruner.struct_size = sizeof pruner;
    pruner.prune = body;
    component.struct_size = sizeof component;
    component.id = "org.example.test";
    component.pruner = &pruner;
  }
  EditList run(const CallOptions& options = {}, const std::vector<Service*>& services = {}) {
    return run_edit_component({&component, &plugin}, {}, graph, {0, 1}, options, services);
  }
  adze_pruner pruner{};
  adze_component component{};
  LoadedPlugin plugin{"/plugins/test.so", nullptr};
  Graph graph = test::two_gemms();
};

std::string failure(Made& made, const CallOptions& options = {}) {
  try {
    made.run(options);
  } catch (const PluginError& error) {
    return error.what();
  }
  return "it succeeded";
}

TEST(Call, shows_threads_seed_and_target) {
  Made made([](void*, adze_call* call) noexcept -> adze_status {
    const bool right = call->threads == 3 && call->seed == 42 &&
                       std::strcmp(call->target->board_type, "rzv2h") == 0 && !call->report &&
                       call->graph->target_count == 2 && call->host->abi_minor == ADZE_ABI_MINOR;
    return right ? ADZE_OK : ADZE_INTERNAL;
  });
  const Target target("rzv2h", {});
  EXPECT_NO_THROW(made.run({.threads = 3, .seed = 42, .target = &target, .progress = {}}));
}

TEST(Call, a_failure_names_plugin_component_function_text_and_code) {
  Made made([](void*, adze_call* call) noexcept -> adze_status {
    return call->host->fail(call, ADZE_OUT_OF_RANGE, "the moon is too far");
  });
  EXPECT_THAT(failure(made),
              AllOf(HasSubstr("test.so"), HasSubstr("org.example.test"), HasSubstr("prune"),
                    HasSubstr("the moon is too far"), HasSubstr("out of range")));
}

TEST(Call, the_plugins_text_wins_and_the_hosts_is_its_cause) {
  Made made([](void*, adze_call* call) noexcept -> adze_status {
    const adze_status status = call->edit->set_mask(call, 99, nullptr, 0);
    return call->host->fail(call, status, "cannot prune");
  });
  EXPECT_THAT(failure(made), HasSubstr("cannot prune (cause: set_mask: there is no value 99"));
}

TEST(Call, recording_a_failure_is_never_success) {
  Made made([](void*, adze_call* call) noexcept -> adze_status {
    return call->host->fail(call, ADZE_OK, nullptr);
  });
  EXPECT_THAT(failure(made), HasSubstr("[unknown]"));
}

TEST(Call, a_stop_is_remembered_and_is_no_fault_of_the_plugin) {
  Made made([](void*, adze_call* call) noexcept -> adze_status {
    int stops = 0;
    for (int i = 0; i < 4; ++i) stops += call->host->progress(call, i / 4.0, "pruning") != 0;
    return stops == 3 ? ADZE_CANCELLED : ADZE_INTERNAL;
  });
  try {
    made.run({.threads = 1,
              .seed = 0,
              .target = nullptr,
              .progress = [](double fraction, const std::string& doing) {
                EXPECT_EQ(doing, "pruning");
                return fraction > 0.2;
              }});
    FAIL() << "not stopped";
  } catch (const PluginError&) {
    FAIL() << "blames the plugin";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_CANCELLED);
  }
}

TEST(Call, progress_outside_0_to_1_is_clamped) {
  Made made([](void*, adze_call* call) noexcept -> adze_status {
    call->host->progress(call, 7, nullptr);
    call->host->progress(call, -1, nullptr);
    call->host->progress(call, __builtin_nan(""), nullptr);
    return ADZE_OK;
  });
  std::vector<double> seen;
  made.run({.threads = 1,
            .seed = 0,
            .target = nullptr,
            .progress = [&](double fraction, const std::string&) {
              seen.push_back(fraction);
              return false;
            }});
  EXPECT_THAT(seen, testing::ElementsAre(1, 0, 0));
}

class Answer : public Service {
 public:
  const char* id() const override { return "org.example.answer/1"; }
  const void* table() const override { return &value; }
  int value = 42;
};

TEST(Call, offers_services_by_id_and_nothing_else) {
  Made made([](void*, adze_call* call) noexcept -> adze_status {
    const void* found = call->host->get_extension(call, "org.example.answer/1");
    const bool right = found && *static_cast<const int*>(found) == 42 &&
                       !call->host->get_extension(call, "org.example.answer/2") &&
                       !call->host->get_extension(call, nullptr) &&
                       dynamic_cast<Answer*>(&Call::of(call).service<Answer>());
    return right ? ADZE_OK : ADZE_INTERNAL;
  });
  Answer answer;
  static constexpr const char* kNeeds[] = {"org.example.answer/1", nullptr};
  made.component.needs = kNeeds;
  EXPECT_NO_THROW(made.run({}, {&answer}));
  EXPECT_THROW(made.run(), Error) << "needs what is not offered";
}

TEST(Call, an_instance_lives_from_create_to_destroy_even_when_the_call_fails) {
  static int alive = 0;
  Made made([](void* self, adze_call* call) noexcept -> adze_status {
    return self == &alive && alive == 1 ? call->host->fail(call, ADZE_ABORTED, "on purpose")
                                        : ADZE_OK;
  });
  made.component.create = [](adze_call* call, void** out_self) noexcept -> adze_status {
    if (call->graph || call->edit) return ADZE_INTERNAL;
    ++alive;
    *out_self = &alive;
    return ADZE_OK;
  };
  made.component.destroy = [](void*) noexcept { --alive; };
  EXPECT_THAT(failure(made), HasSubstr("on purpose"));
  EXPECT_EQ(alive, 0);
}

TEST(Call, a_failing_create_is_named) {
  Made made([](void*, adze_call*) noexcept -> adze_status { return ADZE_OK; });
  made.component.create = [](adze_call* call, void**) noexcept -> adze_status {
    return call->host->fail(call, ADZE_RESOURCE_EXHAUSTED, "no room");
  };
  EXPECT_THAT(failure(made), HasSubstr("create: no room"));
}

TEST(Call, rewind_brings_back_the_edits_before_the_mark) {
  Made made([](void*, adze_call* call) noexcept -> adze_status {
    const std::uint8_t keep[6] = {0, 1, 1, 1, 1, 1};
    if (call->edit->set_mask(call, 1, keep, 6) != ADZE_OK) return ADZE_INTERNAL;
    const std::uint64_t mark = call->edit->mark(call);
    if (call->edit->set_mask(call, 4, keep, 6) != ADZE_OK) return ADZE_INTERNAL;
    return call->edit->rewind(call, mark);
  });
  EXPECT_EQ(made.run().edits().size(), 1u);
}

}  // namespace
}  // namespace adze::host
