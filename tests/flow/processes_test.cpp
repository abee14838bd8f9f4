// Two, three and four processes on one SQLite file that share one budget, and one of them killed.
// Each is this program again (never a fork that goes on without exec): `flow_test --spend ...`.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iostream>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "aimeter/aimeter.h"
#include "base/files.h"
#include "drivers/builtin.h"
#include "drivers/storage/sqlite/connection.h"
#include "ledger/recovery.h"
#include "store/bound.h"
#include "tests/flow/pay.h"
#include "tests/flow/program.h"

namespace aimeter::flow {
namespace {

constexpr std::int64_t kLimit = 200'000, kLeast = 20, kMost = 400;
constexpr int kThreads = 8;
constexpr int kCallsOfAll = 2'100;  // with what they estimate twice the limit, then crumbs
const TenantId kTenant{"acme"};

OpenOptions options() {
  OpenOptions options;
  ConfiguredPrice price = ConfiguredPrice::parse("price", "0.0025", "0.010").value();
  price.provider = "trace";
  price.model = "fixed";
  options.pricing.configured = {price};
  options.waits.heartbeat = std::chrono::milliseconds(100);
  return options;
}

Result<Hold> hold_tokens(const Engine& engine, std::int64_t tokens, const std::string& key) {
  Meter meter = engine.meter()
                    .for_tenant(kTenant.text)
                    .using_provider("trace", "fixed")
                    .expecting({.tokens = Tokens{tokens}});
  if (!key.empty()) meter = meter.copy().with_idempotency_key(key);
  return std::move(meter).hold();
}

struct Spent {
  std::int64_t tokens = 0, row = 0;  // 0: refused for good
};
// Spends until the call is refused for good; `unavailable` says: not now, try again.
struct Wish {
  std::int64_t estimate = 0, actual = 0;
  std::string key = {};
};
Spent spend(const Engine& engine, const Wish& wish, std::string& trouble) {
  for (int round = 0; round < 100; ++round) {
    Result<Hold> hold = hold_tokens(engine, wish.estimate, wish.key);
    if (!hold && hold.error().code == Code::unavailable) continue;
    if (!hold) {
      if (hold.error().code != Code::quota_exceeded) trouble = hold.error().message;
      return {};
    }
    const auto settled =
        hold->settle(Usage{.input_tokens = {wish.actual}, .source = UsageSource::provider});
    if (!settled) trouble = settled.error().message;
    return settled ? Spent{wish.actual, settled->record.id} : Spent{};
  }
  trouble = "unavailable for ever";
  return {};
}

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  Wish wish() {
    const std::int64_t estimate = kLeast + below(kMost);
    return {.estimate = estimate, .actual = 1 + below(estimate)};
  }

 private:
  std::int64_t below(std::int64_t end) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(end));
  }
  std::mt19937_64 random_;
};

void on_threads(const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
}

// Its share of random calls, then (once `gate` is opened, if there is one) the crumbs to the limit.
// Prints "TOKENS CALLS": what it was told was counted.
int spend_all(const std::string& dsn, std::uint64_t seed, int calls_each, const char* gate) {
  const Result<Engine> engine = open(dsn, options());
  if (!engine) {
    std::cerr << engine.error().message << "\n";
    return 1;
  }
  std::atomic<std::int64_t> tokens{0}, calls{0};
  std::atomic<int> troubles{0};
  const auto use = [&](const Wish& wish) {
    std::string trouble;
    const Spent spent = spend(*engine, wish, trouble);
    tokens += spent.tokens;
    calls += spent.row != 0 ? 1 : 0;
    if (!trouble.empty()) {
      ++troubles;
      std::cerr << trouble << "\n";
    }
    return spent.row != 0;
  };
  on_threads([&](int t) {
    Dice dice(seed * 100 + static_cast<std::uint64_t>(t));
    for (int i = 0; i < calls_each / kThreads; ++i) use(dice.wish());
  });
  if (gate != nullptr) {
    std::cout << "waiting" << std::endl;
    const std::ifstream opened(gate);  // a pipe with a name: until somebody opens its other end
  }
  on_threads([&](int) {
    while (use({.estimate = kLeast, .actual = kLeast})) continue;
  });
  if (const Status drained = engine->drain(); !drained) ++troubles;
  std::cout << tokens << " " << calls << std::endl;
  return troubles == 0 ? 0 : 1;
}

