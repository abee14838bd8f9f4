// Lines of overage: written with their settlement, read in pages, and the plain model of the rule
// against every store over random sequences.
#include <fmt/format.h>

#include <cstdlib>
#include <random>

#include "tests/contract/store_contract.h"

namespace aimeter::store::contract {
namespace {

using namespace fixture;

constexpr Amount kCent = 10'000'000;  // nano-units

struct Charge {
  std::optional<Amount> limit = 100;
  std::optional<Amount> price = 5;  // nano-units a token; empty: not charged
  std::uint64_t catalogue = 1;
  Duration at = Duration(0);
};

Settlement charged(const Account& account, Amount tokens, const Charge& charge) {
  Settlement call = call_of(account, tokens);
  call.occurred_at += charge.at;
  call.pins.catalogue = charge.catalogue;
  call.pins.plan_slug = "pro";
  call.budgets[0].limit = charge.limit;
  if (charge.price) {
    call.budgets[0].allowance = charge.limit;
    call.pins.overage = billing::OveragePrice{*charge.price * billing::kMillion, "usd"};
  }
  return call;
}

// Its correction, with its pins.
Settlement correction(const Settlement& usage, std::int64_t row, Amount tokens) {
  Settlement adjustment = adjustment_of(usage, row, tokens);
  adjustment.pins = usage.pins;
  adjustment.budgets[0].limit = usage.budgets[0].limit;
  adjustment.budgets[0].allowance = usage.budgets[0].allowance;
  return adjustment;
}

class OverageContract : public StoreContract {
 protected:
  std::vector<OverageLine> lines(const OverageFilter& filter = {}, std::size_t page_size = 1'000) {
    std::vector<OverageLine> all;
    std::string cursor;
    do {
      Result<OveragePage> page = store().overages(filter, cursor, page_size);
      EXPECT_TRUE(page) << page.error().message;
      if (!page) return all;
      all.insert(all.end(), page->lines.begin(), page->lines.end());
      cursor = page->next;
    } while (!cursor.empty());
    return all;
  }
  std::string shown(const std::vector<OverageLine>& all) {
    std::string text;
    for (const OverageLine& line : all) {
      text += fmt::format("{}@{}={} ", line.amount,
                          line.price.nanos_per_million / billing::kMillion, line.cost_nanos);
    }
    return text;
  }
  const Account acme_ = account_of("acme"), zeta_ = account_of("zeta");
};

TEST_P(OverageContract, TheCrossingCallIsALineForItsPartAboveTheLimit) {
  Feeder engine(store());
  const Applied applied = engine.apply({charged(acme_, 60, {}), charged(acme_, 60, {})});
  ASSERT_EQ(applied.overages.size(), 1U);
  const auto all = lines();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0], applied.overages[0]);
  EXPECT_EQ(all[0].budget, tokens_of(acme_));
  EXPECT_EQ(all[0].usage, engine.row());
  EXPECT_EQ(all[0].amount, 20);
  EXPECT_EQ(all[0].remaining, 20);
  EXPECT_EQ(all[0].price, (billing::OveragePrice{5'000'000, "usd"}));
  EXPECT_EQ(all[0].cost_nanos, 100);
  EXPECT_EQ(all[0].batch, 0);
  EXPECT_EQ(all[0].created_at, kNoon);
  const billing::OverageState overage = state(tokens_of(acme_)).overage;
  EXPECT_EQ(overage.t, 100);
  EXPECT_EQ(overage.b, 20);
}

TEST_P(OverageContract, WhatIsNotChargedHasNoLineAndNoT) {
  Feeder engine(store());
  engine.apply(charged(acme_, 500, {.price = std::nullopt}));
  EXPECT_TRUE(lines().empty());
  EXPECT_EQ(state(tokens_of(acme_)).overage, billing::OverageState{});
}

