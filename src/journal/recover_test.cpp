#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/memory_files.h"
#include "journal/frame.h"
#include "journal/journal.h"

namespace aimeter::journal {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kFolder = "j/7";
const std::string kFirst = "j/7/000001.seg", kSecond = "j/7/000002.seg", kThird = "j/7/000003.seg";
constexpr std::size_t kPayload = 100, kFrame = 120;  // 20 + 100, no padding
constexpr std::size_t kThirdFrame = kSegmentHeaderBytes + 2 * kFrame;

struct Outcome {
  Result<Recovered> result;
  std::vector<std::uint64_t> frames;
};

class RecoverTest : public testing::Test {
 protected:
  // `rounds` groups of `each` settle frames; left behind as a dead process leaves it.
  void leave(int rounds, int each, std::uint64_t segment_bytes = 4096) {
    files_ = std::make_unique<base::MemoryFiles>();
    journal_ =
        create(
            *files_,
            {.folder = kFolder, .engine = 7, .store_id = {9, 8, 7}, .segment_bytes = segment_bytes})
            .value();
    for (int round = 0; round < rounds; ++round) {
      put(each);
      ASSERT_TRUE(journal_->run_once());
    }
  }
  void put(int count, FrameType type = FrameType::settle) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(journal_->append(type, std::string(kPayload, 'p'), {}, {}));
    }
  }
  Outcome run() {
    Outcome outcome;
    outcome.result = recover(*files_, kFolder, [&](const Frame& frame) -> Status {
      outcome.frames.push_back(frame.number);
      return {};
    });
    return outcome;
  }
  void flip(const std::string& path, std::size_t offset, int mask = 1) {
    std::string bytes = files_->bytes(path);
    ASSERT_LT(offset, bytes.size());
    bytes[offset] = static_cast<char>(bytes[offset] ^ mask);
    files_->set_bytes(path, bytes);
  }
  void overwrite(const std::string& path, std::size_t offset, std::string_view with) {
    std::string bytes = files_->bytes(path);
    files_->set_bytes(path, bytes.replace(offset, with.size(), with));
  }
  void expect_corrupt(const testing::Matcher<std::string>& message) {
    const Outcome outcome = run();
    ASSERT_FALSE(outcome.result) << outcome.frames.size() << " frames";
    EXPECT_EQ(outcome.result.error().code, Code::corrupt);
    EXPECT_THAT(outcome.result.error().message, message);
  }

  std::unique_ptr<base::MemoryFiles> files_;
  std::unique_ptr<Journal> journal_;
};

