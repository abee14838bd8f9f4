// `kill -9` of a load at random moments: what was acknowledged is there once, what was not at most
// once. AIMETER_LONG=1 kills 500 times instead of 20, AIMETER_SEED=N chooses other moments.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <random>

#include "drivers/builtin.h"
#include "store/settlement.h"
#include "tests/flow/program.h"

namespace aimeter::flow {
namespace {

constexpr int kWholeEach = 20;  // kills after which every key is looked up again
// The load's tenants have limits: after some 45,000 calls each of them is at its own, to the last
// call that fits, and nothing more is acknowledged.
constexpr int kKillsOfAStore = 100;

using Acknowledged = std::map<std::string, std::int64_t>;  // key -> row

void take(const std::string& line, Acknowledged& told) {
  const std::size_t space = line.rfind(' ');
  ASSERT_NE(space, std::string::npos) << line;
  const std::int64_t row = std::strtoll(line.c_str() + space + 1, nullptr, 10);
  ASSERT_GT(row, 0) << line;
  const auto [known, fresh] = told.emplace(line.substr(0, space), row);
  EXPECT_TRUE(fresh || known->second == row) << line << ": acknowledged before with another row";
}

// Runs the load until it has acknowledged `calls`, then kills it.
void run_and_kill(const Folder& folder, std::uint64_t seed, std::int64_t calls,
                  Acknowledged& told) {
  Program load({kAimeter, "demo", "--endless", "--threads", "64", "--seed", std::to_string(seed),
                "--store", folder.dsn()},
               folder.file("load.err"));
  for (std::int64_t i = 0; i < calls; ++i) {
    const std::optional<std::string> line = load.line();
    ASSERT_TRUE(line) << "the load ended by itself: " << load.wait();
    take(*line, told);
  }
  load.kill();
  while (const std::optional<std::string> line = load.line()) take(*line, told);
}

struct Seen {
  std::map<base::Key16, int> counted = {};  // key -> rows that count
  std::int64_t rows = 0;
};
Seen read_rows(const store::Store& store) {
  Seen seen;
  const auto engines = store.engines();
  for (const store::EngineState& engine : *engines) {
    store::FeedPosition at{.engine = engine.ref.engine};
    for (;;) {
      const auto rows = store.feed(at, 5'000);
      if (!rows || rows->empty()) break;
      for (const store::Settlement& row : *rows) {
        at.after = row.seq;
        ++seen.rows;
        if (row.key && (row.flags & store::kDuplicate) == 0) ++seen.counted[row.key->key];
      }
    }
  }
  return seen;
}

// Every row of the store, and every key of `told`.
void expect_rows(store::Store& store, const Acknowledged& told, Seen& seen) {
  seen = read_rows(store);
  for (const auto& [key, count] : seen.counted) EXPECT_EQ(count, 1) << "a key counts twice";
  const auto tenants = store.tenants();
  ASSERT_TRUE(tenants) << tenants.error().message;
  for (const auto& [key, row] : told) {
    std::vector<std::int64_t> found;
    for (const TenantId& tenant : *tenants) {
      const base::Key16 digest = store::key_of(tenant.text, "usage", key);
      const auto entry = store.find_key(digest);
      ASSERT_TRUE(entry) << entry.error().message;
      if (!*entry || (*entry)->row != row) continue;
      found.push_back((*entry)->row);
      EXPECT_EQ(seen.counted[digest], 1) << key;
    }
    EXPECT_EQ(found, std::vector<std::int64_t>{row}) << key << " was acknowledged";
    const auto stored = store.settlement(row, std::nullopt);
    EXPECT_TRUE(stored && *stored) << key << ": row " << row << " is not there";
    if (::testing::Test::HasFailure()) return;
  }
}

// Of the last kill alone: all of the earlier ones again is the square of it.
void expect_newest(store::Store& store, const Acknowledged& newest) {
  const auto tenants = store.tenants().value();
  for (const auto& [key, row] : newest) {
    const bool found = std::ranges::any_of(tenants, [&](const TenantId& tenant) {
      const auto entry = store.find_key(store::key_of(tenant.text, "usage", key)).value();
      return entry && entry->row == row;
    });
    ASSERT_TRUE(found) << key << " was acknowledged";
    ASSERT_TRUE(store.settlement(row, std::nullopt).value()) << key;
  }
}

TEST(Kill, what_was_acknowledged_survives_kill_9_and_is_counted_once) {
  const bool is_long = std::getenv("AIMETER_LONG") != nullptr;
  const char* given = std::getenv("AIMETER_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  const int kills = is_long ? 500 : 20;
  std::mt19937_64 random(seed);
  std::optional<Folder> folder;
  Acknowledged told;
  Seen seen;
  std::size_t acknowledged = 0;
  std::int64_t rows = 0;
  for (int i = 0; i < kills; ++i) {
    SCOPED_TRACE(fmt::format("kill {} of AIMETER_SEED={}", i, seed));
    if (i % kKillsOfAStore == 0) {
      folder.emplace();
      told.clear();
    }
    const auto calls = static_cast<std::int64_t>(1 + random() % 400);
    Acknowledged newest;
    run_and_kill(*folder, seed * 1'000 + static_cast<std::uint64_t>(i), calls, newest);
    for (const auto& [key, row] : newest) {
      ASSERT_TRUE(told.emplace(key, row).second) << key << ": from an earlier run";
    }
    const Ran verify = run(*folder, {"verify", "--store", folder->dsn()});
    ASSERT_EQ(verify.exit, 0) << verify.out << verify.err;
    const auto store = drivers::open_store(folder->dsn(), {});
    ASSERT_TRUE(store) << store.error().message;
    expect_newest(**store, newest);
    if ((i + 1) % kWholeEach == 0) expect_rows(**store, told, seen);
    if ((i + 1) % kKillsOfAStore == 0 || i + 1 == kills) {
      acknowledged += told.size();
      rows += seen.rows;
    }
    ASSERT_FALSE(::testing::Test::HasFailure());
  }
  std::cout << fmt::format("{} kills, seed {}: {} calls acknowledged, {} rows\n", kills, seed,
                           acknowledged, rows);
}

}  // namespace
}  // namespace aimeter::flow
