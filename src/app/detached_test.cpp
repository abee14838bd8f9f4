// Detached holds through the library: a hold that leaves its engine under a token, and whoever has
// the token.
#include <gtest/gtest.h>

#include <optional>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"
#include "base/memory_files.h"
#include "base/step_workers.h"
#include "store/store.h"

namespace aimeter {
namespace {

using testing::EventLog;
using testing::openai_answer;
using testing::TestEngine;

constexpr Duration kTtl = std::chrono::minutes(1);

// Engines of one store on one disk; they work when a test waits or says so.
class Detached : public ::testing::Test {
 protected:
  void SetUp() override {
    workers_.set_on_idle([this] { clock_.advance(std::chrono::milliseconds(250)); });
    engine_ = make();
    ASSERT_TRUE(engine_);
    log_.emplace(engine_->events());
    ASSERT_TRUE(engine_->admin().create_plan(
        {.name = "small", .slug = "small", .monthly_token_limit = Tokens{100}}));
    ASSERT_TRUE(engine_->tenant("acme").subscribe(
        {.billable = {"tenant", "acme"}, .plan = "small", .started_at = clock_.now()}));
  }
  void TearDown() override {
    const auto verified = store_->verify({});
    ASSERT_TRUE(verified);
    for (const auto& finding : verified->findings) ADD_FAILURE() << finding.message;
  }
  std::optional<Engine> make() {
    OpenOptions options{.clock = &clock_};
    options.journal.folder = "/journal";
    options.journal.segment_bytes = 1U << 20U;
    options.waits.hold_ttl = kTtl;
    options.ports.files = &files_;
    options.ports.workers = &workers_;
    options.ports.store = store_.get();
    auto opened = open("test:", std::move(options));
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? std::optional(*std::move(opened)) : std::nullopt;
  }
  void pass(Duration time) {
    for (Duration step{}; step < time; step += std::chrono::milliseconds(500)) {
      clock_.advance(std::chrono::milliseconds(500));
      workers_.run_until_idle();
    }
  }
  [[nodiscard]] Result<Hold> hold(std::int64_t tokens) {
    return engine_->meter()
        .for_tenant("acme")
        .for_user("42")
        .using_provider("openai", "gpt-4o-mini")
        .feature("chat")
        .with_meta({{"ticket", "1"}})
        .expecting({.tokens = Tokens{tokens}})
        .hold();
  }
  [[nodiscard]] HoldToken detached(std::int64_t tokens) {
    auto held = hold(tokens);
    EXPECT_TRUE(held) << held.error().message;
    auto token = held->detach();
    EXPECT_TRUE(token) << token.error().message;
    return token ? *std::move(token) : HoldToken{};
  }
  [[nodiscard]] std::int64_t used() {
    return engine_->tenant("acme").check_limit({"tenant", "acme"})->used->count;
  }
  [[nodiscard]] std::int64_t held() {
    return engine_->tenant("acme").check_limit({"tenant", "acme"})->held->count;
  }

