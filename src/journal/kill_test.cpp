// The process dies at every fault point of the writer; what it acknowledged is there afterwards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "journal/journal.h"

namespace aimeter::journal {
namespace {

#if defined(AIMETER_FAULTS)

// A death test runs its body again in a new process; both agree on the folder by the environment.
std::string shared_root() {
  if (const char* known = std::getenv("AIMETER_KILL_ROOT")) return known;
  std::string pattern = (std::filesystem::temp_directory_path() / "aimeter_XXXXXX").string();
  const std::string root = mkdtemp(pattern.data());
  setenv("AIMETER_KILL_ROOT", root.c_str(), 1);
  return root;
}

void live_until_killed(const std::string& root) {
  Options options;
  options.folder = root + "/7";
  options.engine = 7;
  options.segment_bytes = 1024;
  const auto journal = create(base::system_files(), options).value();
  std::ofstream acknowledged(root + "/acknowledged");
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i <= round % 3; ++i) {
      if (!journal->append(FrameType::settle, std::string(100, 'x'), {}, {})) return;
    }
    if (!journal->run_once()) return;
    acknowledged << journal->last_written() << std::endl;
  }
}

std::uint64_t last_acknowledged(const std::string& root) {
  std::ifstream file(root + "/acknowledged");
  std::uint64_t last = 0;
  while (file >> last) continue;
  return last;
}

TEST(JournalKill, WhatWasAcknowledgedIsThereAfterADeathAtEveryPoint) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::string root = shared_root();
  for (const char* point : {"journal.before_write", "journal.after_write", "journal.before_sync",
                            "journal.after_sync", "journal.segment_switch"}) {
    for (const int pass : {1, 2, 7}) {
      const std::string fault = std::string(point) + ":" + std::to_string(pass);
      SCOPED_TRACE(fault);
      const std::string folder = root + "/" + fault;
      std::filesystem::create_directories(folder);
      setenv("AIMETER_FAULT", fault.c_str(), 1);
      EXPECT_EXIT(live_until_killed(folder), testing::KilledBySignal(SIGKILL), "");
      unsetenv("AIMETER_FAULT");
      ASSERT_NE(try_lock_folder(base::system_files(), folder + "/7").value(), nullptr);
      std::uint64_t next = 1;
      const auto recovered =
          recover(base::system_files(), folder + "/7", [&](const Frame& frame) -> Status {
            EXPECT_EQ(frame.number, next++);
            return {};
          });
      ASSERT_TRUE(recovered) << recovered.error().message;
      EXPECT_GE(recovered->frames, last_acknowledged(folder));
      EXPECT_FALSE(recovered->closed);
    }
  }
  std::filesystem::remove_all(root);
  unsetenv("AIMETER_KILL_ROOT");
}

#else

TEST(JournalKill, FaultPointsAreNothingInThisBuild) {
  std::puts("left out: deaths at fault points need a build with AIMETER_FAULTS (preset faults)");
  setenv("AIMETER_FAULT", "journal.before_write", 1);
  std::string pattern = (std::filesystem::temp_directory_path() / "aimeter_XXXXXX").string();
  const std::string root = mkdtemp(pattern.data());
  Options options;
  options.folder = root + "/7";
  options.segment_bytes = 1024;
  const auto journal = create(base::system_files(), options).value();
  ASSERT_TRUE(journal->append(FrameType::settle, std::string(8, 'x'), {}, {}));
  EXPECT_TRUE(journal->run_once());
  unsetenv("AIMETER_FAULT");
  std::filesystem::remove_all(root);
}

#endif

}  // namespace
}  // namespace aimeter::journal