TEST_F(RecoverTest, EveryWrittenFrameComesBackInOrder) {
  leave(4, 2, 512);  // 3 frames a segment
  const Outcome outcome = run();
  ASSERT_TRUE(outcome.result) << outcome.result.error().message;
  EXPECT_THAT(outcome.frames, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_EQ(outcome.result->engine, 7U);
  EXPECT_EQ(outcome.result->store_id, (base::Key16{9, 8, 7}));
  EXPECT_EQ(outcome.result->frames, 8U);
  EXPECT_EQ(outcome.result->cut_bytes, 0U);
  EXPECT_FALSE(outcome.result->closed);
}

TEST_F(RecoverTest, AFolderWithoutSegmentsIsAnEmptyJournal) {
  base::MemoryFiles files;
  ASSERT_TRUE(files.make_folder(kFolder));
  const auto result = recover(files, kFolder, [](const Frame&) -> Status { return {}; });
  EXPECT_EQ(result.value().engine, 0U);
  EXPECT_EQ(result.value().frames, 0U);
}

TEST_F(RecoverTest, AnErrorOfTheVisitorIsPassedOn) {
  leave(1, 3);
  const auto result = recover(*files_, kFolder, [](const Frame& frame) -> Status {
    if (frame.number == 2) return fail(Code::unavailable, "the store is away");
    return {};
  });
  EXPECT_EQ(result.error().message, "the store is away");
}

TEST_F(RecoverTest, DroppedSegmentsAreNotMissed) {
  leave(8, 1, 512);
  ASSERT_EQ(journal_->drop_segments(3).value(), 1);
  EXPECT_THAT(run().frames, ElementsAre(4, 5, 6, 7, 8));
}

TEST_F(RecoverTest, ATornTailIsCutWhereverTheWriteStopped) {
  for (std::uint64_t kept = 0; kept <= 2 * kFrame; kept += 7) {
    leave(1, 2);
    put(2);
    files_->fail_syncs_after(0);
    EXPECT_FALSE(journal_->run_once());
    files_->crash(kept);
    const Outcome outcome = run();
    ASSERT_TRUE(outcome.result) << outcome.result.error().message;
    EXPECT_EQ(outcome.frames.size(), 2 + kept / kFrame) << kept;
    EXPECT_LE(outcome.result->cut_bytes, kept % kFrame) << "what was written of the torn frame";
    EXPECT_EQ(outcome.result->cut_bytes > 0, kept % kFrame > 0) << kept;
  }
}

TEST_F(RecoverTest, ATornSegmentSwitchIsCutWhereverTheWriteStopped) {
  for (std::uint64_t kept = 0; kept <= kSegmentHeaderBytes + kFrame; ++kept) {
    leave(1, 3, 512);
    put(1);
    files_->fail_syncs_after(1);  // the full segment's; then the round's own fails
    EXPECT_FALSE(journal_->run_once());
    files_->crash(kept);
    const Outcome outcome = run();
    ASSERT_TRUE(outcome.result) << kept << ": " << outcome.result.error().message;
    EXPECT_EQ(outcome.frames.size(), kept < kSegmentHeaderBytes + kFrame ? 3U : 4U) << kept;
  }
}

// A disk writes sectors in any order: after a crash any of them may be missing. What was synced is
// there, nothing that comes back is wrong, and it is never called corrupt.
TEST_F(RecoverTest, AnUnsyncedGroupMayArriveInAnySectors) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    const int synced = static_cast<int>(random() % 20);
    leave(synced, 1, 2048);
    if (random() % 2 == 0) {  // a group that is written but not synced may stand in between
      put(static_cast<int>(1 + random() % 5), FrameType::begin);
      ASSERT_TRUE(journal_->run_once());
    }
    put(static_cast<int>(1 + random() % 40));
    files_->fail_syncs_after(static_cast<int>(random() % 2));
    static_cast<void>(journal_->run_once());
    const std::uint64_t acknowledged = journal_->last_written();
    files_->crash_keeping_sectors([&](std::uint64_t) { return random() % 2 == 0; });
    const Outcome outcome = run();
    ASSERT_TRUE(outcome.result) << "seed " << seed << ": " << outcome.result.error().message;
    EXPECT_GE(outcome.frames.size(), static_cast<std::uint64_t>(synced));
    if (acknowledged > static_cast<std::uint64_t>(synced) + 5) {
      EXPECT_GE(outcome.frames.size(), acknowledged) << "seed " << seed;
    }
  }
}

struct FlipRow {
  std::string_view says;
  std::size_t offset;  // in the third of five frames
};

TEST_F(RecoverTest, AFlippedBitBeforeValidFramesIsCorrupt) {
  const FlipRow rows[] = {
      {"length", 0}, {"length, high byte", 3}, {"checksum", 4}, {"type", 8},     {"version", 9},
      {"flags", 10}, {"number", 12},           {"seq", 20},     {"payload", 60}, {"last byte", 119},
  };
  for (const FlipRow& row : rows) {
    SCOPED_TRACE(row.says);
    for (const int rounds : {1, 5}) {  // in one group or each on its own
      leave(rounds, 5 / rounds);
      flip(kFirst, kThirdFrame + row.offset);
      expect_corrupt(AllOf(HasSubstr("j/7/000001.seg: offset 304: frame 3 does not check"),
                           HasSubstr("frame 4 at offset 424 of j/7/000001.seg does")));
    }
  }
}

TEST_F(RecoverTest, AFlippedBitInTheLastFrameCutsIt) {
  leave(1, 3);
  flip(kFirst, kThirdFrame + 60);
  const Outcome outcome = run();
  ASSERT_TRUE(outcome.result);
  EXPECT_THAT(outcome.frames, ElementsAre(1, 2));
  EXPECT_EQ(outcome.result->cut_bytes, kFrame);
}

TEST_F(RecoverTest, ADamagedLastFrameBeforeAnotherSegmentIsCorrupt) {
  leave(5, 1, 512);
  flip(kFirst, kThirdFrame + 60);
  expect_corrupt(AllOf(HasSubstr("000001.seg: offset 304: frame 3 does not check"),
                       HasSubstr("j/7/000002.seg follows")));
}

