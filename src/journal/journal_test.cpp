#include "journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/memory_files.h"
#include "base/step_workers.h"
#include "journal/frame.h"

namespace aimeter::journal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kFolder = "j/7";
constexpr base::Wait kLong = std::chrono::minutes(1);

Options options_of(std::uint64_t segment_bytes = 4096) {
  Options options;
  options.folder = kFolder;
  options.engine = 7;
  options.store_id = {1, 2, 3};
  options.segment_bytes = segment_bytes;
  return options;
}

std::string numbered(std::string_view text) { return std::string(8, '\0') + std::string(text); }

struct Seen {
  std::uint64_t number = 0, segment = 0;
  FrameType type = FrameType::begin;
  std::string payload = {};
};

std::vector<Seen> read_all(Journal& journal, std::uint64_t from = 1) {
  std::vector<Seen> seen;
  const Status status = journal.read(from, [&](const Frame& frame) {
    seen.push_back({frame.number, frame.segment, frame.type, std::string(frame.payload)});
    return true;
  });
  EXPECT_TRUE(status) << status.error().message;
  return seen;
}

class JournalTest : public testing::Test {
 protected:
  std::unique_ptr<Journal> begin(const Options& options = options_of()) {
    auto journal = create(files_, options);
    EXPECT_TRUE(journal) << journal.error().message;
    return *std::move(journal);
  }
  // -> whether the writer is to be woken
  static bool put(Journal& journal, std::string text, FrameType type = FrameType::settle) {
    const auto done = journal.append(type, is_numbered(type) ? numbered(text) : text, {}, {});
    EXPECT_TRUE(done) << done.error().message;
    return done && done->wake;
  }
  std::vector<std::string> segments() {
    std::vector<std::string> names = files_.list(std::string(kFolder)).value();
    std::erase(names, "lock");
    return names;
  }

  base::MemoryFiles files_;
};

TEST_F(JournalTest, FramesAreNumberedAndNumberedOnesGetASeq) {
  const auto journal = begin();
  std::vector<std::uint64_t> under_lock;
  const auto record = [&](const Appended& appended) { under_lock.push_back(appended.frame); };
  const auto first = journal->append(FrameType::begin, "hold", {}, record).value();
  const auto second = journal->append(FrameType::settle, numbered("a"), {}, record).value();
  const auto third = journal->append(FrameType::release, "r", {}, record).value();
  const auto fourth = journal->append(FrameType::detach, numbered("b"), {}, record).value();
  EXPECT_EQ(first.frame, 1U);
  EXPECT_EQ(first.seq, 0U);
  EXPECT_EQ(second.frame, 2U);
  EXPECT_EQ(second.seq, 1U);
  EXPECT_EQ(third.seq, 0U);
  EXPECT_EQ(fourth.frame, 4U);
  EXPECT_EQ(fourth.seq, 2U);
  EXPECT_THAT(under_lock, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(read_all(*journal), IsEmpty()) << "not written yet";
  EXPECT_TRUE(journal->run_once());
  const auto seen = read_all(*journal);
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen[1].payload, std::string("\1\0\0\0\0\0\0\0a", 9)) << "the seq is filled in";
  EXPECT_EQ(seen[3].payload, std::string("\2\0\0\0\0\0\0\0b", 9));
  EXPECT_EQ(seen[0].payload, "hold");
}

TEST_F(JournalTest, OneRoundIsOneWriteAndOneSync) {
  const auto journal = begin(options_of(1 << 20));
  const std::uint64_t writes = files_.writes(), syncs = files_.syncs();
  for (int i = 0; i < 100; ++i) put(*journal, "x");
  EXPECT_EQ(journal->written().passed(), 0U);
  EXPECT_TRUE(journal->run_once());
  EXPECT_EQ(files_.writes(), writes + 1);
  EXPECT_EQ(files_.syncs(), syncs + 1);
  EXPECT_EQ(journal->written().passed(), 100U);
  EXPECT_EQ(journal->last_written(), 100U);
  EXPECT_FALSE(journal->run_once()) << "nothing to do";
}

TEST_F(JournalTest, WithoutSyncARoundIsOnlyWritten) {
  Options options = options_of();
  options.sync = false;
  const auto journal = begin(options);
  const std::uint64_t syncs = files_.syncs();
  put(*journal, "x");
  EXPECT_TRUE(journal->run_once());
  EXPECT_EQ(files_.syncs(), syncs);
  EXPECT_EQ(journal->written().passed(), 1U);
}