TEST_P(OverageContract, APinnedPriceComesBackWithItsSettlement) {
  Feeder engine(store());
  Settlement call = charged(acme_, 120, {});
  call.pins.terms_at = kNoon + std::chrono::hours(3);
  call.budgets[0].limit = 150;
  engine.apply(call);
  const auto back = store().settlement(engine.row(), std::nullopt);
  ASSERT_TRUE(back && *back);
  EXPECT_EQ((**back).pins, call.pins);
  EXPECT_EQ((**back).budgets[0].allowance, 100);
  EXPECT_EQ((**back).budgets[0].limit, 150);
}

TEST_P(OverageContract, ARisenLimitCreditsNewestFirstAtTheLinesOwnPrice) {
  Feeder engine(store());
  engine.apply({charged(acme_, 110, {}),
                charged(acme_, 10, {.price = 7, .catalogue = 2, .at = Duration(1)})});
  engine.apply(charged(acme_, 0, {.limit = 115, .price = 9, .catalogue = 3, .at = Duration(2)}));
  EXPECT_EQ(shown(lines()), "10@5=50 10@7=70 -10@7=-70 -5@5=-25 ");
  EXPECT_EQ(lines()[0].remaining, 5);
  EXPECT_EQ(lines()[1].remaining, 0);
}

// Nobody calls any more: what the limit covers is credited all the same, once.
TEST_P(OverageContract, ARisenLimitIsMovedWithoutAnyUsage) {
  Feeder engine(store());
  engine.apply({charged(acme_, 110, {}),
                charged(acme_, 10, {.price = 7, .catalogue = 2, .at = Duration(1)})});
  engine.apply(charged(zeta_, 50, {}));
  const auto running = store().in_overage(kNoon);
  ASSERT_TRUE(running);
  ASSERT_EQ(running->size(), 1U);
  EXPECT_EQ(running->at(0).key, tokens_of(acme_));
  EXPECT_EQ(running->at(0).used, 120);
  EXPECT_EQ(running->at(0).overage, state(tokens_of(acme_)).overage);
  EXPECT_TRUE(store().in_overage(kMarch.end)->empty()) << "the period is over";
  EXPECT_TRUE(store().in_overage(kMarch.start - Duration(1))->empty());

  const MoveAllowance older{tokens_of(acme_), 115, {1, kNoon}};
  EXPECT_EQ(change(older).rows, 0) << "terms that are not newer move nothing";
  const MoveAllowance moved{tokens_of(acme_), 115, {3, kNoon + Duration(2)}};
  const Changed changed = change(moved);
  EXPECT_EQ(shown(changed.overages), "-10@7=-70 -5@5=-25 ");
  EXPECT_EQ(changed.overages[0].usage, 0);
  EXPECT_EQ(changed.overages[0].budget, tokens_of(acme_));
  EXPECT_EQ(lines({.tenant = acme_.tenant}).back(), changed.overages[1]);
  EXPECT_EQ(state(tokens_of(acme_)).overage.t, 115);
  EXPECT_EQ(state(tokens_of(acme_)).overage.b, 5);
  EXPECT_EQ(state(tokens_of(acme_)).overage.cost_nanos, 25);
  EXPECT_TRUE(change(moved).overages.empty()) << "once";
  EXPECT_TRUE(
      change(MoveAllowance{tokens_of(account_of("acme", "9")), 1, {9, kNoon}}).overages.empty());
  expect_verified(store());
}

// A subscription that ended leaves no limit, but that is no limit that rose.
TEST_P(OverageContract, UsageWithoutAPlanForgivesNothing) {
  Feeder engine(store());
  engine.apply(charged(acme_, 130, {}));
  Settlement without =
      charged(acme_, 20, {.limit = {}, .price = {}, .catalogue = 2, .at = Duration(1)});
  without.pins.plan_slug.clear();
  engine.apply(without);
  EXPECT_EQ(shown(lines()), "30@5=150 ");
  EXPECT_EQ(state(tokens_of(acme_)).overage.t, 120) << "nor is it billed";
  without.pins.plan_slug = "unlimited";
  engine.apply(without);
  EXPECT_EQ(shown(lines()), "30@5=150 -30@5=-150 ") << "a plan without a limit covers all";
}

