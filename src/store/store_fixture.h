// Package:       store
// Units:         tokens, nano-units of usd, Instants in March 2026.
// Errors:        a Feeder fails the running test.
// Thread safety: none: one test, one thread.
// Ownership:     a Feeder borrows its store.
//
// For tests of whatever stands on a store: makers of accounts, budget keys and settlements, and a
// Feeder that gives the seqs of one engine and applies. Values are plain: change what the row says.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"

namespace aimeter::store::fixture {

constexpr Instant kNoon = std::chrono::sys_days(std::chrono::year(2026) / 3 / 10) +
                          std::chrono::hours(12);  // when the clock of a test starts
constexpr Period::Span kMarch{std::chrono::sys_days(std::chrono::year(2026) / 3 / 1),
                              std::chrono::sys_days(std::chrono::year(2026) / 4 / 1)};
constexpr Period::Span kFebruary{std::chrono::sys_days(std::chrono::year(2026) / 2 / 1),
                                 std::chrono::sys_days(std::chrono::year(2026) / 3 / 1)};

[[nodiscard]] inline Account account_of(std::string tenant, std::string id = "1") {
  return {.tenant = {std::move(tenant)}, .billable = {.type = "user", .id = std::move(id)}};
}
[[nodiscard]] inline BudgetKey tokens_of(const Account& account, Period::Span span = kMarch) {
  return {.account = account, .span = span};
}
[[nodiscard]] inline BudgetKey cost_of(const Account& account, Period::Span span = kMarch) {
  return {.account = account, .kind = BudgetKind::cost, .span = span, .currency = "usd"};
}
[[nodiscard]] inline BudgetKey user_tokens_of(const Account& account, std::string user) {
  BudgetKey key = tokens_of(account);
  key.scope = BudgetScope::user;
  key.name = std::move(user);
  return key;
}

// Takes back from every engine that last renewed before `silent_since`.
[[nodiscard]] inline Result<int> take_back(Store& store, Instant silent_since) {
  AIMETER_TRY(std::vector<Lessee> silent, store.lessees());
  std::erase_if(silent, [&](const Lessee& one) { return one.renewed_at >= silent_since; });
  return store.take_back(silent);
}

// A call of `tokens` (half in, half out, the odd one out; 10 nanos each, nothing for so many that
// their cost has no room) that counts in the account's tokens of March, without hold and limit.
[[nodiscard]] inline Settlement call_of(const Account& account, Amount tokens) {
  Settlement call{.occurred_at = kNoon, .account = account, .user = "u1"};
  call.provider = "openai";
  call.model = "gpt-4o";
  call.feature = "chat";
  call.pins.period = kMarch;
  call.budgets = {{.key = tokens_of(account), .actual = tokens}};
  call.usage.input_tokens.count = tokens / 2;
  call.usage.output_tokens.count = tokens - tokens / 2;
  call.usage.total_tokens.count = tokens;
  call.usage.source = UsageSource::provider;
  constexpr Amount kPricedMost = 1'000'000'000'000'000;
  const Amount each = tokens > kPricedMost ? 0 : 10;
  call.input_cost.nanos = tokens / 2 * each;
  call.output_cost.nanos = (tokens - tokens / 2) * each;
  call.total_cost.nanos = tokens * each;
  return call;
}

struct HeldPart {
  EngineRef engine = {};
  Amount held = 0, limit = 0;
};
// The same with a hold of a blocking budget.
[[nodiscard]] inline Settlement held_call_of(const Account& account, Amount tokens,
                                             const HeldPart& part) {
  Settlement call = call_of(account, tokens);
  call.hold_engine = part.engine.engine;
  call.epoch = part.engine.epoch;
  call.budgets[0].held = part.held;
  call.budgets[0].limit = part.limit;
  call.budgets[0].blocking = true;
  return call;
}

[[nodiscard]] inline Settlement keyed(Settlement call, std::string_view key,
                                      std::uint64_t content = 7) {
  call.key = KeyRef{key_of(call.account.tenant.text, "call", key), content};
  return call;
}

[[nodiscard]] inline Settlement detach_of(const Account& account, const HeldPart& part,
                                          std::string token) {
  Settlement detach = held_call_of(account, 0, part);
  detach.flags = kDetach;
  detach.token = std::move(token);
  detach.expires_at = kNoon + std::chrono::minutes(10);
  return detach;
}

// Corrects `usage` (row `row`) by `tokens`, which may be negative.
[[nodiscard]] inline Settlement adjustment_of(const Settlement& usage, std::int64_t row,
                                              Amount tokens) {
  Settlement adjustment = call_of(usage.account, tokens);
  adjustment.flags = kAdjustment;
  adjustment.adjusts = row;
  adjustment.occurred_at = usage.occurred_at;
  adjustment.pins.period = usage.pins.period;
  adjustment.budgets[0].key = usage.budgets.at(0).key;
  return adjustment;
}

[[nodiscard]] inline LeaseAsk ask_of(const BudgetKey& key, Amount ask, Amount limit) {
  return {.key = key, .ask = ask, .one_call = 0, .limit = limit, .catalogue = 1};
}

// One engine of a store.
class Feeder {
 public:
  explicit Feeder(Store& store, EngineCard card = {.host = "here", .journal = "j"})
      : store_(store) {
    Result<EngineRef> engine = store.open_engine(card);
    EXPECT_TRUE(engine) << engine.error().message;
    if (engine) ref = *engine;
  }

  // Applies with the next seqs.
  Applied apply(std::vector<Settlement> batch) {
    Seq seq = last;
    for (Settlement& settlement : batch) settlement.seq = ++seq;
    Result<Applied> applied = store_.apply(ref, last, batch, Sync::relaxed);
    EXPECT_TRUE(applied) << applied.error().message;
    if (!applied) return {};
    last = seq;
    EXPECT_EQ(applied->last, last);
    return *applied;
  }
  Applied apply(const Settlement& one) { return apply(std::vector<Settlement>{one}); }
  [[nodiscard]] std::int64_t row() const { return row_id(ref.engine, last); }  // the newest

  EngineRef ref = {};
  Seq last = 0;

 private:
  Store& store_;
};

[[nodiscard]] inline BudgetState state_of(Store& store, const BudgetKey& key) {
  const std::vector<BudgetKey> keys{key};
  Result<std::vector<BudgetState>> states = store.budget_states(keys);
  EXPECT_TRUE(states) << states.error().message;
  return states ? states->at(0) : BudgetState{};
}

inline void expect_verified(Store& store) {
  const Result<Verified> verified = store.verify({});
  ASSERT_TRUE(verified) << verified.error().message;
  for (const Finding& finding : verified->findings) {
    ADD_FAILURE() << finding.check << ": " << finding.where << ": " << finding.message;
  }
}

}  // namespace aimeter::store::fixture