TEST_F(JournalTest, HoldsThatBeginOrEndUnusedDoNotWakeTheWriterNorSync) {
  const auto journal = begin();
  EXPECT_FALSE(journal->run_once()) << "now it sleeps";
  const std::uint64_t syncs = files_.syncs();
  EXPECT_FALSE(put(*journal, "hold", FrameType::begin));
  EXPECT_FALSE(put(*journal, "release", FrameType::release));
  EXPECT_TRUE(journal->run_once());
  EXPECT_EQ(files_.syncs(), syncs) << "nobody waits for them";
  EXPECT_EQ(journal->written().passed(), 2U);
  EXPECT_FALSE(put(*journal, "settle")) << "the writer has not found nothing to do since";
  EXPECT_TRUE(journal->run_once());
  EXPECT_FALSE(journal->run_once());
  EXPECT_TRUE(put(*journal, "settle"));
  EXPECT_FALSE(put(*journal, "settle")) << "once per sleep";
}

TEST_F(JournalTest, WhoDidARoundForItselfMayLetTheWriterSleep) {
  const auto journal = begin();
  EXPECT_TRUE(put(*journal, "mine"));
  EXPECT_TRUE(journal->run_once());
  EXPECT_FALSE(put(*journal, "of another, who waits")) << "somebody is at it";
  EXPECT_FALSE(journal->rests());
  EXPECT_TRUE(journal->run_once());
  put(*journal, "hold", FrameType::begin);
  EXPECT_TRUE(journal->rests()) << "nobody waits for a hold's beginning";
  EXPECT_TRUE(put(*journal, "the next")) << "or nobody would ever write it";
}

TEST_F(JournalTest, ManyUnawaitedFramesWakeTheWriterAllTheSame) {
  const auto journal = begin(options_of(1 << 20));
  int wakes = 0;
  for (int i = 0; i < 10; ++i) {
    wakes += put(*journal, std::string(30'000, 'h'), FrameType::begin) ? 1 : 0;
  }
  EXPECT_EQ(wakes, 1);
}

TEST_F(JournalTest, FramesNeverSpanSegmentsAndNumbersRunOn) {
  const auto journal = begin(options_of(512));  // 448 bytes of frames
  for (int i = 1; i <= 7; ++i) {
    put(*journal, std::string(100, static_cast<char>('0' + i)));  // 128 bytes a frame
    ASSERT_TRUE(journal->run_once());
  }
  const auto seen = read_all(*journal);
  ASSERT_EQ(seen.size(), 7U);
  std::vector<std::uint64_t> in_segment;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].number, i + 1);
    in_segment.push_back(seen[i].segment);
  }
  EXPECT_THAT(in_segment, ElementsAre(1, 1, 1, 2, 2, 2, 3));
  EXPECT_EQ(files_.bytes("j/7/000001.seg").size(), 512U) << "allocated, whatever is used";
}

TEST_F(JournalTest, OneRoundMaySpanSegmentsAndSyncsEachBeforeTheNext) {
  const auto journal = begin(options_of(512));
  for (int i = 0; i < 7; ++i) put(*journal, std::string(100, 'x'));
  const std::uint64_t syncs = files_.syncs();
  EXPECT_TRUE(journal->run_once());
  EXPECT_GE(files_.syncs(), syncs + 3);
  EXPECT_EQ(read_all(*journal).size(), 7U);
  EXPECT_EQ(read_all(*journal, 5).front().number, 5U);
}

struct SizeRow {
  std::string_view says;
  std::size_t payload;
  bool accepted;
};

TEST_F(JournalTest, AFrameLargerThanASegmentIsRefused) {
  const SizeRow rows[] = {
      {"448 bytes less the header of 20 fill a segment", 428, true},
      {"one byte more spans two", 429, false},
      {"a length that runs over", ~std::size_t{0}, false},
  };
  const auto journal = begin(options_of(512));
  for (const SizeRow& row : rows) {
    SCOPED_TRACE(row.says);
    const Status reserved = journal->reserve(row.payload);
    EXPECT_EQ(reserved.has_value(), row.accepted);
    if (row.accepted) {
      EXPECT_TRUE(
          journal->append(FrameType::release, std::string(row.payload, 'x'), {row.payload}, {}));
      continue;
    }
    EXPECT_EQ(reserved.error().code, Code::invalid_argument);
    EXPECT_THAT(reserved.error().message, HasSubstr("at most the 428 bytes of a segment"));
  }
  const auto refused = journal->append(FrameType::release, std::string(429, 'x'), {}, {});
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
}