TEST_F(RecoverTest, ALastFrameOfZerosBeforeAnotherSegmentIsCorrupt) {
  leave(5, 1, 512);
  overwrite(kFirst, kThirdFrame, std::string(kFrame, '\0'));
  expect_corrupt(HasSubstr("000002.seg: offset 0: begins with frame 4 where 3 belongs"));
}

TEST_F(RecoverTest, ASectorLostAfterItsSyncIsCorrupt) {
  leave(20, 1);
  overwrite(kFirst, 512, std::string(512, '\0'));
  expect_corrupt(HasSubstr("000001.seg: offset 424: frame 4 does not check, but frame 9"));
}

TEST_F(RecoverTest, AFlippedBitInEachHeaderFieldIsCorruptAndNamesTheFile) {
  const FlipRow rows[] = {
      {"magic", 0},        {"version", 8},   {"engine", 12},   {"segment", 20},
      {"first frame", 28}, {"store id", 36}, {"reserved", 52}, {"checksum", 60},
  };
  for (const FlipRow& row : rows) {
    SCOPED_TRACE(row.says);
    for (const std::string& path : {kFirst, kSecond}) {  // the first and the last one used
      leave(4, 1, 512);
      flip(path, row.offset);
      expect_corrupt(HasSubstr(path + ": offset 0: "));
    }
  }
}

TEST_F(RecoverTest, ANewerVersionIsNamed) {
  leave(1, 1);
  flip(kFirst, 8, 3);
  expect_corrupt(HasSubstr("000001.seg: offset 0: has version 2, this program knows version 1"));
}

TEST_F(RecoverTest, AHeaderErasedBeforeValidFramesIsCorrupt) {
  leave(2, 2);
  overwrite(kFirst, 0, std::string(kSegmentHeaderBytes, '\0'));
  expect_corrupt(
      HasSubstr("000001.seg: offset 0: frame 1 does not check, but frame 1 at offset 64"));
}

struct HeaderRow {
  std::string_view says;
  SegmentHeader header;
  std::string_view message;
};

TEST_F(RecoverTest, AHeaderThatDoesNotBelongHereIsCorrupt) {
  const base::Key16 store = {9, 8, 7};
  const HeaderRow rows[] = {
      {"another engine", {8, 2, 4, store}, "is of engine 8, the others of 7"},
      {"another segment", {7, 3, 4, store}, "is segment 3 by its header"},
      {"a frame too early", {7, 2, 3, store}, "begins with frame 3 where 4 belongs"},
      {"a frame too late", {7, 2, 5, store}, "begins with frame 5 where 4 belongs"},
      {"another store", {7, 2, 4, {1}}, "is of another store than the others"},
  };
  for (const HeaderRow& row : rows) {
    SCOPED_TRACE(row.says);
    leave(4, 1, 512);
    overwrite(kSecond, 0, write_header(row.header));
    expect_corrupt(AllOf(HasSubstr(kSecond + ": offset 0"), HasSubstr(std::string(row.message))));
  }
}

TEST_F(RecoverTest, TheFirstSegmentBeginsWithTheFirstFrame) {
  leave(1, 1);
  overwrite(kFirst, 0, write_header({7, 1, 2, {9, 8, 7}}));
  expect_corrupt(HasSubstr("begins with frame 2 where 1 belongs"));
}

TEST_F(RecoverTest, SegmentsInTheWrongOrderAreCorrupt) {
  leave(9, 1, 512);
  const std::string second = files_->bytes(kSecond);
  files_->set_bytes(kSecond, files_->bytes(kThird));
  files_->set_bytes(kThird, second);
  expect_corrupt(HasSubstr("000002.seg: offset 0: is segment 3 by its header"));
}

TEST_F(RecoverTest, AMissingMiddleSegmentIsCorruptAndNamed) {
  leave(9, 1, 512);
  ASSERT_TRUE(files_->remove(kSecond));
  expect_corrupt(HasSubstr("000002.seg: offset 0: is missing between its neighbours"));
}

TEST_F(RecoverTest, ASegmentCutShortBeforeAnotherIsCorrupt) {
  leave(5, 1, 512);
  files_->set_bytes(kFirst, files_->bytes(kFirst).substr(0, kThirdFrame + 30));
  expect_corrupt(HasSubstr("000001.seg: offset 304: frame 3 does not check"));
}

