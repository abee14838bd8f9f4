// Many threads against five budgets at once, each with room for a part of the load. What was
// acknowledged is counted here, call by call, and compared with the counters, the rows and the
// journal. AIMETER_SEED=N runs another seed, AIMETER_CALLS=N another number of calls.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"
#include "base/files.h"
#include "drivers/builtin.h"
#include "journal/journal.h"
#include "store/bound.h"
#include "store/codec.h"

namespace aimeter {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kCalls = 10'000;
#else
constexpr std::size_t kCalls = 100'000;
#endif
constexpr int kThreads = 64;
constexpr std::int64_t kTokensLeast = 40, kTokensMost = 4'000;
constexpr std::size_t kKeys = 24, kUsers = 60, kSessions = 200;
const TenantId kTenant{"acme"};
const Billable kWho{"tenant", "acme"};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

enum class End : std::uint8_t { settled, released, failed };
struct Planned {
  std::int64_t estimate = 0, input = 0, output = 0;
  std::string model = {}, api_key = {}, user = {}, session = {}, idempotency_key = {};
  End end = End::settled;
  [[nodiscard]] std::int64_t actual() const { return input + output; }
};
// Nano-dollars of a token, input and output alike. What is free fits when the cost is used up.
const std::map<std::string, std::int64_t> kNanosPerToken = {
    {"plain", 2'500}, {"dear", 25'000}, {"free", 0}};

std::vector<Planned> make_calls(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::size_t end) { return static_cast<std::size_t>(random() % end); };
  // Names of low number come more often, so that some meet their limit and others do not.
  const auto skewed = [&](std::size_t end) {
    const std::size_t at = below(1'000);
    return at * at * end / 1'000'000;
  };
  std::vector<Planned> calls(count);
  for (std::size_t i = 0; i < count; ++i) {
    Planned& call = calls[i];
    call.estimate = kTokensLeast + static_cast<std::int64_t>(below(kTokensMost - kTokensLeast + 1));
    const auto actual =
        static_cast<std::int64_t>(below(2)) == 0
            ? call.estimate
            : 1 + static_cast<std::int64_t>(below(static_cast<std::size_t>(call.estimate)));
    call.input = static_cast<std::int64_t>(below(static_cast<std::size_t>(actual) + 1));
    call.output = actual - call.input;
    const char* models[] = {"plain", "dear", "free"};
    call.model = models[below(3)];
    call.api_key = fmt::format("key{}", skewed(kKeys));
    call.user = fmt::format("user{}", skewed(kUsers));
    call.session = fmt::format("session{}", skewed(kSessions));
    if (below(5) == 0) call.idempotency_key = fmt::format("call-{}", i);
    const std::size_t fate = below(20);
    call.end = fate == 0 ? End::released : fate == 1 ? End::failed : End::settled;
  }
  return calls;
}

// Limits that about half of the load fits; what is free of charge goes on when the cost is used up.
Plan make_plan(const std::vector<Planned>& calls) {
  std::int64_t tokens = 0, nanos = 0;
  for (const Planned& call : calls) {
    if (call.end != End::settled) continue;
    tokens += call.actual();
    nanos += call.actual() * kNanosPerToken.at(call.model);
  }
  Plan plan{.name = "Five", .slug = "five"};
  plan.monthly_token_limit = Tokens{tokens / 2};
  plan.monthly_cost_limit = Money{.nanos = nanos * 9 / 20};
  const auto mean = [](auto whole, std::size_t names) {
    return static_cast<std::int64_t>(whole) / static_cast<std::int64_t>(names);
  };
  plan.budgets = {{.kind = BudgetKind::requests,
                   .scope = BudgetScope::key,
                   .period = {.type = Period::Type::hourly},
                   .limit = mean(calls.size(), kKeys) * 3 / 2},
                  {.kind = BudgetKind::tokens,
                   .scope = BudgetScope::user,
                   .period = {.type = Period::Type::daily},
                   .limit = mean(tokens, kUsers) * 2},
                  {.kind = BudgetKind::tokens,
                   .scope = BudgetScope::session,
                   .period = {.type = Period::Type::yearly},
                   .limit = mean(tokens, kSessions) * 3}};
  return plan;
}

std::vector<ConfiguredPrice> prices() {
  std::vector<ConfiguredPrice> made;
  for (const auto& [model, nanos] : kNanosPerToken) {
    const Decimal per_1k = Decimal(nanos, 6);
    made.push_back(
        {.provider = "trace", .model = model, .input_per_1k = per_1k, .output_per_1k = per_1k});
  }
  return made;
}

// What callers were told, call by call.
struct Told {
  std::int64_t settled = 0, released = 0, tokens = 0, nanos = 0;
  std::map<std::string, std::int64_t> refusals = {};  // "tokens/account" and so on
  std::map<std::string, std::int64_t> keys = {};      // idempotency key -> row
  std::map<std::string, std::int64_t> by_name = {};   // "user/user7" -> tokens, "key/key3" -> calls
  std::vector<std::string> wrong = {};

