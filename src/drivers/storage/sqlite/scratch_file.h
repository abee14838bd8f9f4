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
#include "drivers/storage/sqlite/migrations.h"
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
  // The file as a program of that schema would have left it: what it has no place for is gone.
  void bring_back_to(int version) {
    const std::string newer = path_ + ".newer";
    std::filesystem::rename(path_, newer);
    std::string script;
    for (int i = 0; i < version; ++i) script += scripts()[static_cast<std::size_t>(i)].sql;
    sql(script + "ATTACH '" + newer +
        "' AS newer; CREATE TABLE ai_migrations AS SELECT * FROM newer.ai_migrations WHERE number "
        "<= " +
        std::to_string(version));
    std::string copies = "ATTACH '" + newer + "' AS newer;";
    {
      auto connection = Connection::open(path_, Access::write);
      ASSERT_TRUE(connection) << connection.error().message;
      Query tables(**connection,
                   "SELECT s.name, (SELECT group_concat('\"' || name || '\"') FROM"
                   " pragma_table_info(s.name)) FROM sqlite_schema s WHERE s.type = 'table' AND"
                   " s.name LIKE 'ai_%' AND s.name <> 'ai_migrations'");
      for (;;) {
        const auto more = tables.step();
        ASSERT_TRUE(more) << more.error().message;
        if (!*more) break;
        const std::string table = tables.text(0), columns = tables.text(1);
        copies += "INSERT OR REPLACE INTO main." + table + "(" + columns + ") SELECT " + columns +
                  " FROM newer." + table + ";";
      }
    }
    sql(copies);
    std::filesystem::remove(newer);
  }

  time::ManualClock clock_{store::fixture::kNoon};
  std::string folder_ = {}, path_ = {};
};

}  // namespace aimeter::drivers::sqlite