// Holds what it never settles, then spends and says each acknowledged call, "KEY ROW TOKENS",
// until it is killed.
constexpr std::int64_t kNeverSettled = 1'234;
int spend_until_killed(const std::string& dsn, std::uint64_t seed) {
  const Result<Engine> engine = open(dsn, options());
  if (!engine) return 1;
  const Result<Hold> never = hold_tokens(*engine, kNeverSettled, "never");
  if (!never) return 1;
  std::mutex out;
  on_threads([&](int t) {
    Dice dice(seed * 100 + static_cast<std::uint64_t>(t));
    for (int i = 0;; ++i) {
      Wish wish = dice.wish();
      wish.key = fmt::format("k{}-{}", t, i);
      std::string trouble;
      const Spent spent = spend(*engine, wish, trouble);
      const std::lock_guard guard(out);
      if (spent.row == 0) pause();  // at the limit: nothing more to do but to be killed
      std::cout << fmt::format("{} {} {}", wish.key, spent.row, spent.tokens) << std::endl;
    }
  });
  return 1;
}

// ---- What the test sees.

void make_contract(const std::string& dsn) {
  const Engine engine = open(dsn, options()).value();
  ASSERT_TRUE(engine.admin().create_plan(
      {.name = "Shared", .slug = "shared", .monthly_token_limit = Tokens{kLimit}}));
  ASSERT_TRUE(engine.tenant(kTenant.text)
                  .subscribe({.billable = {"tenant", kTenant.text}, .plan = "shared"}));
}

std::unique_ptr<Program> start(const Folder& folder, std::vector<std::string> words,
                               const std::string& name) {
  words.insert(words.begin(), "/proc/self/exe");
  return std::make_unique<Program>(std::move(words), folder.file(name + ".err"));
}

std::string errors_of(const Folder& folder, const std::string& name) {
  std::ifstream err(folder.file(name + ".err"));
  return {std::istreambuf_iterator<char>(err), {}};
}

void expect_commands_work(const Folder& folder) {
  const std::vector<std::vector<std::string>> commands = {
      {"report", "--json"},
      {"report", "--group-by", "model", "--tenant", kTenant.text},
      {"usage", "--limit", "5"},
      {"verify"},
      {"plans"},
      {"keys", "create", "--tenant", kTenant.text, "--name", "backend", "--scopes", "read"},
      {"keys", "list"},
      {"tenants", "list"},
      {"tail", "--once"},
      {"cleanup", "--dry-run", "--all-tenants", "--days", "400"},
      {"doctor"},
  };
  for (std::vector<std::string> words : commands) {
    SCOPED_TRACE(fmt::format("aimeter {}, while the processes run", fmt::join(words, " ")));
    words.insert(words.end(), {"--store", folder.dsn()});
    const Ran ran = run(folder, std::move(words));
    EXPECT_EQ(ran.exit, 0) << ran.out << ran.err;
    EXPECT_FALSE(ran.out.empty());
  }
}

// A live view: shows a call that is made while it runs, and ends by Ctrl-C.
void expect_tail_follows(const Folder& folder) {
  Program tail({kAimeter, "tail", "--last", "1", "--store", folder.dsn()}, folder.file("tail.err"));
  const std::optional<std::string> line = tail.line();
  ASSERT_TRUE(line);
  EXPECT_THAT(*line, ::testing::HasSubstr("trace/fixed"));
  tail.interrupt();
  (void)tail.rest();
  EXPECT_EQ(tail.wait(), 0) << errors_of(folder, "tail");
}

void expect_explained(const Folder& folder, std::int64_t row) {
  const Ran ran = run(folder, {"explain", std::to_string(row), "--store", folder.dsn()});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_THAT(ran.out, ::testing::HasSubstr("trace"));
}

store::BudgetState token_budget(const store::Store& store) {
  const auto budgets = store.budgets(kTenant).value();
  store::BudgetState found;
  for (const store::BudgetState& budget : budgets) {
    EXPECT_TRUE(store::in_bound(budget));
    if (budget.key.kind == BudgetKind::tokens) found = budget;
  }
  EXPECT_EQ(found.limit, kLimit) << "the plan's budget is there";
  return found;
}

