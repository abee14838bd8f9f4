// Package:       drivers
// Units:         none
// Errors:        fails the running test.
// Thread safety: one test, one thread.
// Ownership:     the fixture owns its folder and removes it.
//
// For tests of the SQLite store: a folder with one database, opened as often as a test wants, and
// scripts that damage it on purpose.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "drivers/builtin.h"
#include "drivers/storage/sqlite/connection.h"
#include "store/store_fixture.h"
#include "time/manual_clock.h"

namespace aimeter::drivers::sqlite {

class ScratchFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "aimeter-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/usage.db";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  using Migrate = store::StoreOptions::Migrate;
  [[nodiscard]] Result<std::unique_ptr<store::Store>> open(Migrate migrate = Migrate::apply) {
    return open_store("sqlite:" + path_, {.clock = &clock_, .migrate = migrate});
  }
  [[nodiscard]] std::unique_ptr<store::Store> opened() {
    auto store = open();
    EXPECT_TRUE(store) << store.error().message;
    return store ? *std::move(store) : nullptr;
  }
  void sql(const std::string& script) {
    auto connection = Connection::open(path_, Access::write);
    ASSERT_TRUE(connection) << connection.error().message;
    const Status done = (*connection)->run_script(script);
    ASSERT_TRUE(done) << done.error().message;
  }

  time::ManualClock clock_{store::fixture::kNoon};
  std::string folder_ = {}, path_ = {};
};

}  // namespace aimeter::drivers::sqlite
