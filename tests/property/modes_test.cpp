// One account through every mode: plans that block, charge, allow or have no limit, changed while
// calls are under way; late records, corrections, credits, overrides. After every step, in the
// store: B = max(0, used - T), the lines come to B and to what the preview says, and the
// transactions come to the balance. AIMETER_SEED=N repeats one, AIMETER_ROUNDS=N runs so many.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>

#include "aimeter/aimeter.h"
#include "tests/contract/store_factories.h"

namespace aimeter {
namespace {

const Billable kWho{"user", "42"};
const TenantId kTenant{"acme"};
constexpr const char* kSlugs[] = {"pro", "small", "open", "free", "blocks", "cost"};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

OpenOptions options_for(const Clock& clock) {
  OpenOptions options;
  options.clock = &clock;
  ConfiguredPrice price = ConfiguredPrice::parse("price", "0.0025", "0.010").value();
  price.provider = "trace";
  price.model = "fixed";
  options.pricing.configured = {price};
  return options;
}

class World {
 public:
  explicit World(std::uint64_t seed)
      : folder_(store::contract::make_folder()),
        random_(seed),
        engine_(opened(*folder_, clock_)),
        store_(
            drivers::open_store("sqlite:" + *folder_ + "/usage.db", {.clock = &clock_}).value()) {
    for (const char* slug : kSlugs) EXPECT_TRUE(engine_->admin().create_plan(plan_of(slug)));
    EXPECT_TRUE(acme().subscribe({.billable = kWho, .plan = "pro"}));
    EXPECT_TRUE(acme().wallet(kWho).add_credits(Money{2'000'000'000}));
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      const int what = static_cast<int>(below(14));
      SCOPED_TRACE(fmt::format("step {} of kind {}", i, what));
      step(what);
      compare();
    }
    open_holds_.clear();
    const auto verified = store_->verify({});
    ASSERT_TRUE(verified) << verified.error().message;
    for (const auto& finding : verified->findings) {
      ADD_FAILURE() << finding.check << ", " << finding.where << ": " << finding.message;
    }
  }
  [[nodiscard]] int charged() const { return charged_; }
  [[nodiscard]] int taken_back() const { return taken_back_; }
  [[nodiscard]] int moved() const { return moved_; }

 private:
  static std::unique_ptr<Engine> opened(const std::string& folder, const Clock& clock) {
    auto made = open("sqlite:" + folder + "/usage.db", options_for(clock));
    EXPECT_TRUE(made) << made.error().message;
    return std::make_unique<Engine>(*std::move(made));
  }
  [[nodiscard]] TenantView acme() { return engine_->tenant(kTenant.text); }
  std::int64_t below(std::int64_t end) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(end));
  }
  Plan plan_of(const std::string& slug) {
    Plan plan{.name = slug, .slug = slug, .monthly_token_limit = Tokens{100 + below(300)}};
    plan.overage_behavior = OverageBehavior::charge;
    plan.overage_price_per_1k_tokens = Money{1'000'000 + 1'000 * below(9'000)};
    if (slug == "small") plan.overage_cap = Money{100'000 + below(2'000'000)};
    if (slug == "open") plan.overage_behavior = OverageBehavior::allow;
    if (slug == "free") plan.monthly_token_limit.reset();
    if (slug == "blocks") plan.overage_behavior = OverageBehavior::block;
    if (slug == "cost") {
      plan.monthly_token_limit.reset();
      plan.monthly_cost_limit = Money{2'000'000 + below(2'000'000)};
      plan.overage_markup = Percent{below(50'00)};
    }
    return plan;
  }
  Meter meter() {
    Meter made =
        engine_->meter().for_tenant(kTenant.text).billable(kWho).using_provider("trace", "fixed");
    if (below(4) == 0) return std::move(made).billing_mode(BillingMode::credits);
    return made;
  }
  // Refusals are right answers; anything else is not.
  template <class T>
  void refused(const Result<T>& result) {
    const Code code = result.error().code;
    EXPECT_TRUE(code == Code::quota_exceeded || code == Code::insufficient_credits)
        << result.error().message;
  }

  void step(int what) {
    if (what < 4) return call();
    if (what < 6) return record();
    if (what == 6) return hold();
    if (what == 7) return settle();
    if (what < 10) return adjust();
    if (what == 10) return change_plan();
    if (what == 11) return flip();
    if (what == 12) return move_money();
    pass_time();
  }
  void call() {
    const std::int64_t tokens = 1 + below(60);
    const auto reply = meter().expecting({.tokens = Tokens{tokens}}).call([&] {
      return Usage{.output_tokens = {tokens}, .source = UsageSource::provider};
    });
    if (!reply) return refused(reply);
    rows_[reply->record().id] = tokens;
  }
  void record() {
    const std::int64_t tokens = 1 + below(60);
    const auto done = acme().record(
        {.account = {.billable = kWho},
         .provider = "trace",
         .model = "fixed",
         .usage = {.output_tokens = {tokens}},
         .occurred_at = clock_.now() - std::chrono::hours(below(3) == 0 ? below(24 * 40) : 0)});
    ASSERT_TRUE(done) << done.error().message;
    rows_[done->record.id] = tokens;
  }
  void hold() {
    auto hold = meter().expecting({.tokens = Tokens{1 + below(60)}}).hold();
    if (!hold) return refused(hold);
    open_holds_.push_back(*std::move(hold));
  }
  void settle() {
    if (open_holds_.empty()) return;
    const auto at = static_cast<std::size_t>(below(std::ssize(open_holds_)));
    const std::int64_t tokens = below(90);  // also more than it held
    const auto done = open_holds_[at].settle(Usage{.output_tokens = {tokens}});
    ASSERT_TRUE(done) << done.error().message;
    rows_[done->record.id] = tokens;
    open_holds_.erase(open_holds_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  void adjust() {
    if (rows_.empty()) return;
    auto row = rows_.begin();
    std::advance(row, below(std::ssize(rows_)));
    const std::int64_t by = below(4) == 0 ? 1 + below(20) : -below(row->second + 1);
    if (by == 0) return;
    const auto done = acme().adjust(
        {.of = row->first, .usage = {.output_tokens = {by}}, .reason = "what it really was"});
    ASSERT_TRUE(done) << done.error().message;
    row->second += by;
  }
  void change_plan() {
    const auto changed = engine_->admin().change_plan(plan_of(kSlugs[below(6)]));
    ASSERT_TRUE(changed) << changed.error().message;
  }
  void flip() {
    const auto moved = acme().migrate_plan(kWho, {.to = kSlugs[below(6)]});
    if (!moved) {
      EXPECT_EQ(moved.error().code, Code::failed_precondition) << moved.error().message;
    }
  }
  void move_money() {
    const Money amount{1'000'000 * (1 + below(100))};
    if (below(2) == 0) {
      ASSERT_TRUE(acme().wallet(kWho).add_credits(amount));
    } else if (const auto taken = acme().wallet(kWho).deduct_credits(amount); !taken) {
      refused(taken);
    }
  }
  void pass_time() {
    if (below(3) == 0) {
      const Instant from = clock_.now() + std::chrono::hours(below(24));
      ASSERT_TRUE(acme().override_limits({.billable = kWho,
                                          .period_start = from,
                                          .period_end = from + std::chrono::hours(1 + below(48)),
                                          .token_limit = Tokens{below(600)}}));
    }
    clock_.advance(std::chrono::seconds(1) + std::chrono::minutes(below(20)));
    if (below(4) == 0) clock_.advance(std::chrono::hours(below(72)));
    const auto done = engine_->admin().run_due();
    ASSERT_TRUE(done) << done.error().message;
  }

  using Sums = std::map<budget::BudgetKey, std::pair<std::int64_t, std::int64_t>>;
  // Leases are fetched ahead on a thread of the engine, and the first one under a new limit moves
  // the overage: what is compared was read between two equal looks at the budgets.
  void compare() {
    const auto page = acme().overages();  // all that was settled is in the store then
    ASSERT_TRUE(page) << page.error().message;
    const int taken_back = taken_back_;
    Result<std::vector<store::BudgetState>> before = store_->budgets(std::nullopt);
    for (;;) {
      taken_back_ = taken_back;
      Sums lines;
      ASSERT_NO_FATAL_FAILURE(read_lines(lines));
      const auto preview = acme().preview_invoice(kWho);
      auto after = store_->budgets(std::nullopt);
      ASSERT_TRUE(before && after && preview);
      const bool moved = sums_of(*before) != sums_of(*after);
      before = std::move(after);
      if (moved) continue;
      ASSERT_NO_FATAL_FAILURE(compare_preview(*preview, lines));
      ASSERT_NO_FATAL_FAILURE(compare_budgets(*before, lines));
      break;
    }
    compare_wallet();
  }
  static Sums sums_of(const std::vector<store::BudgetState>& budgets) {
    Sums sums;
    for (const store::BudgetState& one : budgets) {
      sums[one.key] = {one.overage.b, one.overage.cost_nanos};
    }
    return sums;
  }
  void read_lines(Sums& lines) {
    std::string cursor;
    do {
      const auto stored = store_->overages({}, cursor, kPageMax);
      ASSERT_TRUE(stored);
      for (const store::OverageLine& line : stored->lines) {
        lines[line.budget].first += line.amount;
        lines[line.budget].second += line.cost_nanos;
        taken_back_ += line.amount < 0 ? 1 : 0;
      }
      cursor = stored->next;
    } while (!cursor.empty());
  }
  void compare_budgets(const std::vector<store::BudgetState>& budgets, Sums& lines) {
    for (const store::BudgetState& one : budgets) {
      const billing::OverageState& overage = one.overage;
      ASSERT_GE(one.used, 0);
      if (overage.t) {
        ASSERT_EQ(overage.b, std::max<std::int64_t>(0, one.used - *overage.t));
      }
      ASSERT_EQ(lines[one.key].first, overage.b) << "lines = B";
      ASSERT_EQ(lines[one.key].second, overage.cost_nanos);
      charged_ += overage.b > 0 ? 1 : 0;
      if (overage.b == 0) {
        ASSERT_EQ(overage.cost_nanos, 0) << "no overage, nothing owed";
      }
    }
  }
  static void compare_preview(const InvoicePreview& preview, const Sums& lines) {
    std::int64_t cost = 0;
    for (const auto& [key, sum] : lines) {
      if (key.span == preview.period) cost += sum.second;
    }
    ASSERT_EQ(preview.exact.nanos, cost) << "what is to be paid is what the lines cost";
    ASSERT_EQ(preview.amount.nanos, preview.exact.nanos + preview.rounding.nanos);
  }
  void compare_wallet() {
    std::int64_t sum = 0;
    store::CreditFilter filter{};
    for (bool more = true; more;) {
      const auto moves = store_->credit_transactions(filter, kPageMax);
      ASSERT_TRUE(moves);
      for (const store::CreditMove& move : *moves) {
        const CreditTransaction& one = move.transaction;
        sum += one.is_credit() ? one.amount.nanos : -one.amount.nanos;
        ASSERT_EQ(one.balance_after.nanos, sum);
        filter.after = one.id;
        ++moved_;
      }
      more = moves->size() == kPageMax;
    }
    const auto wallets = store_->wallets({});
    ASSERT_TRUE(wallets);
    ASSERT_EQ(sum, wallets->at(0).balance().nanos) << "transactions = balance";
  }

  std::shared_ptr<std::string> folder_;
  time::ManualClock clock_{store::fixture::kNoon, std::chrono::hours(1)};
  std::mt19937_64 random_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<store::Store> store_;
  std::vector<Hold> open_holds_ = {};
  std::map<std::int64_t, std::int64_t> rows_ = {};  // what is left of each
  int charged_ = 0, taken_back_ = 0, moved_ = 0;
};

TEST(Modes, lines_come_to_the_overage_and_transactions_to_the_balance_after_every_step) {
  const std::uint64_t first = from_environment("AIMETER_SEED", 1);
  const std::uint64_t rounds = from_environment("AIMETER_ROUNDS", 12);
  int charged = 0, taken_back = 0, moved = 0;
  for (std::uint64_t seed = first; seed < first + rounds; ++seed) {
    SCOPED_TRACE(fmt::format("AIMETER_SEED={}", seed));
    World world(seed);
    world.run(120);
    if (testing::Test::HasFailure()) return;
    charged += world.charged();
    taken_back += world.taken_back();
    moved += world.moved();
  }
  EXPECT_GT(charged, 100) << "the sequences must reach overage";
  EXPECT_GT(taken_back, 100) << "and credit it";
  EXPECT_GT(moved, 100) << "and wallets";
}

// One limit and one price: whatever comes first, as much is charged for, and to the nano-unit as
// much money. A correction comes after its usage.
TEST(Modes, the_order_of_arrival_changes_no_overage) {
  using namespace store::fixture;
  std::mt19937_64 random(from_environment("AIMETER_SEED", 1));
  const Account account = account_of("acme");
  for (int round = 0; round < 30; ++round) {
    SCOPED_TRACE(round);
    std::vector<std::int64_t> usages, corrections;
    std::int64_t used = 0;
    const std::int64_t limit = static_cast<std::int64_t>(random() % 600);
    const std::int64_t price = 1 + static_cast<std::int64_t>(random() % 90'000'000);
    for (int i = 0; i < 25; ++i) {
      usages.push_back(static_cast<std::int64_t>(random() % 60));
      corrections.push_back(
          random() % 2 == 0
              ? -static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(usages.back() + 1))
              : static_cast<std::int64_t>(random() % 5));
      used += usages.back() + corrections.back();
    }
    const std::int64_t expected = std::max<std::int64_t>(0, used - limit);
    const Int128 exact = Int128{expected} * price + billing::kMillion / 2;
    for (int order = 0; order < 6; ++order) {
      const auto opened =
          order == 5 ? store::contract::open_sqlite() : store::contract::open_memory();
      store::fixture::Feeder one(*opened.store), other(*opened.store);
      std::vector<std::size_t> turns;
      for (std::size_t i = 0; i < usages.size(); ++i) turns.insert(turns.end(), {i, i});
      std::ranges::shuffle(turns, random);
      std::map<std::size_t, std::pair<store::Settlement, std::int64_t>> done;
      for (const std::size_t turn : turns) {
        Feeder& engine = random() % 2 == 0 ? one : other;
        const auto usage = done.find(turn);
        store::Settlement call = call_of(account, usages[turn]);
        if (usage != done.end()) {
          call = adjustment_of(usage->second.first, usage->second.second, corrections[turn]);
        }
        call.pins.catalogue = 1;
        call.budgets[0].limit = call.budgets[0].allowance = limit;
        call.pins.overage = billing::OveragePrice{price, "usd"};
        engine.apply(call);
        if (usage == done.end()) done[turn] = {call, engine.row()};
      }
      const auto budgets = opened.store->budgets(std::nullopt);
      ASSERT_TRUE(budgets);
      EXPECT_EQ(budgets->at(0).used, used);
      EXPECT_EQ(budgets->at(0).overage.b, expected);
      EXPECT_EQ(budgets->at(0).overage.cost_nanos,
                static_cast<std::int64_t>(exact / billing::kMillion));
      expect_verified(*opened.store);
    }
  }
}

}  // namespace
}  // namespace aimeter