struct FrameRow {
  std::string_view says;
  FrameHead head;
  std::string_view message;
};

TEST_F(RecoverTest, AValidFrameThatDoesNotBelongHereIsCorrupt) {
  const FrameRow rows[] = {
      {"a number again", {FrameType::settle, 0, 2, 2}, "offset 304: frame 2 where 3 belongs"},
      {"a number left out", {FrameType::settle, 0, 4, 4}, "offset 304: frame 4 where 3 belongs"},
      {"a type of tomorrow", {static_cast<FrameType>(6), 0, 3, 0}, "frame type 6 is not known"},
      {"a type that never was", {static_cast<FrameType>(0), 0, 3, 0}, "frame type 0 is not known"},
  };
  for (const FrameRow& row : rows) {
    SCOPED_TRACE(row.says);
    leave(1, 3);
    std::string frame(kFrame, '\0');
    write_frame(frame.data(), row.head, std::string(kPayload, 'p'));
    overwrite(kFirst, kThirdFrame, frame);
    expect_corrupt(HasSubstr(std::string(row.message)));
  }
}

TEST_F(RecoverTest, ANumberedFrameWithoutRoomForItsSeqIsCorrupt) {
  leave(1, 2);
  std::string frame(frame_bytes(4), '\0');
  write_frame(frame.data(), {FrameType::settle, 0, 3, 0}, "four");
  overwrite(kFirst, kThirdFrame, frame);
  expect_corrupt(HasSubstr("offset 304: a numbered frame is too short for its seq"));
}

TEST_F(RecoverTest, NoDamageCrashesOrBringsAWrongFrame) {
  leave(12, 2, 1024);
  std::vector<std::pair<std::string, std::string>> good;
  const std::vector<std::string> names = files_->list(kFolder).value();
  for (const std::string& name : names) {
    good.emplace_back(kFolder + "/" + name, files_->bytes(kFolder + "/" + name));
  }
  std::mt19937_64 random(7);
  for (int round = 0; round < 2'000; ++round) {
    for (const auto& [path, bytes] : good) files_->set_bytes(path, bytes);
    for (std::uint64_t i = 0; i <= random() % 3; ++i) {
      const auto& path = good[random() % good.size()].first;
      std::string bytes = files_->bytes(path);
      if (bytes.empty()) continue;
      const std::size_t at = random() % bytes.size();
      if (random() % 4 == 0) {
        bytes.resize(at);
      } else {
        bytes[at] = static_cast<char>(random());
      }
      files_->set_bytes(path, bytes);
    }
    std::uint64_t next = 1;
    const auto result = recover(*files_, kFolder, [&](const Frame& frame) -> Status {
      EXPECT_EQ(frame.number, next++);
      EXPECT_EQ(frame.payload.substr(8), std::string(kPayload - 8, 'p'));
      return {};
    });
    EXPECT_TRUE(result || result.error().code == Code::corrupt);
  }
}

// Lengths that share their padding share all other bytes: only the checksum tells them apart.
TEST(FrameBytes, ALengthThatChangedWithinThePaddingIsNoFrame) {
  std::string bytes(frame_bytes(9), '\0');
  write_frame(bytes.data(), {.type = FrameType::release, .number = 1}, "12345678x");
  ASSERT_EQ(parse_frame(bytes)->frame.payload, "12345678x");
  for (const char length : {5, 6, 7, 8, 10, 11, 12}) {
    std::string changed = bytes;
    changed[0] = length;
    EXPECT_EQ(claimed_bytes(changed), bytes.size()) << int{length};
    EXPECT_FALSE(parse_frame(changed).has_value()) << int{length};
  }
}

TEST(FrameBytes, AreFixed) {
  std::string bytes(frame_bytes(9), '\xaa');
  write_frame(bytes.data(), {FrameType::settle, 1, 0x0807060504030201, 0x1817161514131211},
              "12345678x");
  EXPECT_EQ(base::hex(bytes), "090000006b062b24020101000102030405060708111213141516171878000000");
  EXPECT_EQ(base::hex(write_header({7, 2, 4, {9, 8, 7}})),
            "41494d4a524e4c310100000007000000000000000200000000000000040000000000000009080700000000"
            "0000000000000000000000000000000000c69f1216");
}

}  // namespace
}  // namespace aimeter::journal
