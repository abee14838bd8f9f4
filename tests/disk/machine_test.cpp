// The machine itself: a store on its disk works, and keeps over a loss of power what it must.
#include <gtest/gtest.h>

#include "drivers/builtin.h"
#include "store/store_fixture.h"
#include "tests/disk/machine.h"
#include "time/manual_clock.h"

namespace aimeter::disk {
namespace {

using store::fixture::account_of;
using store::fixture::kNoon;

class OneMachine : public testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<store::Store> open(const Process& process) {
    auto store =
        drivers::open_store("sqlite:/data/usage.db", {.clock = &clock_, .disk = process.disk()});
    EXPECT_TRUE(store) << store.error().message;
    return store ? *std::move(store) : nullptr;
  }
  [[nodiscard]] static Status put_plan(store::Store& store, std::string slug) {
    const Plan plan{.name = slug, .slug = slug, .monthly_token_limit = Tokens{1}};
    const auto done = store.change({store::PutPlan{plan}, "test"});
    if (!done) return std::unexpected(done.error());
    return {};
  }
  [[nodiscard]] static std::size_t plans(const store::Store& store) {
    return store.plans(std::nullopt).value().size();
  }
  void SetUp() override { ASSERT_TRUE(files_.make_folder("/data")); }

  time::ManualClock clock_{kNoon};
  base::MemoryFiles files_;
  Machine machine_{files_};
};

TEST_F(OneMachine, TwoConnectionsOfOneProcessAndTwoProcessesSeeEachOthersCommits) {
  Process one(machine_), two(machine_);
  const auto first = open(one), second = open(two);
  ASSERT_TRUE(put_plan(*first, "a"));
  EXPECT_EQ(plans(*second), 1U);
  ASSERT_TRUE(put_plan(*second, "b"));
  EXPECT_EQ(plans(*first), 2U);
  EXPECT_GT(files_.bytes("/data/usage.db-wal").size(), 0U) << "it is a WAL database";
}

TEST_F(OneMachine, AChangeSurvivesALossOfPowerOnceItIsAcknowledged) {
  {
    Process process(machine_);
    const auto store = open(process);
    ASSERT_TRUE(put_plan(*store, "a"));
    files_.lose_power_at(1, [] { return false; });
    EXPECT_FALSE(put_plan(*store, "b")) << "the power went with its first write";
    EXPECT_FALSE(files_.has_power());
    EXPECT_FALSE(put_plan(*store, "c"));
  }
  files_.power_on();
  Process process(machine_);
  const auto store = open(process);
  EXPECT_EQ(plans(*store), 1U);
  ASSERT_TRUE(put_plan(*store, "d")) << "nothing of the life before stands in the way";
}

TEST_F(OneMachine, AKilledProcessHoldsNothingAndWhatItWroteStays) {
  Process one(machine_), two(machine_);
  auto first = open(one);
  ASSERT_TRUE(put_plan(*first, "a"));
  one.kill();
  EXPECT_FALSE(put_plan(*first, "b"));
  const auto second = open(two);
  EXPECT_EQ(plans(*second), 1U);
  ASSERT_TRUE(put_plan(*second, "c"));
  first.reset();
  EXPECT_EQ(plans(*second), 2U) << "its end changes nothing";
}

TEST_F(OneMachine, AFullDiskIsSaidAndNothingIsWritten) {
  Process process(machine_);
  const auto store = open(process);
  files_.set_free_bytes(0);
  const Status refused = put_plan(*store, "a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_NE(refused.error().message.find("/data/usage.db: the disk is full; nothing was written"),
            std::string::npos)
      << refused.error().message;
  files_.set_free_bytes(1 << 20);
  EXPECT_EQ(plans(*store), 0U);
  EXPECT_TRUE(put_plan(*store, "a"));
}

}  // namespace
}  // namespace aimeter::disk