void expect_spent(const Folder& folder, std::int64_t told) {
  const Ran verified = run(folder, {"verify", "--store", folder.dsn()});
  EXPECT_EQ(verified.exit, 0) << verified.out << verified.err;
  const auto store = drivers::open_store(folder.dsn(), {});
  ASSERT_TRUE(store) << store.error().message;
  const store::BudgetState budget = token_budget(**store);
  EXPECT_EQ(budget.leased, 0) << "everybody has closed";
  EXPECT_EQ(budget.used, told) << "what the callers were told";
  EXPECT_LE(budget.used, kLimit);
  EXPECT_GT(budget.used + kLeast, kLimit) << "within one smallest call of the limit";
  EXPECT_EQ(budget.over_hold + budget.late + budget.fallen, 0);
}

std::int64_t told_by(Program& program, const Folder& folder, const std::string& name) {
  const std::string said = program.rest();
  EXPECT_EQ(program.wait(), 0) << errors_of(folder, name);
  std::int64_t tokens = 0, calls = 0;
  EXPECT_EQ(std::sscanf(said.c_str(), "%ld %ld", &tokens, &calls), 2) << said;
  EXPECT_GT(calls, 0) << name << " got its share";
  return tokens;
}

void share_one_budget(int processes) {
  const Folder folder;
  make_contract(folder.dsn());
  std::vector<std::unique_ptr<Program>> programs;
  const std::string calls_each = std::to_string(kCallsOfAll / processes);
  for (int i = 0; i < processes; ++i) {
    programs.push_back(start(folder, {"--spend", folder.dsn(), std::to_string(i + 1), calls_each},
                             std::to_string(i)));
  }
  expect_tail_follows(folder);
  expect_commands_work(folder);
  std::int64_t told = 0;
  for (int i = 0; i < processes; ++i) {
    told += told_by(*programs[static_cast<std::size_t>(i)], folder, std::to_string(i));
  }
  std::cout << fmt::format("{} processes: {} of {} tokens\n", processes, told, kLimit);
  expect_spent(folder, told);
}

TEST(Processes, two_on_one_file_share_one_budget_to_the_smallest_call) { share_one_budget(2); }
TEST(Processes, three_on_one_file_share_one_budget_to_the_smallest_call) { share_one_budget(3); }
TEST(Processes, four_on_one_file_share_one_budget_to_the_smallest_call) { share_one_budget(4); }

// ---- One of them dies.

struct Acknowledged {
  std::map<std::string, std::int64_t> rows = {};  // key -> row
  std::int64_t tokens = 0;
};
void take(const std::string& line, Acknowledged& told) {
  std::istringstream words(line);
  std::string key;
  std::int64_t row = 0, tokens = 0;
  ASSERT_TRUE(words >> key >> row >> tokens) << line;
  EXPECT_TRUE(told.rows.emplace(key, row).second) << line << ": said twice";
  told.tokens += tokens;
}

struct Leased {
  std::int64_t of_dead = 0, of_living = 0;
};
Leased leased(const Folder& folder, store::EngineId dead) {
  namespace sqlite = drivers::sqlite;
  const auto file = sqlite::Connection::open(folder.file("usage.db"), sqlite::Access::read).value();
  sqlite::Query query(*file,
                      "SELECT COALESCE(SUM(CASE WHEN engine = ?1 THEN leased ELSE 0 END), 0), "
                      "COALESCE(SUM(CASE WHEN engine <> ?1 THEN leased ELSE 0 END), 0) "
                      "FROM ai_leases",
                      static_cast<std::int64_t>(dead));
  EXPECT_TRUE(query.step().value());
  return {query.integer(0), query.integer(1)};
}

const store::EngineState& engine_of(const std::vector<store::EngineState>& all,
                                    store::EngineId engine) {
  return *std::ranges::find(all, engine, [](const auto& state) { return state.ref.engine; });
}

