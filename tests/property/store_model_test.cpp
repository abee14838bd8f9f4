// Random work for two stores that must answer alike: engines that lease, settle, detach, adjust,
// fall silent and come back, while the catalogue changes. A step is numbers only and means
// something in every state, so that any part of a sequence is a sequence and a failure shrinks.
// AIMETER_SEED=N runs that one seed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "store/bound.h"
#include "store/record.h"
#include "tests/contract/store_factories.h"
#include "tests/property/store_answers.h"

namespace aimeter::store::property {
namespace {

using namespace fixture;
using contract::Factory;
using contract::Opened;

enum class Do : std::uint8_t {
  open,
  lease,
  settle,
  record,
  batch,
  adjust,
  poison,
  detach,
  settle_detached,
  release,
  expire,
  give_back,
  renew,
  close,
  take_back,
  pass_time,
  limit,
  subscribe,
  erase,
  prune,
  stale,
  count_
};
constexpr const char* kNames[] = {
    "open",      "lease",           "settle",  "record",    "batch",     "adjust", "poison",
    "detach",    "settle_detached", "release", "expire",    "give_back", "renew",  "close",
    "take_back", "pass_time",       "limit",   "subscribe", "erase",     "prune",  "stale"};
static_assert(std::size(kNames) == static_cast<std::size_t>(Do::count_));

struct Step {
  Do what = Do::open;
  std::uint32_t a = 0, b = 0, c = 0;
};
using Steps = std::vector<Step>;

std::string text_of(const Steps& steps) {
  std::string text;
  for (const Step& step : steps) {
    text += fmt::format("  {} {} {} {}\n", kNames[static_cast<std::size_t>(step.what)], step.a,
                        step.b, step.c);
  }
  return text;
}

Steps random_steps(std::uint64_t seed, std::size_t count) {
  // Calls and leases are most of the work; the rest comes often enough to meet each other.
  constexpr Do kOften[] = {Do::lease, Do::settle, Do::settle, Do::batch, Do::record, Do::renew};
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint32_t end) { return static_cast<std::uint32_t>(random() % end); };
  Steps steps;
  for (std::size_t i = 0; i < count; ++i) {
    Step step{.a = below(1'000), .b = below(1'000), .c = below(1'000)};
    step.what = below(2) == 0 ? kOften[below(std::size(kOften))]
                              : static_cast<Do>(below(static_cast<std::uint32_t>(Do::count_)));
    steps.push_back(step);
  }
  return steps;
}

// ---- One engine as its ledger would see it: what it has leased and not yet given up.

struct Engine {
  EngineRef ref = {};
  Seq last = 0;
  bool closed = false;
  std::map<BudgetKey, Amount> free = {};
};
struct Detached {
  Account account = {};
  EngineRef engine = {};
  Amount held = 0;
  std::string token = {};
};

class World {
 public:
  World(const Factory& reference, const Factory& candidate)
      : one_(reference.open()), two_(candidate.open()) {
    for (std::uint32_t i = 0; i < 3; ++i) open_engine();
  }

  // Empty: all is well so far.
  const std::string& failure() const { return failure_; }
  void take(const Step& step);
  void end();

 private:
  template <class F>
  auto both(const char* what, F ask) {
    auto first = ask(*one_.store);
    const auto second = ask(*two_.store);
    const std::string a = answer_of(first), b = answer_of(second);
    if (a != b) fail(fmt::format("{}: the reference says\n{}\nthe candidate says\n{}", what, a, b));
    return first;
  }
  void fail(std::string why) {
    if (failure_.empty()) failure_ = std::move(why);
  }

  Account account(std::uint32_t pick) const {
    static const char* const kTenants[] = {"acme", "zeta", ""};
    return account_of(kTenants[pick % 3], std::to_string(1 + pick / 3 % 2));
  }
  Engine& engine(std::uint32_t pick) { return engines_[pick % engines_.size()]; }
  Amount limit_of(const Account& account) const {
    const auto found = limits_.find(account);
    return found == limits_.end() ? 300 : found->second;
  }
  Settlement leased_call(const Step& step, Engine& holder);
  void open_engine();
  void lease(const Step& step, std::uint64_t behind);
  void settle(const Step& step);
  void apply(Engine& writer, std::vector<Settlement> batch);
  void adjust(const Step& step);
  void poison(const Step& step);
  void detach(const Step& step);
  void settle_detached(const Step& step);
  void give_back(const Step& step);
  void renew(const Step& step);
  void close(const Step& step);
  void change(ChangeBody body);
  void change_all(ChangeBody body);
  void subscribe(const Step& step);
  void prune(const Step& step);
  void pass_time(const Step& step);
  void check_bound();
  void check_recount();
  void check_reads();
  std::map<BudgetKey, Amount> recount() const;

  Opened one_, two_;
  std::vector<Engine> engines_ = {};
  std::vector<Detached> detached_ = {};
  std::map<Account, Amount> limits_ = {};
  std::vector<std::pair<std::int64_t, Settlement>> usages_ = {};  // that may be adjusted
  std::map<BudgetKey, Amount> pruned_ = {};
  std::string failure_ = {};
};

void World::open_engine() {
  const auto ref = both("open_engine", [](Store& s) { return s.open_engine({.host = "h"}); });
  if (ref) engines_.push_back({.ref = *ref});
}

void World::lease(const Step& step, std::uint64_t behind) {
  Engine& asking = engine(step.a);
  const Account payer = account(step.b);
  LeaseAsk ask{.key = tokens_of(payer), .ask = step.c % 120, .one_call = step.c % 7 * 9};
  ask.whole_rest = step.c % 11 == 0;
  ask.limit = limit_of(payer);
  ask.catalogue = one_.store->catalogue().value() - behind;
  LeaseAsk user = ask;
  user.key = user_tokens_of(payer, "u1");
  user.limit = 200;
  user.one_call = step.c % 5 * 4;
  std::vector<LeaseAsk> asks{ask};
  if (step.c % 3 == 0) asks.push_back(user);
  const auto grants = both("lease", [&](Store& s) { return s.lease(asking.ref, asks); });
  if (!grants) return;
  for (std::size_t i = 0; i < asks.size(); ++i) {
    asking.free[asks[i].key] += grants->at(i).granted;
  }
}

// A call that holds what it can of `holder`'s lease, up to its size or a little less.
Settlement World::leased_call(const Step& step, Engine& holder) {
  const Account payer = account(step.b);
  const Amount tokens = step.c % 60;
  Settlement call = held_call_of(payer, tokens, {holder.ref, 0, limit_of(payer)});
  call.user = step.c % 2 == 0 ? "u1" : "u2";
  call.model = step.c % 5 == 0 ? "small" : "large";
  call.flags = step.c % 13 == 0 ? kEstimated : step.c % 17 == 0 ? kProvisional : 0U;
  call.occurred_at = kNoon + std::chrono::minutes(step.b % 40);
  if (step.c % 4 == 0) call.meta = R"({"job":"7"})";
  if (step.c % 3 == 0) {
    call.budgets.push_back({.key = user_tokens_of(payer, "u1"), .actual = tokens, .limit = 200});
    call.budgets.back().blocking = true;
  }
  call.budgets.push_back({.key = cost_of(payer), .actual = tokens * 10, .limit = 3'000});
  for (BudgetPart& part : call.budgets) {
    Amount& free = holder.free[part.key];
    part.held = std::min(free, part.actual - part.actual * (step.a % 3) / 8);
    free -= part.held;
  }
  if (step.a % 4 == 0) call = keyed(call, fmt::format("k{}", step.b % 6), step.c % 2);
  return call;
}

void World::settle(const Step& step) {
  Engine& holder = engine(step.a);
  Settlement call = leased_call(step, holder);
  apply(step.a % 10 == 9 ? engine(step.a / 10) : holder, {call});
}

void World::apply(Engine& writer, std::vector<Settlement> batch) {
  Seq seq = writer.last;
  for (Settlement& settlement : batch) settlement.seq = ++seq;
  const auto applied = both(
      "apply", [&](Store& s) { return s.apply(writer.ref, writer.last, batch, Sync::relaxed); });
  if (!applied) return fail("apply failed: " + applied.error().message);
  writer.last = seq;
  std::set<Seq> odd;
  for (const Outcome& outcome : applied->odd) {
    if (outcome.what != Odd::late) odd.insert(outcome.seq);
  }
  for (const Settlement& settlement : batch) {
    if (odd.contains(settlement.seq) || settlement.flags & (kAdjustment | kDetach)) continue;
    usages_.emplace_back(row_id(writer.ref.engine, settlement.seq), settlement);
  }
  const auto replay = both("replay", [&](Store& s) {
    return s.apply(writer.ref, writer.last - batch.size() + 1, {}, Sync::relaxed);
  });
  if (!batch.empty() && batch.size() != 1 && replay) fail("a replay was applied");
}

void World::adjust(const Step& step) {
  if (usages_.empty()) return;
  const auto& [row, usage] = usages_[step.b % usages_.size()];
  if (usage.budgets.empty()) return;
  const Amount change = static_cast<Amount>(step.c % 80) - 55;
  Settlement adjustment = adjustment_of(usage, row, change);
  adjustment.budgets[0].blocking = usage.budgets[0].blocking;
  if (step.c % 9 == 0) adjustment.account = adjustment.budgets[0].key.account = account(step.c);
  apply(engine(step.a), {adjustment});
}

void World::poison(const Step& step) {
  Engine& holder = engine(step.a);
  Settlement call = leased_call(step, holder);
  switch (step.c % 3) {
    case 0:
      call.budgets[0].actual = -1;
      break;
    case 1:
      call.budgets.push_back({.key = tokens_of(account(step.b + 1)), .actual = 3});
      break;
    default:
      call.flags |= kAdjustment;
      call.adjusts = 12'345;
  }
  apply(holder, {call, call_of(account(step.b), 1)});
}

void World::detach(const Step& step) {
  Engine& holder = engine(step.a);
  const Account payer = account(step.b);
  Amount& free = holder.free[tokens_of(payer)];
  const Amount held = std::min<Amount>(free, step.c % 40);
  free -= held;
  Detached hold{.account = payer, .engine = holder.ref, .held = held};
  hold.token = fmt::format("token-{}", detached_.size());
  Settlement detach = detach_of(payer, {holder.ref, held, limit_of(payer)}, hold.token);
  detach.expires_at = one_.store->now() + std::chrono::minutes(step.c % 20);
  detached_.push_back(hold);
  if (step.c % 8 != 0) return apply(holder, {detach});
  // Its settlement overtakes it.
  Settlement call = held_call_of(payer, held + 3, {holder.ref, held, limit_of(payer)});
  call.token = hold.token;
  Engine& faster = engine(step.c);
  apply(faster, {call});
  apply(holder, {detach});
}

void World::settle_detached(const Step& step) {
  if (detached_.empty()) return;
  const Detached& hold = detached_[step.b % detached_.size()];
  const Amount tokens = step.c % 50;
  Settlement call = held_call_of(
      hold.account, tokens, {hold.engine, std::min(hold.held, tokens), limit_of(hold.account)});
  call.token = hold.token;
  apply(engine(step.a), {call});
}

void World::give_back(const Step& step) {
  Engine& giving = engine(step.a);
  const BudgetKey key = tokens_of(account(step.b));
  Amount& free = giving.free[key];
  const std::vector<LeaseBack> parts{{key, std::min<Amount>(free, step.c % 60)}};
  const Status given = both("give_back", [&](Store& s) { return s.give_back(giving.ref, parts); });
  if (given) free -= parts[0].amount;
}

void World::renew(const Step& step) {
  Engine& beating = engine(step.a);
  std::vector<HeldReport> held;
  if (step.c % 2 == 0) held.push_back({tokens_of(account(step.b)), step.c % 50});
  const auto pulse = both("renew", [&](Store& s) { return s.renew(beating.ref, held); });
  if (!pulse || !pulse->lost) return;
  beating.ref = pulse->ref;
  beating.free.clear();
}

void World::close(const Step& step) {
  Engine& closing = engine(step.a);
  both("close_engine", [&](Store& s) { return s.close_engine(closing.ref.engine); });
  closing.free.clear();
  open_engine();
}

void World::change(ChangeBody body) {
  both("change", [&](Store& s) { return s.change({.body = body, .actor = "model"}); });
}

// All slices: which rows a slice takes first is the store's own business.
void World::change_all(ChangeBody body) {
  both("change in slices", [&](Store& s) {
    Result<Changed> sum = Changed{};
    for (bool more = true; more;) {
      const Result<Changed> slice = s.change({.body = body, .actor = "model"});
      if (!slice) return slice;
      sum->rows += slice->rows;
      more = slice->more;
    }
    return sum;
  });
}

void World::subscribe(const Step& step) {
  const Account who = account(step.a);
  Plan plan{.name = "p", .slug = fmt::format("p{}", step.b % 3)};
  plan.tenant = step.c % 2 == 0 ? "" : who.tenant.text;
  plan.monthly_token_limit = Tokens{step.c};
  plan.id = step.b % 5 == 0 ? step.c % 9 : 0;
  change(PutPlan{plan});
  change(PutSubscription{
      who.tenant,
      {.billable = who.billable, .plan = fmt::format("p{}", step.c % 3), .started_at = kNoon}});
  UsageLimitOverride limits{.billable = who.billable};
  limits.period_start = kMarch.start;
  limits.period_end = kMarch.start + std::chrono::days(step.c % 4);
  limits.token_limit = Tokens{step.b};
  change(PutOverride{who.tenant, limits});
  if (step.c % 4 == 0) change(DeletePlan{plan.tenant, plan.slug});
}

void World::prune(const Step& step) {
  const auto before = recount();
  Prune body{.before = step.c % 3 == 0 ? kMarch.start : kMarch.end, .limit = 1 + step.b % 20};
  if (step.a % 2 == 0) body.tenant = account(step.a).tenant;
  change_all(body);
  const auto after = recount();
  for (const auto& [key, used] : before) {
    const auto left = after.find(key);
    pruned_[key] += used - (left == after.end() ? 0 : left->second);
  }
}

void World::pass_time(const Step& step) {
  constexpr Duration kSteps[] = {std::chrono::seconds(1), std::chrono::seconds(29),
                                 std::chrono::seconds(30), std::chrono::minutes(11)};
  one_.clock->advance(kSteps[step.a % 4]);
  two_.clock->advance(kSteps[step.a % 4]);
}

void World::take(const Step& step) {
  const auto silent_since = [&] { return one_.store->now() - std::chrono::minutes(10); };
  switch (step.what) {
    case Do::open:
      open_engine();
      break;
    case Do::lease:
      lease(step, 0);
      break;
    case Do::stale:
      lease(step, 1);
      break;
    case Do::settle:
      settle(step);
      break;
    case Do::record:
      apply(engine(step.a), {call_of(account(step.b), step.c % 40)});
      break;
    case Do::batch: {
      Engine& holder = engine(step.a);
      std::vector<Settlement> batch;
      for (std::uint32_t i = 0; i < 2 + step.c % 4; ++i) {
        batch.push_back(leased_call({step.what, step.a, step.b + i, step.c + 7 * i}, holder));
      }
      apply(holder, batch);
      break;
    }
    case Do::adjust:
      adjust(step);
      break;
    case Do::poison:
      poison(step);
      break;
    case Do::detach:
      detach(step);
      break;
    case Do::settle_detached:
      settle_detached(step);
      break;
    case Do::release:
      if (detached_.empty()) break;
      change(ReleaseHold{detached_[step.a % detached_.size()].account.tenant,
                         detached_[step.a % detached_.size()].token});
      break;
    case Do::expire:
      change_all(ExpireHolds{.limit = 1 + step.a % 3});
      break;
    case Do::give_back:
      give_back(step);
      break;
    case Do::renew:
      renew(step);
      break;
    case Do::close:
      close(step);
      break;
    case Do::take_back:
      both("take_back", [&](Store& s) { return take_back(s, silent_since()); });
      break;
    case Do::pass_time:
      pass_time(step);
      break;
    case Do::limit:
      limits_[account(step.a)] = step.b % 500;
      change(PutTenant{{"acme"}});
      break;
    case Do::subscribe:
      subscribe(step);
      break;
    case Do::erase:
      change_all(Erase{.tenant = account(step.a).tenant, .user = "u1", .limit = 1 + step.b % 10});
      break;
    case Do::prune:
      prune(step);
      break;
    case Do::count_:
      break;
  }
  check_bound();
}

bool is_blank(const BudgetState& budget) {
  return budget.used == 0 && budget.leased == 0 && budget.over_hold == 0 && budget.late == 0 &&
         budget.fallen == 0 && !budget.limit;
}

// The bound of every blocking budget, in both stores, after every step.
void World::check_bound() {
  const auto budgets = both("budgets", [](Store& s) {
    auto all = s.budgets(std::nullopt);
    // A counter of zeros that nothing has named is as good as none.
    if (all) std::erase_if(*all, [](const BudgetState& one) { return is_blank(one); });
    return all;
  });
  if (!budgets) return fail("budgets failed");
  for (const BudgetState& budget : *budgets) {
    if (budget.leased < 0) fail("leased below 0: " + property::text_of(budget));
    if (budget.used < 0) fail("used below 0: " + property::text_of(budget));
    if (!in_bound(budget)) fail("out of bound: " + property::text_of(budget));
  }
}

// What rows and dead ones have counted, from the feeds alone.
std::map<BudgetKey, Amount> World::recount() const {
  std::map<BudgetKey, Amount> used;
  for (const Engine& engine : engines_) {
    const auto feed = one_.store->feed({.engine = engine.ref.engine}, kPageMax);
    for (const Settlement& row : *feed) {
      for (const BudgetPart& part : row.budgets) used[part.key] += part.actual;
    }
  }
  const auto dead = one_.store->dead();
  for (const DeadSettlement& one : *dead) {
    for (const BudgetPart& part : one.settlement.budgets) {
      if (part.key.account == one.settlement.account) used[part.key] += part.held;
    }
  }
  return used;
}

void World::check_recount() {
  std::map<BudgetKey, Amount> used = recount();
  for (const auto& [key, sum] : pruned_) used[key] += sum;
  const auto budgets = one_.store->budgets(std::nullopt);
  for (const BudgetState& budget : *budgets) {
    if (used[budget.key] == budget.used) continue;
    fail(fmt::format("recounted {}, but {}", used[budget.key], property::text_of(budget)));
  }
}

void World::check_reads() {
  for (std::uint32_t i = 0; i < 6; ++i) {
    const Account who = account(i);
    const std::optional<TenantId> tenant = who.tenant;
    both("usages", [&](Store& s) {
      return s.usages({.tenant = tenant, .with_duplicates = i % 2 == 0}, "", kPageMax);
    });
    both("usages by user", [&](Store& s) {
      return s.usages({.billable = who.billable, .user = "u1"}, "", kPageMax);
    });
    both("rollups", [&](Store& s) {
      return s.rollups({.usage = {.tenant = tenant}, .by_billable = true, .by_bucket = true});
    });
    both("load_account", [&](Store& s) { return s.load_account(who, kNoon); });
    both("plans", [&](Store& s) { return s.plans(tenant); });
    both("subscriptions", [&](Store& s) { return s.subscriptions(tenant); });
    both("overrides", [&](Store& s) { return s.overrides(tenant); });
    both("find_key", [&](Store& s) {
      return s.find_key(key_of(who.tenant.text, "call", fmt::format("k{}", i)));
    });
    both("find_plan", [&](Store& s) { return s.find_plan(who.tenant, "p1"); });
  }
  both("rollups of all", [](Store& s) {
    return s.rollups({.by_tenant = true, .by_model = true, .by_feature = true});
  });
  both("engines", [](Store& s) { return s.engines(); });
  both("dead", [](Store& s) { return s.dead(); });
  both("tenants", [](Store& s) { return s.tenants(); });
  for (const Engine& engine : engines_) {
    both("feed", [&](Store& s) { return s.feed({.engine = engine.ref.engine}, kPageMax); });
  }
}

void World::end() {
  check_recount();
  check_reads();
  for (const Opened* opened : {&one_, &two_}) {
    const auto verified = opened->store->verify({});
    if (!verified) return fail("verify failed: " + verified.error().message);
    for (const Finding& finding : verified->findings) {
      fail(fmt::format("verify: {}: {}: {}", finding.check, finding.where, finding.message));
    }
  }
}

std::string run(const Steps& steps, const Factory& reference, const Factory& candidate) {
  World world(reference, candidate);
  for (const Step& step : steps) {
    world.take(step);
    if (!world.failure().empty()) return world.failure();
  }
  world.end();
  return world.failure();
}

// The fewest steps that still fail: pieces are left out, large ones first.
template <class Fails>
Steps shrunk(Steps steps, Fails fails) {
  for (std::size_t piece = steps.size() / 2; piece > 0; piece /= 2) {
    for (std::size_t at = 0; at + piece <= steps.size();) {
      Steps fewer = steps;
      const auto from = fewer.begin() + static_cast<std::ptrdiff_t>(at);
      fewer.erase(from, from + static_cast<std::ptrdiff_t>(piece));
      if (fails(fewer)) {
        steps = fewer;
      } else {
        at += piece;
      }
    }
  }
  return steps;
}

void expect_alike(const Factory& candidate, std::uint64_t seed, std::size_t count) {
  const Factory reference = contract::factories().front();
  const Steps steps = random_steps(seed, count);
  if (run(steps, reference, candidate).empty()) return;
  const auto fails = [&](const Steps& fewer) { return !run(fewer, reference, candidate).empty(); };
  const Steps fewest = shrunk(steps, fails);
  ADD_FAILURE() << candidate.name << ", AIMETER_SEED=" << seed << ", " << fewest.size()
                << " steps:\n"
                << text_of(fewest) << run(fewest, reference, candidate);
}

class StoreModel : public testing::TestWithParam<Factory> {};

TEST_P(StoreModel, AnswersLikeTheReferenceAndKeepsTheBound) {
  if (const char* seed = std::getenv("AIMETER_SEED")) {
    return expect_alike(GetParam(), std::strtoull(seed, nullptr, 10), 120);
  }
  constexpr std::uint64_t kSeeds = 60;
  for (std::uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    expect_alike(GetParam(), seed, 120);
  }
}

TEST(StoreModelItself, ShrinksToTheStepsThatMatter) {
  Steps steps = random_steps(7, 64);
  std::erase_if(steps,
                [](const Step& step) { return step.what == Do::prune || step.what == Do::erase; });
  steps.insert(steps.begin() + 5, {.what = Do::prune, .a = 1});
  steps.insert(steps.begin() + 30, {.what = Do::erase, .a = 2});
  const Steps fewest = shrunk(steps, [](const Steps& some) {
    const auto has = [&](Do what) {
      return std::ranges::any_of(some, [what](const Step& step) { return step.what == what; });
    };
    return has(Do::prune) && has(Do::erase);
  });
  ASSERT_EQ(fewest.size(), 2U);
  EXPECT_EQ(fewest[0].what, Do::prune);
  EXPECT_EQ(fewest[1].what, Do::erase);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreModel, testing::ValuesIn(contract::factories()),
                         contract::name_of_factory);

}  // namespace
}  // namespace aimeter::store::property