TEST_P(OverageContract, TheContractSaysWhatACapHasToKnow) {
  Plan plan{.name = "pro", .slug = "pro"};
  plan.overage_price_per_1k_tokens = Money{5'000};
  plan.id = change(PutPlan{plan}).id;
  change(PutSubscription{acme_.tenant, {.billable = acme_.billable, .plan = "pro"}});
  Feeder engine(store());
  engine.apply(charged(acme_, 130, {}));
  const auto contract = [&](Instant at) { return store().load_account(acme_, at)->contract; };
  EXPECT_TRUE(contract(kNoon).overages.empty()) << "no plan has a cap";
  plan.overage_cap = Money{1'000};
  plan.overage_markup = Percent{5'00};
  change(PutPlan{plan});
  const plans::Contract known = contract(kNoon);
  ASSERT_EQ(known.overages.size(), 1U);
  EXPECT_EQ(known.overages[0].kind, BudgetKind::tokens);
  EXPECT_EQ(known.overages[0].span, kMarch);
  EXPECT_EQ(known.overages[0].t, 100);
  EXPECT_EQ(known.overages[0].b, 30);
  EXPECT_EQ(known.overages[0].used, 130);
  EXPECT_EQ(known.overages[0].cost_nanos, 150);
  EXPECT_TRUE(contract(kMarch.end).overages.empty());
  ASSERT_EQ(known.prices.size(), 2U);
  EXPECT_EQ(known.prices[0].per_1k_tokens, (Money{5'000}));
  EXPECT_FALSE(known.prices[0].markup);
  EXPECT_EQ(known.prices[1].markup, Percent{5'00});
  EXPECT_EQ(known.prices[1].from, kNoon);
  EXPECT_EQ(known.prices[1].plan, plan.id);
}

TEST_P(OverageContract, OlderPinsNeverMoveTBack) {
  Feeder one(store()), other(store());
  one.apply(charged(acme_, 150, {.limit = 120, .catalogue = 2, .at = Duration(5)}));
  other.apply(charged(acme_, 10, {.limit = 100, .catalogue = 1, .at = Duration(4)}));
  EXPECT_EQ(state(tokens_of(acme_)).overage.t, 120);
  EXPECT_EQ(shown(lines()), "30@5=150 10@5=50 ");
}

TEST_P(OverageContract, AnAdjustmentIsALineInItsPeriodAndMovesNoLimit) {
  Feeder engine(store());
  const Settlement call = charged(acme_, 130, {});
  engine.apply(call);
  const std::int64_t row = engine.row();
  engine.apply(charged(acme_, 0, {.limit = 110, .catalogue = 2, .at = Duration(1)}));
  engine.apply(correction(call, row, -15));
  EXPECT_EQ(shown(lines()), "30@5=150 -10@5=-50 -15@5=-75 ");
  EXPECT_EQ(state(tokens_of(acme_)).overage.t, 110);
  EXPECT_EQ(state(tokens_of(acme_)).overage.b, 5);
}

TEST_P(OverageContract, ADuplicateWritesNoLine) {
  Feeder engine(store());
  engine.apply(keyed(charged(acme_, 120, {}), "k"));
  engine.apply(keyed(charged(acme_, 120, {.limit = 0, .catalogue = 9, .at = Duration(9)}), "k"));
  EXPECT_EQ(shown(lines()), "20@5=100 ");
  EXPECT_EQ(state(tokens_of(acme_)).overage.t, 100);
}

TEST_P(OverageContract, WhatIsDeadIsNotCharged) {
  Feeder engine(store());
  engine.apply(charged(acme_, 120, {}));
  Settlement bad = charged(acme_, 50, {});
  bad.budgets[0].held = 30;
  bad.budgets[0].actual = -50;
  const Applied applied = engine.apply(bad);
  ASSERT_EQ(applied.odd.size(), 1U);
  EXPECT_EQ(applied.odd[0].what, Odd::dead);
  EXPECT_EQ(state(tokens_of(acme_)).used, 150) << "it counts with its hold";
  EXPECT_EQ(shown(lines()), "20@5=100 ");
  EXPECT_EQ(state(tokens_of(acme_)).overage.t, 130);
}

TEST_P(OverageContract, AMoneyOutOfRangeIsDeadAndNothingOfItStays) {
  Feeder engine(store());
  engine.apply(charged(acme_, 110, {}));
  Settlement dear = charged(acme_, kCent, {.catalogue = 2, .at = Duration(1)});
  dear.pins.overage->nanos_per_million = billing::kUnlimited;
  const Applied applied = engine.apply({charged(acme_, 1, {}), dear, charged(acme_, 2, {})});
  ASSERT_EQ(applied.odd.size(), 1U);
  EXPECT_EQ(applied.odd[0].reason, "an overage is out of range");
  EXPECT_EQ(state(tokens_of(acme_)).used, 113);
  EXPECT_EQ(shown(lines()), "10@5=50 1@5=5 2@5=10 ");
}

TEST_P(OverageContract, CostAboveACostLimitIsChargedAtItsMarkup) {
  Feeder engine(store());
  Settlement call = call_of(acme_, 100);  // 1,000 nano-units
  call.budgets[0] = {.key = cost_of(acme_), .actual = 1'000, .limit = 400, .allowance = 400};
  call.pins.overage = billing::OveragePrice{1'200'000, "usd"};
  engine.apply(call);
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_EQ(lines()[0].amount, 600);
  EXPECT_EQ(lines()[0].cost_nanos, 720);
}

TEST_P(OverageContract, LinesAreReadInPagesAndByTenantAccountUsageAndPeriod) {
  Feeder engine(store());
  for (int i = 0; i < 5; ++i) engine.apply(charged(acme_, 10, {.limit = 0}));
  engine.apply(charged(zeta_, 10, {.limit = 0}));
  const std::int64_t of_zeta = engine.row();
  engine.apply(charged(account_of("acme", "2"), 10, {.limit = 0}));
  Settlement february = charged(acme_, 10, {.limit = 0});
  february.budgets[0].key = tokens_of(acme_, kFebruary);
  engine.apply(february);
  EXPECT_EQ(lines().size(), 8U);
  EXPECT_EQ(lines({}, 3).size(), 8U) << "in pages";
  EXPECT_EQ(lines({.tenant = TenantId{"acme"}}, 2).size(), 7U);
  EXPECT_EQ(lines({.tenant = TenantId{"acme"}, .billable = acme_.billable}).size(), 6U);
  EXPECT_EQ(lines({.tenant = TenantId{"acme"}, .usage = of_zeta}).size(), 0U);
  EXPECT_EQ(lines({.usage = of_zeta}).size(), 1U);
  EXPECT_EQ(lines({.from = kMarch.start}).size(), 7U);
  EXPECT_EQ(lines({.to = kMarch.start}).size(), 1U);
  EXPECT_EQ(lines({.open_only = true}).size(), 8U);
  EXPECT_EQ(lines({.tenant = TenantId{"nobody"}}).size(), 0U);
  for (const std::size_t limit : {std::size_t{0}, kPageMax + 1}) {
    EXPECT_EQ(store().overages({}, "", limit).error().code, Code::invalid_argument);
  }
  EXPECT_EQ(store().overages({}, "x", 1).error().code, Code::invalid_argument);
}

// ---- The plain model: T, used and what remains of each line, in words of the rule.

struct Model {
  std::optional<Amount> t = {};
  Amount used = 0;
  std::uint64_t catalogue = 0;
  Duration at = Duration(0);
  std::vector<std::pair<Amount, Amount>> open = {};  // price, what remains; the newest last

  [[nodiscard]] Amount b() const { return t ? std::max<Amount>(0, used - *t) : 0; }
  void credit(Amount amount, std::optional<Amount> price) {
    for (auto line = open.rbegin(); line != open.rend() && price; ++line) {
      if (line->first != *price) continue;
      const Amount taken = std::min(amount, line->second);
      line->second -= taken;
      amount -= taken;
    }
    for (auto line = open.rbegin(); line != open.rend(); ++line) {
      const Amount taken = std::min(amount, line->second);
      line->second -= taken;
      amount -= taken;
    }
  }
  void count(Amount tokens, const Charge& pins, bool adjusts) {
    if (!t && !pins.price) {
      used += tokens;
      return;
    }
    const bool newer = !t || (pins.catalogue >= catalogue && pins.at >= at &&
                              (pins.catalogue > catalogue || pins.at > at));
    if (newer && !adjusts) {
      const Amount limit = pins.limit.value_or(billing::kUnlimited), before = b();
      if (t && limit >= *t) {
        t = limit;
      } else {
        t = std::max(limit, used - before);
      }
      catalogue = pins.catalogue;
      at = pins.at;
      credit(before - b(), {});
    }
    if (!t) {
      used += tokens;
      return;
    }
    const Amount before = b();
    used += tokens;
    if (!pins.price && b() > before) t = used - before;
    if (b() > before) open.emplace_back(*pins.price, b() - before);
    if (b() < before) credit(before - b(), pins.price);
  }
  [[nodiscard]] Amount money() const {
    Amount sum = 0;
    for (const auto& [price, left] : open) sum += price * left;
    return sum;
  }
};

TEST_P(OverageContract, RandomSequencesInAnyOrderOfArrivalAreAsThePlainModelSays) {
  const char* given = std::getenv("AIMETER_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 11;
  std::mt19937_64 random(seed);
  const auto below = [&](Amount end) { return static_cast<Amount>(random() % end); };
  Feeder one(store()), other(store());
  int checked = 0;
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(fmt::format("seed {}, round {}", seed, round));
    const Account account = account_of("acme", fmt::format("r{}", round));
    Model model;
    struct Done {
      Settlement call;
      Charge charge;
      std::int64_t row = 0;
      Amount left = 0;
    };
    std::vector<Done> done, held;
    Charge now{.limit = 60};
    for (int step = 0; step < 40; ++step) {
      const Amount what = below(10);
      now.at = Duration(step);
      if (what == 0) now.limit = below(5) == 0 ? std::nullopt : std::optional(below(300));
      if (what == 1) now.price = below(4) == 0 ? std::nullopt : std::optional(1 + below(9));
      if (what <= 1) ++now.catalogue;
      if (!now.limit) now.price.reset();
      Done call{.charge = now, .left = below(50)};
      call.call = charged(account, call.left, now);
      if (what == 2) {  // settles later, from another engine perhaps
        held.push_back(call);
        continue;
      }
      if (what == 3 && !held.empty()) {
        call = held.back();
        held.pop_back();
      }
      Feeder& engine = below(2) == 0 ? one : other;
      if (what == 4 && !done.empty()) {
        Done& of = done[random() % done.size()];
        const Amount change = below(3) == 0 ? below(20) : -below(of.left + 1);
        engine.apply(correction(of.call, of.row, change));
        of.left += change;
        model.count(change, of.charge, true);
      } else {
        engine.apply(call.call);
        call.row = engine.row();
        model.count(call.left, call.charge, false);
        done.push_back(call);
      }
      const BudgetState budget = state(tokens_of(account));
      ASSERT_EQ(budget.used, model.used);
      ASSERT_EQ(budget.overage.t, model.t);
      ASSERT_EQ(budget.overage.b, model.b());
      Amount amount = 0, money = 0;
      for (const OverageLine& line :
           lines({.tenant = account.tenant, .billable = account.billable})) {
        amount += line.amount;
        money += line.cost_nanos;
      }
      ASSERT_EQ(amount, model.b());
      ASSERT_EQ(money, model.money());
      checked += model.b() > 0 ? 1 : 0;
    }
  }
  EXPECT_GT(checked, 100);
}

INSTANTIATE_TEST_SUITE_P(Stores, OverageContract, testing::ValuesIn(factories()), name_of_factory);

}  // namespace
}  // namespace aimeter::store::contract
