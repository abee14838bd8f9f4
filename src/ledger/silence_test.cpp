#include "ledger/silence.h"

#include <gtest/gtest.h>

#include "ledger/ledger_fixture.h"

namespace aimeter::ledger {
namespace {

using namespace fixture;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using store::Lessee;
using store::fixture::tokens_of;

const Account kAcme = account_of("acme");
constexpr Duration kLongest = minutes(10) + seconds(30);

std::size_t looks(Silence& silence, Lessee lessee, Duration at) {
  return silence.look({&lessee, 1}, {.asked = at, .heard = at}).size();
}

TEST(Silence, WhoRenewsNotForTheLongestIsSilentAndNoMomentBefore) {
  Silence silence(kLongest);
  EXPECT_EQ(looks(silence, {7, kNoon}, hours(9)), 0U) << "seen for the first time, however old";
  EXPECT_EQ(looks(silence, {7, kNoon}, hours(9) + kLongest - Duration(1)), 0U);
  EXPECT_EQ(looks(silence, {7, kNoon}, hours(9) + kLongest), 1U);
  EXPECT_EQ(looks(silence, {7, kNoon + Duration(1)}, hours(9) + kLongest), 0U) << "it renewed";
}

TEST(Silence, AnyChangeIsALifeSignWhateverTheWallClockSays) {
  Silence silence(kLongest);
  EXPECT_EQ(looks(silence, {7, kNoon}, hours(1)), 0U);
  EXPECT_EQ(looks(silence, {7, kNoon - hours(24 * 40)}, hours(1) + minutes(10)), 0U);
  EXPECT_EQ(looks(silence, {7, kNoon - hours(24 * 40)}, hours(1) + minutes(20)), 0U);
  EXPECT_EQ(looks(silence, {7, kNoon - hours(24 * 40)}, hours(1) + minutes(10) + kLongest), 1U);
}

TEST(Silence, OnlyWhatPassedBetweenTwoAnswersCounts) {
  Silence silence(kLongest);
  const Lessee lessee{7, kNoon};
  const auto look = [&](Duration asked, Duration heard) {
    return silence.look({&lessee, 1}, {.asked = asked, .heard = heard}).size();
  };
  EXPECT_EQ(look(hours(1), hours(2)), 0U) << "the store took an hour to answer";
  EXPECT_EQ(look(hours(2) + kLongest - Duration(1), hours(9)), 0U) << "and seven";
  EXPECT_EQ(look(hours(2) + kLongest, hours(9)), 1U);
}

TEST(Silence, WhoLeasesNothingIsForgotten) {
  Silence silence(kLongest);
  EXPECT_EQ(looks(silence, {7, kNoon}, hours(1)), 0U);
  EXPECT_TRUE(silence.look({}, {.asked = hours(2), .heard = hours(2)}).empty());
  EXPECT_EQ(looks(silence, {7, kNoon}, hours(3)), 0U);
}

// ---------------------------------------------------------------- of whole engines

// Two engines on two machines, so that none finds the other's journal; each steps when told.
struct Watched : World {
  struct Machine {
    base::MemoryFiles files;
    base::StepWorkers workers;
    std::unique_ptr<Ledger> ledger;
  };
  Machine first, second;
  Result<budget::Held> running = fail(Code::unavailable, "");
  Watched() {
    Plan plan{.slug = "small"};
    plan.monthly_token_limit = Tokens{1'000};
    subscribe(kAcme, plan);
    start(first);
    first.workers.set_on_idle([this] { clock.advance(options.heartbeat / 4); });
    EXPECT_TRUE(use(*first.ledger, kAcme, 10));
    EXPECT_TRUE(first.ledger->drain());
    running = first.ledger->hold(ask_of(kAcme, 20));  // what is held is no idle lease
    EXPECT_TRUE(running) << running.error().message;
    EXPECT_GE(state(tokens_of(kAcme)).leased, 20);
  }
  void start(Machine& machine) {
    const Deps deps{*store, machine.files, machine.workers, clock};
    Result<std::unique_ptr<Ledger>> opened = Ledger::open(deps, options, {});
    ASSERT_TRUE(opened) << opened.error().message;
    machine.ledger = *std::move(opened);
  }
  // The second engine works, the first does not.
  void pass(Duration time) {
    for (const Duration until = clock.boot() + time; clock.boot() < until;) {
      clock.advance(options.heartbeat);
      second.workers.run_until_idle();
    }
  }
  [[nodiscard]] std::uint32_t epoch_of_first() const { return store->engines()->at(0).ref.epoch; }
};
constexpr Duration kLook = seconds(31);  // housekeeping, and a heartbeat

TEST(Silence, OfAnEngineIsNotWhatAWallClockJumped) {
  for (const Duration jump : {hours(1), hours(24 * 40), -hours(1), -hours(24 * 40)}) {
    SCOPED_TRACE(jump.count());
    Watched world;
    world.start(world.second);
    world.pass(kLook);  // the first is busy elsewhere, not gone
    world.clock.set_wall(world.clock.now() + jump);
    world.pass(minutes(2));
    EXPECT_EQ(world.epoch_of_first(), 1U);
    world.first.workers.run_until_idle();
    world.pass(kLongest - seconds(1));
    EXPECT_EQ(world.epoch_of_first(), 1U) << "it has renewed";
    world.pass(2 * kLook);
    EXPECT_EQ(world.epoch_of_first(), 2U);
  }
}

TEST(Silence, OfAnEngineThatNobodyWatchedBeforeEndsToo) {
  Watched world;
  static_cast<EngineLedger&>(*world.first.ledger).abandon();
  world.clock.advance(hours(24 * 3));
  world.start(world.second);
  world.pass(kLongest - seconds(1));
  EXPECT_EQ(world.epoch_of_first(), 1U) << "the clock may have jumped before this engine opened";
  world.pass(2 * kLook);
  EXPECT_EQ(world.epoch_of_first(), 2U);
  EXPECT_EQ(world.state(tokens_of(kAcme)).leased, 0);
}

}  // namespace
}  // namespace aimeter::ledger