// The dead one's calls stand there once, and so many tokens were counted for it.
std::int64_t expect_calls_once(store::Store& store, store::EngineId dead,
                               const Acknowledged& told) {
  std::map<base::Key16, int> rows;
  std::int64_t tokens = 0;
  const auto feed = store.feed({.engine = dead}, 5'000).value();
  for (const store::Settlement& row : feed) {
    if (row.key) ++rows[row.key->key];
    tokens += row.usage.total_tokens.count;
  }
  for (const auto& [key, row] : told.rows) {
    const base::Key16 digest = store::key_of(kTenant.text, "usage", key);
    const auto seen = store.find_key(digest).value();
    EXPECT_TRUE(seen) << key << " was acknowledged";
    EXPECT_EQ(seen ? seen->row : 0, row) << key;
    EXPECT_EQ(rows[digest], 1) << key;
  }
  EXPECT_GE(tokens, told.tokens);
  return tokens;
}

void expect_orphan(const store::Store& store, store::EngineId dead) {
  std::int64_t held = 0;
  const auto orphans = store.orphans().value();
  for (const store::Orphan& orphan : orphans) {
    if (orphan.engine != dead || orphan.begin.budgets.empty()) continue;
    EXPECT_LE(orphan.begin.budgets[0].held, kNeverSettled);
    held = std::max(held, orphan.begin.budgets[0].held);
  }
  EXPECT_EQ(held, kNeverSettled) << "the hold that never ended is listed, with what it held";
}

TEST(Processes, a_killed_ones_leases_are_taken_over_by_whoever_opens_next) {
  const Folder folder;
  make_contract(folder.dsn());
  const std::string gate = folder.file("gate");
  ASSERT_EQ(mkfifo(gate.c_str(), 0600), 0);
  const auto living = start(folder, {"--spend", folder.dsn(), "1", "200", gate}, "living");
  const auto killed = start(folder, {"--spend-until-killed", folder.dsn(), "2"}, "killed");
  Acknowledged told;
  for (int i = 0; i < 300; ++i) {
    const std::optional<std::string> line = killed->line();
    ASSERT_TRUE(line) << "it ended by itself: " << killed->wait() << errors_of(folder, "killed");
    take(*line, told);
  }
  killed->kill();
  while (const std::optional<std::string> line = killed->line()) take(*line, told);
  ASSERT_EQ(living->line(), "waiting");
  const auto dead = static_cast<store::EngineId>(told.rows.begin()->second >> 40);
  EXPECT_GT(leased(folder, dead).of_dead, 0) << "it died with a lease";
  EXPECT_EQ(run(folder, {"usage", "--limit", "1", "--store", folder.dsn()}).exit, 0);
  EXPECT_EQ(leased(folder, dead).of_dead, 0) << "a command that reads figures takes them over";
  std::int64_t counted = 0;
  {
    const auto store = drivers::open_store(folder.dsn(), {}).value();
    const auto engines = store->engines().value();
    EXPECT_TRUE(engine_of(engines, dead).closed_at);
    EXPECT_EQ(std::ranges::count_if(engines, [](const auto& e) { return !e.closed_at; }), 1)
        << "the living one is left alone";
    counted = expect_calls_once(*store, dead, told);
    expect_orphan(*store, dead);
    EXPECT_LE(token_budget(*store).used + token_budget(*store).leased, kLimit);
  }
  expect_explained(folder, told.rows.begin()->second);
  {
    const std::ofstream opened(gate);
  }
  counted += told_by(*living, folder, "living");
  std::cout << fmt::format("killed after {} calls; {} of {} tokens\n", told.rows.size(), counted,
                           kLimit);
  expect_spent(folder, counted);
}

}  // namespace
}  // namespace aimeter::flow

int main(int argc, char** argv) {
  namespace flow = aimeter::flow;
  const auto number = [&](int at) { return std::strtoull(argv[at], nullptr, 10); };
  if (argc >= 5 && std::strcmp(argv[1], "--spend") == 0) {
    return flow::spend_all(argv[2], number(3), static_cast<int>(number(4)),
                           argc > 5 ? argv[5] : nullptr);
  }
  if (argc == 4 && std::strcmp(argv[1], "--spend-until-killed") == 0) {
    return flow::spend_until_killed(argv[2], number(3));
  }
  if (argc == 5 && std::strcmp(argv[1], "--pay") == 0) {
    const bool overdraft = std::strcmp(argv[4], "overdraft") == 0;
    return aimeter::flow::pay_all(argv[2], std::strtoull(argv[3], nullptr, 10), overdraft);
  }
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