TEST_F(JournalTest, AFullDiskRefusesHoldsNeverAnswers) {
  const auto journal = begin(options_of(512));
  files_.set_free_bytes(512 * 2);
  std::vector<std::size_t> reserved;
  while (true) {
    const std::size_t payload = 40 + reserved.size() % 50;
    const Status status = journal->reserve(payload);
    if (!status) {
      EXPECT_EQ(status.error().code, Code::unavailable);
      EXPECT_THAT(status.error().message, HasSubstr("j/7/000004.seg: cannot allocate: No space"));
      EXPECT_THAT(status.error().message, HasSubstr("errno 28"));
      break;
    }
    reserved.push_back(payload);
  }
  EXPECT_GE(reserved.size(), 10U);
  EXPECT_EQ(journal->append(FrameType::begin, std::string(300, 'x'), {}, {}).error().code,
            Code::unavailable)
      << "an unreserved frame does not take reserved room";
  EXPECT_EQ(segments().size(), 3U) << "the segment that could not be allocated is gone";
  for (const std::size_t payload : reserved) {
    const auto done =
        journal->append(FrameType::settle, numbered(std::string(payload - 8, 'p')), {payload}, {});
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_TRUE(journal->run_once());
  }
  EXPECT_EQ(read_all(*journal).size(), reserved.size());
  files_.set_free_bytes(4096);
  EXPECT_TRUE(journal->reserve(100)) << "room again: holds again";
}

TEST_F(JournalTest, WhatIsUnreservedIsRoomAgain) {
  const auto journal = begin(options_of(512));
  files_.set_free_bytes(0);
  ASSERT_TRUE(journal->reserve(400));
  EXPECT_EQ(journal->reserve(100).error().code, Code::unavailable);
  journal->unreserve(400);
  EXPECT_TRUE(journal->reserve(100));
  journal->unreserve(0);
  EXPECT_TRUE(journal->reserve(0)) << "nothing is nothing";
}

TEST_F(JournalTest, WhatWaitsForTheWriterIsLimited) {
  Options options = options_of();
  options.buffer_bytes_max = 200;
  const auto journal = begin(options);
  ASSERT_TRUE(journal->reserve(100));
  put(*journal, std::string(200, 'x'));
  EXPECT_THAT(journal->reserve(10).error().message, HasSubstr("bytes wait to be written to j/7"));
  const auto refused = journal->append(FrameType::begin, "x", {}, {});
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_TRUE(journal->append(FrameType::settle, numbered("x"), {100}, {})) << "reserved before";
  EXPECT_TRUE(journal->run_once());
  EXPECT_TRUE(journal->reserve(10));
}

struct FailRow {
  std::string_view says;
  void (base::MemoryFiles::*fail)(int);
  std::string_view message;
};

TEST_F(JournalTest, AFailedWriteOrSyncIsFinal) {
  const FailRow rows[] = {
      {"a write fails", &base::MemoryFiles::fail_writes_after, "j/7/000001.seg: cannot write"},
      {"a sync fails", &base::MemoryFiles::fail_syncs_after, "j/7/000001.seg: cannot sync"},
  };
  for (const FailRow& row : rows) {
    SCOPED_TRACE(row.says);
    base::MemoryFiles files;
    const auto journal = create(files, options_of()).value();
    put(*journal, "good");
    ASSERT_TRUE(journal->run_once());
    ASSERT_TRUE(journal->reserve(100));
    put(*journal, "lost");
    (files.*row.fail)(0);
    EXPECT_FALSE(journal->run_once());
    EXPECT_EQ(journal->written().passed(), ~std::uint64_t{0}) << "nobody hangs";
    EXPECT_EQ(journal->last_written(), 1U);
    ASSERT_TRUE(journal->failed());
    EXPECT_EQ(journal->failed()->code, Code::in_doubt);
    EXPECT_THAT(journal->failed()->message, HasSubstr(row.message));
    (files.*row.fail)(-1);
    EXPECT_FALSE(journal->run_once()) << "also when the disk is well again";
    const auto append = journal->append(FrameType::settle, numbered("x"), {100}, {});
    EXPECT_EQ(append.error().code, Code::unavailable);
    EXPECT_THAT(append.error().message, HasSubstr(row.message));
    EXPECT_EQ(journal->reserve(10).error().code, Code::unavailable);
    EXPECT_EQ(read_all(*journal).size(), 1U) << "what was written can be read";
    EXPECT_EQ(journal->close().error().code, Code::in_doubt);
    EXPECT_NE(try_lock_folder(files, std::string(kFolder)).value(), nullptr);
  }
}

