#include "ledger/keys.h"

#include <gtest/gtest.h>

#include <map>

#include "base/step_workers.h"
#include "store/settlement.h"

namespace aimeter::ledger {
namespace {

constexpr store::EngineId kOwn = 3;
constexpr store::EngineId kNewer = 4;

// A store of keys that counts how often it is asked.
struct Keys : ::testing::Test {
  std::map<base::Key16, store::KeySeen> there;
  int finds = 0, walks = 0;
  bool away = false;
  base::StepWorkers workers;
  KeyBook book{{.find = [this](const base::Key16& key) { return find(key); },
                .walk = [this](const store::KeyCursor& after) { return walk(after); }},
               workers,
               std::chrono::seconds(1)};

  Result<std::optional<store::KeySeen>> find(const base::Key16& key) {
    ++finds;
    const auto at = there.find(key);
    return at == there.end() ? std::nullopt : std::optional(at->second);
  }
  Result<store::KeyPage> walk(const store::KeyCursor& after) {
    ++walks;
    if (away) return fail(Code::unavailable, "away");
    store::KeyPage page{.next = after};
    page.next.table = 1;
    const auto at = after.table == 0 ? there.begin() : there.upper_bound(after.key);
    if (at != there.end()) {
      page.keys.push_back(at->first);
      page.next.key = at->first;
      page.more = std::next(at) != there.end();
    }
    return page;
  }
  static store::KeyRef key(const std::string& name) {
    return {.key = store::key_of("acme", "call", name), .content = 7};
  }
  void settled_before(const std::string& name, std::int64_t row) {
    there[key(name).key] = {.row = row, .content = 7};
  }
  void learn_all() {
    while (book.learn()) continue;
  }
  KeyEntry enter(const std::string& name) {
    const Result<KeyEntry> entry = book.enter(key(name));
    EXPECT_TRUE(entry) << entry.error().message;
    return entry.value_or(KeyEntry{});
  }
  bool is_fresh(const std::string& name) {
    const bool fresh = enter(name).what == KeyEntry::What::fresh;
    if (fresh) book.leave(key(name), 0);
    return fresh;
  }
};

TEST_F(Keys, BeforeTheStoreIsKnownEveryKeyIsLookedUp) {
  EXPECT_TRUE(is_fresh("a"));
  EXPECT_EQ(finds, 1);
}

TEST_F(Keys, AFreshKeyOfALoneEngineIsNotLookedUp) {
  settled_before("old", 11);
  settled_before("older", 12);
  book.others(0, kOwn);
  learn_all();
  EXPECT_EQ(walks, 2) << "one key a page";
  EXPECT_TRUE(is_fresh("new"));
  EXPECT_EQ(finds, 0);
  EXPECT_EQ(enter("old").seen.row, 11) << "what the store has is still found";
}

TEST_F(Keys, HalfAWalkIsNoKnowledge) {
  settled_before("old", 11);
  settled_before("older", 12);
  book.others(0, kOwn);
  EXPECT_TRUE(book.learn());
  EXPECT_EQ(enter("old").seen.row, 11);
  EXPECT_EQ(enter("older").seen.row, 12);
  EXPECT_EQ(finds, 2);
}

TEST_F(Keys, AWalkThatFailsIsTriedAgain) {
  book.others(0, kOwn);
  away = true;
  EXPECT_FALSE(book.learn());
  EXPECT_TRUE(is_fresh("a"));
  EXPECT_EQ(finds, 1);
  away = false;
  learn_all();
  EXPECT_TRUE(is_fresh("a"));
  EXPECT_EQ(finds, 1);
}

TEST_F(Keys, WithAnotherEngineEveryKeyIsLookedUp) {
  book.others(0, kOwn);
  learn_all();
  book.others(1, kNewer);
  settled_before("theirs", 21);
  EXPECT_EQ(enter("theirs").seen.row, 21);
  EXPECT_TRUE(is_fresh("new"));
  EXPECT_EQ(finds, 2);
}

TEST_F(Keys, WhatAnotherEngineBroughtIsKnownAfterItCloses) {
  book.others(0, kOwn);
  learn_all();
  book.others(1, kNewer);
  settled_before("theirs", 21);
  book.others(0, kNewer);
  EXPECT_EQ(enter("theirs").seen.row, 21) << "before the new walk has ended";
  learn_all();
  EXPECT_EQ(enter("theirs").seen.row, 21);
  const int before = finds;
  EXPECT_TRUE(is_fresh("new"));
  EXPECT_EQ(finds, before);
}

TEST_F(Keys, AnEngineThatCameAndWentBetweenTwoHeartbeatsIsNoticed) {
  book.others(0, kOwn);
  learn_all();
  settled_before("theirs", 21);
  book.others(0, kNewer);
  EXPECT_EQ(enter("theirs").seen.row, 21);
}

TEST_F(Keys, WhatWasSettledHereIsFoundAfterItWasForgotten) {
  constexpr int kMany = 200'000;  // more than what is kept in memory of 64 stripes
  book.others(0, kOwn);
  learn_all();
  for (int i = 1; i <= kMany; ++i) {
    const std::string name = "k" + std::to_string(i);
    ASSERT_EQ(enter(name).what, KeyEntry::What::fresh);
    settled_before(name, i);
    book.applied(static_cast<store::Seq>(i));
    book.leave(key(name), i);
  }
  EXPECT_EQ(enter("k1").seen.row, 1);
}

}  // namespace
}  // namespace aimeter::ledger