  testing::ManualClock clock_{TestEngine::default_start()};
  base::MemoryFiles files_;
  base::StepWorkers workers_;
  std::unique_ptr<store::Store> store_ = store::make_memory_store(clock_);
  std::optional<Engine> engine_;
  std::optional<EventLog> log_;
};

TEST_F(Detached, a_token_is_settled_with_all_that_the_call_had_said) {
  const Instant called = clock_.now();
  const HoldToken token = detached(60);
  EXPECT_GE(token.expires_at, called + kTtl);
  EXPECT_EQ(held(), 60);
  pass(std::chrono::seconds(5));
  const auto settled =
      engine_->settle(token.text, Usage{.input_tokens = {10}, .output_tokens = {20}});
  ASSERT_TRUE(settled) << settled.error().message;
  const UsageRecord& record = settled->record;
  EXPECT_EQ(record.account, (Account{{"acme"}, {"tenant", "acme"}}));
  EXPECT_EQ(record.user_id, "42");
  EXPECT_EQ(record.provider, "openai");
  EXPECT_EQ(record.model, "gpt-4o-mini");
  EXPECT_EQ(record.feature, "chat");
  EXPECT_EQ(record.plan, "small");
  EXPECT_EQ(record.occurred_at, called) << "the call was made when it was held";
  EXPECT_EQ(record.usage.total_tokens.count, 30);
  EXPECT_EQ(record.total_cost.text(), "0.0000135");
  EXPECT_FALSE(settled->duplicate);
  EXPECT_EQ(settled->limit.used->count, 30);
  EXPECT_EQ(log_->count("UsageRecorded"), 1U);
  ASSERT_TRUE(engine_->drain());
  EXPECT_EQ(held(), 0);
  const auto stored = engine_->tenant("acme").usage(record.id);
  ASSERT_TRUE(stored) << stored.error().message;
  EXPECT_EQ(stored->meta.at("ticket"), "1");
  EXPECT_EQ(stored->total_cost, record.total_cost);
}

TEST_F(Detached, the_hold_that_was_detached_is_over) {
  auto held = hold(60);
  ASSERT_TRUE(held);
  ASSERT_TRUE(held->detach());
  const auto settled = held->settle(Usage{.input_tokens = {1}});
  ASSERT_FALSE(settled);
  EXPECT_EQ(settled.error().code, Code::failed_precondition);
  EXPECT_NE(settled.error().message.find("detached"), std::string::npos);
  EXPECT_EQ(held->detach().error().code, Code::failed_precondition);
  held->release("late");
  {
    const Hold dropped = *std::move(held);
  }
  EXPECT_EQ(this->held(), 60) << "neither release nor destruction gives it back";
  EXPECT_EQ(log_->count("ProviderCallFailed"), 0U);
}

TEST_F(Detached, another_engine_settles_also_after_the_owner_is_gone) {
  const HoldToken token = detached(60);
  log_.reset();
  engine_.reset();
  engine_ = make();
  const auto settled = engine_->settle(token.text, Usage{.input_tokens = {70}});
  ASSERT_TRUE(settled) << settled.error().message;
  ASSERT_TRUE(engine_->drain());
  EXPECT_EQ(used(), 70);
  EXPECT_FALSE(hold(31)) << "70 of 100 are used";
  EXPECT_TRUE(hold(30));
}

TEST_F(Detached, settled_twice_is_the_first_record) {
  const HoldToken token = detached(60);
  const auto first = engine_->settle(token.text, Usage{.input_tokens = {10}});
  const auto second = engine_->settle(token.text, Usage{.input_tokens = {99}});
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_TRUE(second->duplicate);
  EXPECT_EQ(second->record.id, first->record.id);
  EXPECT_EQ(second->record.usage.total_tokens.count, 10);
  EXPECT_EQ(used(), 10);
  EXPECT_EQ(log_->count("UsageRecorded"), 1U);
}

TEST_F(Detached, a_providers_own_text_is_read_and_an_error_releases_the_hold) {
  const HoldToken good = detached(30);
  const auto settled = engine_->settle(good.text, HttpAnswer{200, openai_answer(10, 5)});
  ASSERT_TRUE(settled) << settled.error().message;
  EXPECT_EQ(settled->record.usage.total_tokens.count, 15);

  const HoldToken bad = detached(30);
  const auto failed = engine_->settle(bad.text, HttpAnswer{500, "busy"});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::provider_failed);
  EXPECT_EQ(log_->count("ProviderCallFailed"), 1U);
  EXPECT_EQ(held(), 0);
  EXPECT_EQ(engine_->settle(bad.text, Usage{}).error().code, Code::failed_precondition);
  EXPECT_EQ(used(), 15);
}

TEST_F(Detached, missing_usage_counts_what_was_held) {
  const HoldToken token = detached(60);
  const auto settled = engine_->settle(token.text, Usage{});
  ASSERT_TRUE(settled) << settled.error().message;
  EXPECT_TRUE(settled->record.estimated);
  EXPECT_EQ(settled->record.usage.total_tokens.count, 60);
  EXPECT_GT(settled->record.total_cost.nanos, 0);
  EXPECT_EQ(log_->count("UsageEstimated"), 1U);
}

TEST_F(Detached, usage_given_by_hand_before_the_call_stays_what_it_was) {
  auto held = engine_->meter()
                  .for_tenant("acme")
                  .using_provider("openai", "gpt-4o-mini")
                  .with_manual_usage({.input_tokens = {7}, .output_tokens = {3}})
                  .hold();
  ASSERT_TRUE(held) << held.error().message;
  const HoldToken token = held->detach().value();
  const auto settled = engine_->settle(token.text, Usage{.input_tokens = {99}});
  ASSERT_TRUE(settled) << settled.error().message;
  EXPECT_EQ(settled->record.usage.total_tokens.count, 10);
  EXPECT_EQ(settled->record.usage.source, UsageSource::manual);
}

TEST_F(Detached, expiry_is_told_with_the_holds_id_and_a_late_answer_counts) {
  const HoldToken token = detached(60);
  ASSERT_TRUE(engine_->drain());
  pass(kTtl + std::chrono::seconds(3));
  ASSERT_EQ(log_->count("HoldExpired"), 1U);
  EXPECT_EQ(log_->entries().back().detail, token.id);
  EXPECT_EQ(log_->entries().back().tenant, "acme");
  EXPECT_EQ(held(), 0);
  const auto settled = engine_->settle(token.text, Usage{.input_tokens = {50}});
  ASSERT_TRUE(settled) << settled.error().message;
  ASSERT_TRUE(engine_->drain());
  EXPECT_TRUE(engine_->tenant("acme").usage(settled->record.id)->late);
  EXPECT_EQ(used(), 50);
}

TEST_F(Detached, released_is_free_and_not_to_be_settled) {
  const HoldToken token = detached(60);
  ASSERT_TRUE(engine_->release(token.text));
  EXPECT_TRUE(engine_->release(token.text)) << "twice changes nothing";
  EXPECT_EQ(held(), 0);
  EXPECT_EQ(engine_->settle(token.text, Usage{}).error().code, Code::failed_precondition);
  const HoldToken other = detached(60);
  ASSERT_TRUE(engine_->settle(other.text, Usage{.input_tokens = {5}}));
  EXPECT_EQ(engine_->release(other.text).error().code, Code::failed_precondition);
}

TEST_F(Detached, a_tenant_ends_its_own_holds_only) {
  const HoldToken token = detached(60);
  const TenantView zeta = engine_->tenant("zeta");
  EXPECT_EQ(zeta.settle(token.text, Usage{}).error().code, Code::not_found);
  EXPECT_EQ(zeta.settle(token.text, HttpAnswer{500, ""}).error().code, Code::not_found);
  EXPECT_EQ(zeta.release(token.text).error().code, Code::not_found);
  std::optional<Code> told;
  zeta.settle(token.text, Answered{}, [&](Result<Settled> done) { told = done.error().code; });
  EXPECT_EQ(told, Code::not_found);
  EXPECT_EQ(held(), 60);
  EXPECT_TRUE(engine_->tenant("acme").settle(token.text, Usage{.input_tokens = {1}}));
}

TEST_F(Detached, what_is_no_token_is_said) {
  EXPECT_EQ(engine_->settle("nonsense", Usage{}).error().code, Code::invalid_argument);
  const HoldToken token = detached(10);
  const auto contradicts = engine_->settle(token.text, Usage{.input_tokens = {-1}});
  EXPECT_EQ(contradicts.error().code, Code::invalid_argument);
  EXPECT_EQ(held(), 10) << "it can still be settled";
}

TEST_F(Detached, settling_does_not_wait_where_that_is_asked) {
  auto open = hold(60);
  ASSERT_TRUE(open);
  std::optional<HoldToken> token;
  open->detach([&](Result<HoldToken> done) { token = *std::move(done); });
  EXPECT_FALSE(token) << "it is not on the disk yet";
  workers_.run_until_idle();
  ASSERT_TRUE(token);
  std::optional<Settled> settled;
  engine_->settle(token->text, Answered{.usage = {.input_tokens = {9}}},
                  [&](Result<Settled> done) { settled = *std::move(done); });
  EXPECT_FALSE(settled);
  workers_.run_until_idle();
  ASSERT_TRUE(settled);
  EXPECT_EQ(settled->record.usage.total_tokens.count, 9);
}

TEST_F(Detached, its_key_belongs_to_whoever_settles_first) {
  const auto keyed = [&] {
    return engine_->meter()
        .for_tenant("acme")
        .using_provider("openai", "gpt-4o-mini")
        .expecting({.tokens = Tokens{30}})
        .with_idempotency_key("k")
        .hold();
  };
  const HoldToken token = keyed()->detach().value();
  auto second = keyed();  // the key is not used up while nobody settled
  ASSERT_TRUE(second) << second.error().message;
  ASSERT_TRUE(second->settle(Usage{.input_tokens = {20}}));
  ASSERT_TRUE(engine_->settle(token.text, Usage{.input_tokens = {25}}));
  ASSERT_TRUE(engine_->drain());
  EXPECT_EQ(used(), 20) << "billed once";
  EXPECT_EQ(log_->count("DuplicateAnswer"), 1U);
}

TEST_F(Detached, a_repeat_of_a_settled_key_has_nothing_to_detach) {
  const auto keyed = [&] {
    return engine_->meter().for_tenant("acme").with_idempotency_key("k").hold();
  };
  ASSERT_TRUE(keyed()->settle(Usage{.input_tokens = {20}}));
  auto repeat = keyed();
  ASSERT_TRUE(repeat) << repeat.error().message;
  EXPECT_EQ(repeat->detach().error().code, Code::failed_precondition);
}

TEST_F(Detached, a_call_of_long_ago_is_refused_as_everywhere) {
  const HoldToken token = detached(10);
  ASSERT_TRUE(engine_->drain());
  clock_.advance(std::chrono::days(91));
  const auto settled = engine_->settle(token.text, Usage{.input_tokens = {1}});
  ASSERT_FALSE(settled);
  EXPECT_EQ(settled.error().code, Code::failed_precondition);
  EXPECT_NE(settled.error().message.find("max_lateness"), std::string::npos);
}

}  // namespace
}  // namespace aimeter