TEST_F(JournalTest, IsBegunOnceItsFolderHoldsMoreThanTheLock) {
  const std::string folder(kFolder);
  EXPECT_FALSE(is_begun(files_, folder).value()) << "absent";
  ASSERT_TRUE(files_.make_folder(folder));
  EXPECT_FALSE(is_begun(files_, folder).value());
  {
    const auto lock = try_lock_folder(files_, folder).value();
  }
  EXPECT_FALSE(is_begun(files_, folder).value());
  const auto journal = begin();
  EXPECT_TRUE(is_begun(files_, folder).value());
}

TEST_F(JournalTest, OneFolderHasOneOwner) {
  auto journal = begin();
  const auto second = create(files_, options_of());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::unavailable);
  EXPECT_THAT(second.error().message, HasSubstr("another process has the lock of j/7"));
  EXPECT_EQ(try_lock_folder(files_, std::string(kFolder)).value(), nullptr);
  journal.reset();
  const auto third = create(files_, options_of());
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::failed_precondition);
  EXPECT_THAT(third.error().message, HasSubstr("j/7 holds 000001.seg already"));
}

TEST_F(JournalTest, SegmentsTooSmallToBeUsefulAreRefused) {
  EXPECT_EQ(create(files_, options_of(511)).error().code, Code::invalid_argument);
  EXPECT_TRUE(create(files_, options_of(513))) << "cut to 512";
}

TEST_F(JournalTest, OnlyWholeSegmentsThatAreAppliedAreDropped) {
  const auto journal = begin(options_of(512));
  for (int i = 0; i < 8; ++i) put(*journal, std::string(100, 'x'));  // 3 a segment
  EXPECT_EQ(journal->drop_segments(8).value(), 0) << "nothing is written yet";
  ASSERT_TRUE(journal->run_once());
  EXPECT_EQ(journal->drop_segments(2).value(), 0) << "seq 3 is in the first segment";
  EXPECT_EQ(journal->drop_segments(3).value(), 1);
  EXPECT_EQ(segments().front(), "000002.seg");
  EXPECT_EQ(journal->read(3, [](const Frame&) { return true; }).error().code, Code::not_found);
  EXPECT_EQ(read_all(*journal, 4).size(), 5U);
  EXPECT_EQ(journal->drop_segments(100).value(), 1) << "the newest stays";
  EXPECT_EQ(read_all(*journal, 7).size(), 2U);
  put(*journal, "more");
  ASSERT_TRUE(journal->run_once());
  EXPECT_EQ(read_all(*journal, 9).size(), 1U) << "and goes on";
}

TEST_F(JournalTest, ASegmentWithoutNumberedFramesGoesWithItsNeighbours) {
  const auto journal = begin(options_of(512));
  put(*journal, std::string(100, 'x'));
  for (int i = 0; i < 8; ++i) put(*journal, std::string(100, 'h'), FrameType::release);
  ASSERT_TRUE(journal->run_once());
  EXPECT_EQ(journal->drop_segments(0).value(), 0);
  EXPECT_EQ(journal->drop_segments(1).value(), 2);
}

TEST_F(JournalTest, ASegmentStaysWhileAHoldRunsThatBeganInIt) {
  const auto journal = begin(options_of(512));
  const std::string bytes(100, 'x');
  const auto first = journal->append(FrameType::begin, bytes, {}, {}).value();
  const auto second = journal->append(FrameType::begin, bytes, {}, {}).value();
  for (int i = 0; i < 8; ++i) put(*journal, bytes);  // 3 a segment
  ASSERT_TRUE(journal->run_once());
  EXPECT_EQ(journal->drop_segments(100).value(), 0);
  ASSERT_TRUE(journal->append(FrameType::release, "r", {0, second.frame}, {}));
  EXPECT_EQ(journal->drop_segments(100).value(), 0) << "the other one runs";
  ASSERT_TRUE(journal->append(FrameType::settle, numbered(bytes), {0, first.frame}, {}));
  ASSERT_TRUE(journal->run_once());
  EXPECT_EQ(journal->drop_segments(100).value(), 3);
}

TEST_F(JournalTest, WhatADropLeavesSaysWhoseJournalItIsWhenThePowerGoes) {
  Options options = options_of(512);
  options.sync = false;
  const auto journal = begin(options);
  for (int i = 0; i < 7; ++i) put(*journal, std::string(100, 'x'));  // 3 a segment
  ASSERT_TRUE(journal->run_once());
  EXPECT_EQ(journal->drop_segments(100).value(), 2);
  files_.crash();
  const auto found = recover(files_, "j/7", [](const Frame&) { return Status{}; });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->engine, 7U);
}