  void add(const Told& other) {
    settled += other.settled;
    released += other.released;
    tokens += other.tokens;
    nanos += other.nanos;
    for (const auto& [what, count] : other.refusals) refusals[what] += count;
    for (const auto& [what, count] : other.by_name) by_name[what] += count;
    keys.insert(other.keys.begin(), other.keys.end());
    wrong.insert(wrong.end(), other.wrong.begin(), other.wrong.end());
  }
};

void note_refusal(const Error& error, const Planned& call, Told& told) {
  const std::shared_ptr<const Refusal>& why = error.refusal;
  if (error.code != Code::quota_exceeded || why == nullptr) {
    told.wrong.push_back("neither an answer nor a refusal: " + error.message);
    return;
  }
  ++told.refusals[why->budget + "/" + why->scope];
  const auto above = [](const auto& limit, const auto& used, const auto& held, const auto& asked,
                        auto count) {
    return limit && used && held && asked &&
           count(*used) + count(*held) + count(*asked) > count(*limit);
  };
  const bool true_to_itself =
      why->budget == "cost"
          ? above(why->limit_cost, why->used_cost, why->held_cost, why->requested_cost,
                  [](const Money& money) { return money.nanos; })
          : above(why->limit, why->used, why->held, why->requested,
                  [](const Tokens& tokens) { return tokens.count; });
  if (!true_to_itself) {
    told.wrong.push_back("refused although it fits: " + error.message);
  }
  if (why->budget == "tokens" && why->requested != Tokens{call.estimate}) {
    told.wrong.push_back("the refusal names another request: " + error.message);
  }
}

void note_settled(const Settled& settled, const Planned& call, Told& told) {
  ++told.settled;
  told.tokens += call.actual();
  told.nanos += call.actual() * kNanosPerToken.at(call.model);
  told.by_name["key/" + call.api_key] += 1;
  told.by_name["user/" + call.user] += call.actual();
  told.by_name["session/" + call.session] += call.actual();
  if (!call.idempotency_key.empty()) told.keys[call.idempotency_key] = settled.record.id;
  if (settled.record.total_cost.nanos != call.actual() * kNanosPerToken.at(call.model)) {
    told.wrong.push_back("another cost: " + settled.record.total_cost.text());
  }
}

void make_call(const Engine& engine, const Planned& call, Told& told) {
  Meter meter = engine.meter()
                    .for_tenant(kTenant.text)
                    .for_user(call.user)
                    .using_provider("trace", call.model)
                    .api_key(call.api_key)
                    .session(call.session)
                    .expecting({.tokens = Tokens{call.estimate}});
  if (!call.idempotency_key.empty()) {
    meter = meter.copy().with_idempotency_key(call.idempotency_key);
  }
  Result<Hold> hold = std::move(meter).hold();
  if (!hold) return note_refusal(hold.error(), call, told);
  if (call.end != End::settled) {
    ++told.released;
    if (call.end == End::failed) hold->release("the provider failed");
    return;  // else dropped
  }
  const Result<Settled> settled = hold->settle(Usage{.input_tokens = {call.input},
                                                     .output_tokens = {call.output},
                                                     .source = UsageSource::provider});
  if (!settled) {
    told.wrong.push_back("an answer was refused: " + settled.error().message);
    return;
  }
  note_settled(*settled, call, told);
}

Told run_load(const Engine& engine, const std::vector<Planned>& calls) {
  std::atomic<std::size_t> next{0};
  std::vector<Told> each(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = next++; i < calls.size(); i = next++) {
        make_call(engine, calls[i], each[static_cast<std::size_t>(t)]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Told all;
  for (const Told& told : each) all.add(told);
  return all;
}

std::string label_of(const store::BudgetState& budget) {
  return fmt::format("{}/{}/{}", name_of(budget.key.kind), name_of(budget.key.scope),
                     budget.key.name);
}

void expect_bound(const std::vector<store::BudgetState>& budgets) {
  std::set<std::string> kinds;
  for (const store::BudgetState& budget : budgets) {
    SCOPED_TRACE(label_of(budget));
    kinds.insert(fmt::format("{}/{}", name_of(budget.key.kind), name_of(budget.key.scope)));
    ASSERT_TRUE(budget.limit.has_value());
    EXPECT_TRUE(budget.blocking);
    EXPECT_LE(budget.used, *budget.limit);
    EXPECT_EQ(budget.over_hold + budget.late + budget.fallen, 0)
        << "no call was above its estimate, late, or under a limit that fell";
    EXPECT_LE(budget.used + budget.leased, *budget.limit);
    EXPECT_TRUE(store::in_bound(budget));
  }
  EXPECT_EQ(kinds.size(), 5U) << "five budgets at once";
}

std::int64_t used_as_told(const store::BudgetState& budget, const Told& told) {
  if (budget.key.kind == BudgetKind::cost) return told.nanos;
  if (budget.key.scope == BudgetScope::account) return told.tokens;
  const auto found =
      told.by_name.find(fmt::format("{}/{}", name_of(budget.key.scope), budget.key.name));
  return found == told.by_name.end() ? 0 : found->second;
}

using Sums = std::map<store::BudgetKey, std::int64_t>;
void add_parts(const store::Settlement& settlement, Sums& sums) {
  for (const store::BudgetPart& part : settlement.budgets) sums[part.key] += part.actual;
}

Sums sums_of_rows(const store::Store& store, std::int64_t settled) {
  Sums sums;
  std::int64_t count = 0;
  const auto engines = store.engines();
  for (const store::EngineState& engine : *engines) {
    store::FeedPosition after{.engine = engine.ref.engine};
    for (;;) {
      const auto rows = store.feed(after, 5'000);
      if (!rows || rows->empty()) break;
      for (const store::Settlement& row : *rows) {
        add_parts(row, sums);
        after.after = row.seq;
        ++count;
      }
    }
  }
  EXPECT_EQ(count, settled) << "a row for each settled call";
  return sums;
}

Sums sums_of_journal(const std::string& folder) {
  Sums sums;
  const auto engines = base::system_files().list(folder);
  for (const std::string& engine : *engines) {
    if (engine.find_first_not_of("0123456789") != std::string::npos) continue;
    const Result<journal::Recovered> recovered = journal::recover(
        base::system_files(), folder + "/" + engine, [&](const journal::Frame& frame) -> Status {
          if (frame.type != journal::FrameType::settle) return {};
          AIMETER_TRY(const store::Settlement settlement, store::decode_settlement(frame.payload));
          add_parts(settlement, sums);
          return {};
        });
    EXPECT_TRUE(recovered) << recovered.error().message;
  }
  return sums;
}

void expect_counters(const std::vector<store::BudgetState>& budgets, const Sums& sums,
                     const char* source) {
  for (const store::BudgetState& budget : budgets) {
    const auto found = sums.find(budget.key);
    EXPECT_EQ(budget.used, found == sums.end() ? 0 : found->second)
        << label_of(budget) << " recounted from the " << source;
  }
}

void expect_keys(store::Store& store, const Told& told) {
  for (const auto& [key, row] : told.keys) {
    const auto seen = store.find_key(store::key_of(kTenant.text, "usage", key));
    ASSERT_TRUE(seen && *seen) << key << " is lost";
    ASSERT_EQ((**seen).row, row) << key;
  }
}

void report(const char* name, std::size_t calls, const Told& told, Duration took) {
  std::string refusals;
  for (const auto& [what, count] : told.refusals) refusals += fmt::format(" {} {}", what, count);
  std::cout << fmt::format("{}: {} calls, {} settled, {} released, {} keys, refused:{}, {} ms\n",
                           name, calls, told.settled, told.released, told.keys.size(), refusals,
                           took.count() / 1'000);
}

// After the engine has closed.
void expect_all(store::Store& store, const Plan& plan, Told& told) {
  EXPECT_TRUE(told.wrong.empty()) << told.wrong.size()
                                  << " wrong answers, the first: " << told.wrong.front();
  const auto budgets = store.budgets(kTenant);
  ASSERT_TRUE(budgets) << budgets.error().message;
  expect_bound(*budgets);
  for (const store::BudgetState& budget : *budgets) {
    EXPECT_EQ(budget.used, used_as_told(budget, told)) << label_of(budget);
    EXPECT_EQ(budget.leased, 0) << label_of(budget) << ": a closed engine leases nothing";
  }
  EXPECT_GT(told.tokens + kTokensLeast, plan.monthly_token_limit->count)
      << "used ends within one smallest call of the limit";
  for (const char* kind :
       {"tokens/account", "cost/account", "requests/key", "tokens/user", "tokens/session"}) {
    EXPECT_GT(told.refusals[kind], 0) << "no call was refused by " << kind;
  }
  EXPECT_EQ(told.refusals.size(), 5U) << "every refusal names one of the five budgets";
  expect_counters(*budgets, sums_of_rows(store, told.settled), "rows");
  expect_keys(store, told);
  const auto verified = store.verify([](std::int64_t, std::int64_t) { return true; });
  ASSERT_TRUE(verified) << verified.error().message;
  for (const store::Finding& finding : verified->findings) {
    ADD_FAILURE() << finding.check << " " << finding.where << ": " << finding.message;
  }
}

Told run_engine(std::string_view dsn, store::Store* port, const std::vector<Planned>& calls,
                const Plan& plan) {
  const testing::ManualClock clock(testing::TestEngine::default_start());
  OpenOptions options{.clock = &clock};
  options.pricing.configured = prices();
  options.ports.store = port;
  const Result<Engine> engine = open(dsn, std::move(options));
  EXPECT_TRUE(engine) << engine.error().message;
  const auto created = engine->admin().create_plan(plan);
  EXPECT_TRUE(created) << created.error().message;
  const auto subscribed =
      engine->tenant(kTenant.text).subscribe({.billable = kWho, .plan = plan.slug});
  EXPECT_TRUE(subscribed) << subscribed.error().message;
  Told told = run_load(*engine, calls);
  // What is left may be less than every call to come: the least ones fill it.
  const Planned least{.estimate = kTokensLeast,
                      .input = kTokensLeast,
                      .model = "free",
                      .api_key = "last",
                      .user = "last",
                      .session = "last"};
  for (std::int64_t i = 0; i < kTokensMost / kTokensLeast; ++i) make_call(*engine, least, told);
  EXPECT_TRUE(engine->drain());
  return told;
}

TEST(Overspend, never_on_memory_whatever_64_threads_do) {
  const std::uint64_t seed = from_environment("AIMETER_SEED", 1);
  const std::vector<Planned> calls = make_calls(seed, from_environment("AIMETER_CALLS", kCalls));
  const Plan plan = make_plan(calls);
  const testing::ManualClock clock(testing::TestEngine::default_start());
  const std::unique_ptr<store::Store> store = store::make_memory_store(clock);
  const Duration began = system_clock().boot();
  Told told = run_engine("memory:", store.get(), calls, plan);
  report("memory", calls.size(), told, system_clock().boot() - began);
  expect_all(*store, plan, told);
}

TEST(Overspend, never_on_sqlite_and_the_journal_says_the_same) {
  const std::uint64_t seed = from_environment("AIMETER_SEED", 2);
  const std::vector<Planned> calls = make_calls(seed, from_environment("AIMETER_CALLS", kCalls));
  const Plan plan = make_plan(calls);
  const std::filesystem::path folder = std::filesystem::temp_directory_path() /
                                       ("aimeter-overspend-" + base::hex(base::random_bytes(8)));
  std::filesystem::create_directories(folder);
  const std::string dsn = "sqlite:" + (folder / "usage.db").string();
  const Duration began = system_clock().boot();
  Told told = run_engine(dsn, nullptr, calls, plan);
  report("sqlite", calls.size(), told, system_clock().boot() - began);
  {
    const auto store = drivers::open_store(dsn, {});
    ASSERT_TRUE(store) << store.error().message;
    expect_all(**store, plan, told);
    const auto budgets = (*store)->budgets(kTenant);
    expect_counters(*budgets, sums_of_journal((folder / "usage.db.aimeter").string()), "journal");
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace aimeter
