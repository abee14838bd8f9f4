#include "base/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/fork.h"
#include "base/memory_files.h"

namespace aimeter::base {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "aimeter_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string at(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// The contract of Files, asked of both.
void check_files(Files& files, const std::string& root) {
  ASSERT_TRUE(files.make_folder(root + "/a/b"));
  ASSERT_TRUE(files.make_folder(root + "/a/b"));
  const std::string path = root + "/a/b/file";
  {
    const auto absent = files.open(path, OpenMode::read_write);
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().code, Code::not_found);
    EXPECT_THAT(absent.error().message, HasSubstr(path));
    EXPECT_THAT(absent.error().message, HasSubstr("errno 2"));
  }
  auto file = files.open(path, OpenMode::create).value();
  EXPECT_EQ(file->size().value(), 0U);
  ASSERT_TRUE(file->allocate(4096));
  EXPECT_EQ(file->size().value(), 4096U);
  EXPECT_EQ(file->read_at(0, 4).value(), std::string(4, '\0'));
  ASSERT_TRUE(file->write_at(10, "hello"));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(files.sync_folder(root + "/a/b"));
  EXPECT_EQ(file->read_at(10, 5).value(), "hello");
  EXPECT_EQ(file->read_at(4090, 100).value().size(), 6U) << "short at the end";
  EXPECT_EQ(file->read_at(5000, 100).value(), "") << "nothing behind the end";
  ASSERT_TRUE(file->truncate(12));
  EXPECT_EQ(files.open(path, OpenMode::create).value()->read_at(10, 9).value(), "he")
      << "create keeps what is there";
  EXPECT_THAT(files.list(root + "/a").value(), ElementsAre("b"));
  EXPECT_THAT(files.list(root + "/a/b").value(), ElementsAre("file"));
  EXPECT_THAT(files.list(root + "/none").value(), IsEmpty());
  EXPECT_EQ(files.remove(root + "/a/b").error().code, Code::unavailable) << "not empty";
  ASSERT_TRUE(files.remove(path));
  ASSERT_TRUE(files.remove(path));
  ASSERT_TRUE(files.remove(root + "/a/b"));
  EXPECT_THAT(files.list(root + "/a").value(), IsEmpty());
  auto held = files.try_lock(root + "/a/lock").value();
  ASSERT_NE(held, nullptr);
  EXPECT_EQ(files.try_lock(root + "/a/lock").value(), nullptr) << "somebody else has it";
  held.reset();
  EXPECT_NE(files.lock(root + "/a/lock").value(), nullptr) << "free again";
}

TEST(Files, SystemKeepsTheContract) {
  const Folder folder;
  check_files(system_files(), folder.at("root"));
}

TEST(Files, MemoryKeepsTheContract) {
  MemoryFiles files;
  check_files(files, "root");
}

TEST(Files, NetworkIsToldOfFoldersThatAreNotMadeYet) {
  const Folder folder;
  EXPECT_FALSE(system_files().is_network(folder.at("not/made/yet")).value());
  MemoryFiles files;
  files.set_network("mnt");
  EXPECT_TRUE(files.is_network("mnt/data").value());
  EXPECT_FALSE(files.is_network("home").value());
}

TEST(Files, AFileThatCannotGrowIsUnavailableAndNamed) {
  const Folder folder;
  auto file = system_files().open(folder.at("file"), OpenMode::create).value();
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{4096, before.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const Status allocated = file->allocate(8192);
  const Status written = file->write_at(4096, "x");
  setrlimit(RLIMIT_FSIZE, &before);
  for (const Status& status : {allocated, written}) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::unavailable);
    EXPECT_THAT(status.error().message, HasSubstr(folder.at("file")));
    EXPECT_THAT(status.error().message, HasSubstr("errno 27"));
  }
}

TEST(MemoryFiles, AFullDiskRefusesGrowthAndOnlyGrowth) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folder("d"));
  auto file = files.open("d/f", OpenMode::create).value();
  files.set_free_bytes(100);
  ASSERT_TRUE(file->allocate(100));
  const Status more = file->allocate(101);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::unavailable);
  EXPECT_THAT(more.error().message, HasSubstr("d/f: cannot allocate: No space left"));
  EXPECT_EQ(file->write_at(99, "ab").error().code, Code::unavailable);
  EXPECT_TRUE(file->write_at(99, "a")) << "what was allocated can be written";
  ASSERT_TRUE(files.remove("d/f"));
  EXPECT_TRUE(files.open("d/g", OpenMode::create).value()->allocate(100)) << "removal gives back";
}

TEST(MemoryFiles, WritesAndSyncsFailWhenTold) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folder("d"));
  auto file = files.open("d/f", OpenMode::create).value();
  files.fail_writes_after(1);
  EXPECT_TRUE(file->write_at(0, "a"));
  EXPECT_EQ(file->write_at(0, "a").error().code, Code::corrupt);
  files.fail_syncs_after(0);
  EXPECT_THAT(file->sync().error().message, HasSubstr("d/f: cannot sync"));
}