TEST_F(JournalTest, ReadingStopsWhenToldAndBeginsInTheMiddle) {
  const auto journal = begin(options_of(8 << 20));
  for (int i = 0; i < 300; ++i) put(*journal, std::string(10'000, 'x'));  // 3 MB: several marks
  ASSERT_TRUE(journal->run_once());
  int visits = 0;
  ASSERT_TRUE(journal->read(250, [&](const Frame& frame) {
    EXPECT_EQ(frame.number, 250U + static_cast<std::uint64_t>(visits));
    return ++visits < 10;
  }));
  EXPECT_EQ(visits, 10);
  EXPECT_EQ(read_all(*journal, 300).size(), 1U);
  EXPECT_THAT(read_all(*journal, 301), IsEmpty());
}

TEST_F(JournalTest, CloseWritesWhatIsLeftAndGivesRoomBack) {
  const auto journal = begin(options_of(4096));
  ASSERT_TRUE(journal->reserve(4000));  // makes a spare segment beside the first frame
  put(*journal, "x");
  ASSERT_TRUE(journal->close());
  EXPECT_THAT(segments(), ElementsAre("000001.seg"));
  EXPECT_LT(files_.bytes("j/7/000001.seg").size(), 200U);
  EXPECT_EQ(journal->append(FrameType::begin, "x", {}, {}).error().code, Code::unavailable);
  EXPECT_TRUE(journal->close()) << "closed is closed";
  const auto lock = try_lock_folder(files_, std::string(kFolder)).value();
  ASSERT_NE(lock, nullptr);
  std::vector<FrameType> types;
  const auto recovered = recover(files_, std::string(kFolder), [&](const Frame& frame) -> Status {
    types.push_back(frame.type);
    return {};
  });
  EXPECT_THAT(types, ElementsAre(FrameType::settle, FrameType::close));
  EXPECT_TRUE(recovered.value().closed);
}

TEST_F(JournalTest, AWaiterIsServedByStepsOfTheWriter) {
  class Writer final : public base::Worker {
   public:
    explicit Writer(Journal& journal) : journal_(journal) {}
    bool step() override { return journal_.run_once(); }

   private:
    Journal& journal_;
  };
  const auto journal = begin();
  Writer writer(*journal);
  base::StepWorkers workers;
  workers.start("journal", writer, kLong);
  const auto appended = journal->append(FrameType::settle, numbered("x"), {}, {}).value();
  EXPECT_TRUE(workers.wait(journal->written(), appended.frame, kLong));
}

// On the system's files, with threads: what was acknowledged is there, in order, once.
TEST(JournalThreads, EveryAcknowledgedFrameIsThereOnce) {
  std::string pattern = (std::filesystem::temp_directory_path() / "aimeter_XXXXXX").string();
  const std::string root = mkdtemp(pattern.data());
  constexpr int kThreads = 8, kEach = 200;
  Options options = options_of(32 << 10);
  options.folder = root + "/7";
  {
    const auto journal = create(base::system_files(), options).value();
    class Writer final : public base::Worker {
     public:
      explicit Writer(Journal& j) : journal(j) {}
      bool step() override { return journal.run_once(); }
      bool help() override { return journal.run_once() && journal.rests(); }
      Journal& journal;
    } writer(*journal);
    const auto workers = base::make_system_workers();
    workers->start("journal", writer, kLong);
    std::vector<std::thread> threads;
    std::atomic<int> acknowledged{0};
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          const std::string text = std::to_string(t) + ":" + std::to_string(i);
          const std::string payload =
              numbered(text) + std::string(static_cast<std::size_t>(i), '.');
          if (!journal->reserve(payload.size())) return;
          const auto done = journal->append(FrameType::settle, payload, {payload.size()}, {});
          if (!done) return;
          // The odd ones do the round themselves where the writer sleeps.
          if (done->wake && t % 2 == 0) workers->wake(writer);
          const bool passed =
              done->wake && t % 2 == 1
                  ? workers->wake_and_wait(writer, journal->written(), done->frame, kLong)
                  : workers->wait(journal->written(), done->frame, kLong);
          if (!passed) return;
          if (journal->last_written() >= done->frame) acknowledged.fetch_add(1);
        }
      });
    }
    std::uint64_t next = 1;
    while (next <= kThreads * kEach) {  // reads beside the writer, as the projector does
      ASSERT_TRUE(workers->wait(journal->written(), next, kLong));
      ASSERT_TRUE(journal->read(next, [&](const Frame& frame) { return frame.number == next++; }));
      ASSERT_TRUE(journal->drop_segments(next / 2));
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(acknowledged.load(), kThreads * kEach);
    workers->stop(writer);
    ASSERT_TRUE(journal->close());
  }
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace aimeter::journal
