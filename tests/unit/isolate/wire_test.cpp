#include "host/isolate/wire.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <random>

#include "host/abi/view.hpp"
#include "host/base/error.hpp"
#include "host/isolate/faults.hpp"
#include "host/isolate/kept_memory.hpp"
#include "host/isolate/shared_constants.hpp"
#include "host/isolate/view_codec.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

class Wire : public testing::Test {
 protected:
  Wire() : Wire(make_channel_pair()) {}
  explicit Wire(std::pair<OwnedFd, OwnedFd> ends)
      : ours(std::move(ends.first)), theirs(std::move(ends.second)) {}

  Message sent(const Writer& contents) {
    send_message(ours, Verb::answer, contents, after_ms(1000));
    return Message(*theirs.receive_before(after_ms(1000)), theirs);
  }
  Channel ours, theirs;
};

TEST_F(Wire, gives_back_what_was_written_however_it_travels) {
  for (const bool read_only : {false, true}) {
    const std::vector<float> numbers = {1.5f, -2.5f};
    Writer writer;
    if (read_only) writer.make_read_only();
    writer.number<std::uint8_t>(7);
    writer.text("text");
    writer.text(nullptr);
    writer.array(numbers.data(), numbers.size());
    writer.array<double>(nullptr, 0);
    writer.blob("bytes", 5);
    writer.blob(nullptr, 0);
    const Message message = sent(writer);
    EXPECT_EQ(message.mapped().empty(), !read_only);
    Reader reader = message.reader();
    EXPECT_EQ(reader.number<std::uint8_t>(), 7);
    EXPECT_STREQ(reader.text(), "text");
    EXPECT_EQ(reader.text(), nullptr);
    std::uint64_t count = 0;
    const float* array = reader.array<float>(count);
    EXPECT_THAT(std::span(array, count), testing::ElementsAre(1.5f, -2.5f));
    EXPECT_EQ(reader.array<double>(count), nullptr);
    const auto blob = reader.blob();
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(blob.data()), blob.size()), "bytes");
    EXPECT_TRUE(reader.blob().empty());
    EXPECT_THROW(reader.number<std::uint8_t>(), Error);
  }
}

TEST_F(Wire, memory_that_is_not_sealed_is_refused) {
  Writer writer;
  writer.make_read_only();
  writer.number(1);
  send_message(ours, Verb::answer, writer, after_ms(1000));
  Frame frame = *theirs.receive_before(after_ms(1000));
  const OwnedFd sealed = std::move(theirs.take_descriptors(1).front());
  std::vector<OwnedFd> open;
  open.emplace_back(::memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(open.front().get(), 64), 0);
  ours.send({.type = FrameType::request, .payload = {}}, open, after_ms(1000));
  theirs.receive_before(after_ms(1000));
  EXPECT_THROW(Message(std::move(frame), theirs), Error);
}

TEST_F(Wire, a_constant_that_came_before_is_found_by_its_number_and_forgotten_when_not_shown) {
  const std::vector<std::byte> bytes(100000, std::byte{7});
  const auto file = std::make_shared<SharedFile>(SharedFile{share(bytes), 5, 100000, 100000});
  Writer keep, use;
  keep.number(file->id);
  keep.number<std::uint64_t>(file->file_bytes);
  keep.number<std::uint64_t>(file->shown_bytes);
  use.blob(file);
  KeptMemory kept;
  const Message unknown = sent(use);
  EXPECT_THROW(unknown.reader(&kept).blob(), Error);
  EXPECT_THROW(unknown.reader().blob(), Error);
  send_message(ours, Verb::keep, keep, after_ms(1000), &file->fd);
  kept.keep(Message(*theirs.receive_before(after_ms(1000)), theirs).reader(), theirs);
  EXPECT_TRUE(std::ranges::equal(unknown.reader(&kept).blob(), bytes));
  const auto held = kept.settle();
  EXPECT_EQ(held.size(), 1u);
  EXPECT_EQ(watched_at(reinterpret_cast<std::uintptr_t>(held[0]->buffer.bytes().data())),
            std::string_view(kShownReadOnly));
  EXPECT_TRUE(kept.settle().empty());
  EXPECT_THROW(unknown.reader(&kept).blob(), Error);
  EXPECT_EQ(held[0]->buffer.bytes().size(), bytes.size());
}

TEST_F(Wire, a_block_is_shown_as_often_as_its_number_of_bytes_asks) {
  const std::vector<std::byte> block(65536, std::byte{3});
  const SharedBuffer shown(share(block), block.size(), 150001);
  EXPECT_EQ(shown.bytes().size(), 150001u);
  EXPECT_TRUE(std::ranges::all_of(shown.bytes(), [](std::byte b) { return b == std::byte{3}; }));
  const std::span<const std::byte> part(block.data(), 100);
  EXPECT_THROW(SharedBuffer(share(part), 100, 150), Error);
  EXPECT_THROW(SharedBuffer(share({}), 0, 150), Error);
}

/// A graph's bytes, cut off or changed anywhere, are read or refused, and never read beyond.
TEST_F(Wire, damaged_graphs_are_an_error_or_a_graph) {
  const Graph graph = test::two_gemms();
  const View view(graph, {0});
  Writer writer;
  write_graph(writer, *view.graph());
  send_message(ours, Verb::answer, writer, after_ms(1000));
  const Frame whole = *theirs.receive_before(after_ms(1000));
  std::mt19937_64 random(1);
  int refused = 0, read = 0;
  for (int round = 0; round < 3000; ++round) {
    Frame damaged = whole;
    for (int change = 0; change < 3; ++change) {
      const std::size_t at = 8 + random() % (damaged.payload.size() - 8);
      damaged.payload[at] = static_cast<std::byte>(random() % 3 ? random() : 0xff);
    }
    try {
      const Message message(std::move(damaged), theirs);
      Reader reader = message.reader();
      Pool pool;
      const adze_graph* shown = read_graph(reader, pool);
      for (std::uint32_t i = 0; i < shown->value_count; ++i)
        static_cast<void>(mask_count(*shown, i));
      ++read;
    } catch (const Error& error) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(read, 100);
}

}  // namespace
}  // namespace adze::host