TEST(MemoryFiles, ACrashKeepsWhatWasSynced) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folder("d"));
  auto file = files.open("d/f", OpenMode::create).value();
  ASSERT_TRUE(file->write_at(0, "safe"));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(files.sync_folder("d"));
  ASSERT_TRUE(file->write_at(4, "lost"));
  auto unnamed = files.open("d/unnamed", OpenMode::create).value();
  ASSERT_TRUE(unnamed->sync());
  const auto lock = files.try_lock("d/lock").value();
  files.crash();
  EXPECT_EQ(files.bytes("d/f"), "safe");
  EXPECT_THAT(files.list("d").value(), ElementsAre("f")) << "the other name was never synced";
  EXPECT_EQ(file->write_at(0, "x").error().code, Code::unavailable) << "of the life before";
  EXPECT_NE(files.try_lock("d/lock").value(), nullptr) << "locks end with their holder";
}

TEST(MemoryFiles, ACrashMayKeepTheBeginningOfWhatWasNotSynced) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folder("d"));
  auto file = files.open("d/f", OpenMode::create).value();
  ASSERT_TRUE(files.sync_folder("d"));
  ASSERT_TRUE(file->write_at(0, "abcd"));
  ASSERT_TRUE(file->write_at(4, "efgh"));
  files.crash(6);
  EXPECT_EQ(files.bytes("d/f"), "abcdef");
}

TEST(MemoryFiles, ACrashMayKeepAnySectorsOfWhatWasNotSynced) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folder("d"));
  auto file = files.open("d/f", OpenMode::create).value();
  ASSERT_TRUE(file->allocate(2048));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(files.sync_folder("d"));
  ASSERT_TRUE(file->write_at(100, std::string(1500, 'x')));
  files.crash_keeping_sectors([](std::uint64_t sector) { return sector != 1; });
  const std::string bytes = files.bytes("d/f");
  EXPECT_EQ(bytes.substr(100, 412), std::string(412, 'x'));
  EXPECT_EQ(bytes.substr(512, 512), std::string(512, '\0')) << "this sector never arrived";
  EXPECT_EQ(bytes.substr(1024, 576), std::string(576, 'x'));
}

TEST(MemoryFiles, PowerGoesAtTheChosenOperationAndComesBackWithWhatSurvived) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folder("d"));
  auto file = files.open("d/f", OpenMode::create).value();
  ASSERT_TRUE(files.sync_folder("d"));
  ASSERT_TRUE(file->write_at(0, "safe"));
  ASSERT_TRUE(file->sync());
  files.lose_power_at(3, [turn = 0]() mutable { return ++turn % 2 == 0; });  // every other sector
  ASSERT_TRUE(file->write_at(0, std::string(1536, 'x')));
  ASSERT_TRUE(files.remove("d/other")) << "what is not there is no change of the disk";
  ASSERT_TRUE(file->write_at(2048, "y"));
  EXPECT_TRUE(files.has_power());
  EXPECT_EQ(file->sync().error().code, Code::unavailable) << "the third change or sync";
  EXPECT_FALSE(files.has_power());
  EXPECT_FALSE(files.open("d/f", OpenMode::read));
  EXPECT_FALSE(files.try_lock("d/lock"));
  files.power_on();
  EXPECT_FALSE(file->write_at(0, "x")) << "of the life before";
  const std::string bytes = files.bytes("d/f");
  EXPECT_EQ(bytes.substr(0, 4), "safe");
  EXPECT_EQ(bytes.substr(512, 512), std::string(512, 'x')) << "the second sector arrived";
  ASSERT_EQ(bytes.size(), 2049U) << "the fourth one too, and the hole before it is zeros";
  EXPECT_EQ(bytes.substr(1024, 1024), std::string(1024, '\0'));
}

TEST(MemoryFiles, WhatAFailedSyncDroppedIsNotBroughtByALaterOne) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folder("d"));
  auto file = files.open("d/f", OpenMode::create).value();
  ASSERT_TRUE(files.sync_folder("d"));
  ASSERT_TRUE(file->write_at(0, "ab"));
  files.fail_syncs_after(0);
  ASSERT_FALSE(file->sync());
  files.fail_syncs_after(-1);
  ASSERT_TRUE(file->write_at(2, "cd"));
  ASSERT_TRUE(file->sync());
  EXPECT_EQ(files.bytes("d/f"), "abcd") << "it can still be read";
  files.crash();
  EXPECT_EQ(files.bytes("d/f"), std::string("\0\0cd", 4));
}

TEST(MemoryFiles, AFailedSyncIsToldOnceToEachWhoHadTheFileOpen) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folder("d"));
  auto one = files.open("d/f", OpenMode::create).value();
  auto other = files.open("d/f", OpenMode::create).value();
  files.fail_syncs_after(0);
  EXPECT_FALSE(one->sync());
  files.fail_syncs_after(-1);
  auto later = files.open("d/f", OpenMode::create).value();
  EXPECT_TRUE(one->sync()) << "it knows";
  EXPECT_TRUE(later->sync()) << "it was not there";
  EXPECT_EQ(other->sync().error().message, "d/f: cannot sync: Input/output error (errno 5)");
  EXPECT_TRUE(other->sync()) << "once";
}

TEST(Fork, AChildKnowsWhatItsParentMade) {
  const ForkMark before;
  EXPECT_FALSE(before.forked());
  const pid_t child = fork();
  if (child == 0) {
    const ForkMark own;
    _exit((before.forked() ? 1 : 0) + (own.forked() ? 2 : 0));
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1) << "the parent's mark is forked, the child's own is not";
  EXPECT_FALSE(before.forked()) << "nothing changes in the parent";
}

}  // namespace
}  // namespace aimeter::base
