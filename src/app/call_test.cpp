// The rules of a call, against a whole engine on memory.
#include <gtest/gtest.h>

#include <expected>
#include <future>
#include <stdexcept>
#include <thread>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"

namespace aimeter {
namespace {

using testing::openai_answer;
using testing::TestEngine;

struct Typed {  // a client library's own type
  std::int64_t in = 0, out = 0;
};
Result<Usage> usage_of(const Typed& reply, const CallInfo&) {
  return Usage{.input_tokens = {reply.in}, .output_tokens = {reply.out}};
}
struct Throwing {};
Result<Usage> usage_of(const Throwing&, const CallInfo&) {
  throw std::logic_error("no usage here");
}
struct Contradicting {};
Result<Usage> usage_of(const Contradicting&, const CallInfo&) {
  return Usage{.input_tokens = {5}, .output_tokens = {5}, .total_tokens = {11}};
}

Meter metered(TestEngine& engine, std::string_view tenant = "acme") {
  return engine->meter().for_tenant(tenant).using_provider("openai", "gpt-4o-mini");
}
std::string answer() { return openai_answer(10, 20); }
const Billable kAcme{"tenant", "acme"};

// ---- one call, one value

TEST(Call, fluent_state_never_survives_into_the_next_call) {
  TestEngine engine;
  const auto first = engine->meter()
                         .for_tenant("acme")
                         .for_user("42")
                         .billable({"team", "9"})
                         .feature("chat")
                         .with_meta({{"ticket", "1"}})
                         .with_idempotency_key("k")
                         .using_provider("openai", "gpt-4o-mini")
                         .call(answer);
  ASSERT_TRUE(first) << first.error().message;
  const auto second = engine->meter().for_tenant("other").call(answer);
  ASSERT_TRUE(second) << second.error().message;
  const UsageRecord& record = second->record();
  EXPECT_EQ(record.account, (Account{{"other"}, {"tenant", "other"}}));
  EXPECT_EQ(record.user_id, "");
  EXPECT_EQ(record.feature, "");
  EXPECT_TRUE(record.meta.empty());
  EXPECT_EQ(record.idempotency_key, "");
  EXPECT_FALSE(second->duplicate());
}

TEST(Call, a_prepared_call_is_copied_and_each_copy_is_a_call) {
  TestEngine engine;
  auto prepared = metered(engine).feature("chat");
  EXPECT_TRUE(prepared.copy().call(answer));
  EXPECT_TRUE(std::move(prepared).call(answer));
  EXPECT_EQ(engine->tenant("acme").usages().by_feature("chat").get()->size(), 2U);
}

TEST(Call, a_meter_assigned_to_itself_keeps_what_was_set) {
  TestEngine engine;
  Meter meter = metered(engine).for_user("42");
  meter = std::move(meter).feature("chat");
  const auto reply = std::move(meter).call(answer);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->record().user_id, "42");
  EXPECT_EQ(reply->record().feature, "chat");
  auto query = engine->tenant("acme").usages().by_user("43");
  query = std::move(query).by_feature("chat");
  EXPECT_TRUE(query.get()->empty()) << "a query that is assigned to itself keeps its user";
}

TEST(Call, the_first_bad_argument_is_reported_before_the_callback_runs) {
  TestEngine engine;
  const struct {
    std::string_view sentence;
    Meter meter;
    std::string_view names;
  } rows[] = {
      {"an empty user", metered(engine).for_user(""), "user"},
      {"a tenant with a control character", engine->meter().for_tenant("a\nb"), "tenant"},
      {"the first of two", engine->meter().for_user("\x01").for_tenant(""), "user"},
      {"a feature that is no name", metered(engine).feature("no good!"), "feature"},
      {"a feature of 101 characters", metered(engine).feature(std::string(101, 'a')), "feature"},
      {"a key of 192 bytes", metered(engine).with_idempotency_key(std::string(192, 'k')),
       "idempotency_key"},
      {"a billable without id", metered(engine).billable({"team", ""}), "billable.id"},
      {"a negative estimate", metered(engine).expecting({.tokens = Tokens{-1}}), "expecting"},
      {"a provider that nobody knows", metered(engine).using_provider("nobody", "m"), "provider"},
      {"nobody who pays", engine->meter().using_provider("openai", "gpt-4o-mini"), "billable"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    bool ran = false;
    const auto reply = row.meter.copy().call([&] { return ran = true, answer(); });
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, Code::invalid_argument);
    EXPECT_EQ(reply.error().message.find(row.names), 0U) << reply.error().message;
    EXPECT_FALSE(ran);
  }
  EXPECT_EQ(engine->admin().usages({})->records.size(), 0U);
}

TEST(Call, who_pays_is_the_billable_else_the_tenant_else_the_user) {
  TestEngine engine;
  const struct {
    std::string_view sentence;
    Meter meter;
    Account account;
  } rows[] = {
      {"an explicit billable goes before all",
       engine->meter().for_user("42").for_tenant("acme").billable({"team", "9"}),
       {{"acme"}, {"team", "9"}}},
      {"the tenant goes before the user",
       engine->meter().for_user("42").for_tenant("acme"),
       {{"acme"}, {"tenant", "acme"}}},
      {"a bare user pays in tenant \"\"", engine->meter().for_user("42"), {{""}, {"user", "42"}}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto reply = row.meter.copy().call(answer);
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->record().account, row.account);
  }
}

TEST(Call, meta_merges_and_the_newest_value_wins) {
  TestEngine engine;
  const auto reply =
      metered(engine).with_meta({{"a", "1"}, {"b", "1"}}).with_meta({{"b", "2"}}).call(answer);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->record().meta, (Meta{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(engine->tenant("acme").usages().get()->at(0).meta, (Meta{{"a", "1"}, {"b", "2"}}));
}

// ---- provider and usage

TEST(Call, without_using_provider_it_is_the_default_provider_and_the_answers_model) {
  TestEngine engine;
  const auto named = engine->meter().for_tenant("acme").call(answer);
  ASSERT_TRUE(named) << named.error().message;
  EXPECT_EQ(named->record().provider, "openai");
  EXPECT_EQ(named->record().model, "gpt-4o-mini");
  EXPECT_EQ(named->cost().text(), "0.0000135");
  const auto unnamed = engine->meter().for_tenant("acme").call([] {
    return std::string(R"({"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20}})");
  });
  ASSERT_TRUE(unnamed) << unnamed.error().message;
  EXPECT_EQ(unnamed->record().model, "unknown");
  EXPECT_TRUE(unnamed->record().unpriced);
}

TEST(Call, a_clients_own_type_tells_its_usage_beside_itself) {
  TestEngine engine;
  const auto reply = metered(engine).call(
      []() -> std::expected<Typed, int> { return Typed{.in = 10, .out = 20}; });
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->response().out, 20);
  EXPECT_EQ(reply->usage().total_tokens.count, 30) << "the sum is made where it is not given";
  EXPECT_EQ(reply->usage().source, UsageSource::provider);
}

TEST(Call, a_failed_provider_call_charges_nothing_and_leaves_nothing_held) {
  TestEngine engine;
  engine.plan("small", Tokens{5'000});
  engine.subscribe("acme", kAcme, "small");
  const auto http = metered(engine).call([] { return HttpAnswer{500, "oops"}; });
  ASSERT_FALSE(http);
  EXPECT_EQ(http.error().code, Code::provider_failed);
  const auto value = metered(engine).call(
      []() -> std::expected<std::string, std::string> { return std::unexpected("timed out"); });
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, Code::provider_failed);
  EXPECT_NE(value.error().message.find("timed out"), std::string::npos);
  const auto nothing = metered(engine)
                           .with_manual_usage({.total_tokens = {5}})
                           .call([]() -> std::expected<void, int> { return std::unexpected(7); });
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Code::provider_failed);
  EXPECT_THROW((void)metered(engine).call([]() -> std::string { throw std::range_error("x"); }),
               std::range_error);
  EXPECT_THROW((void)metered(engine).call([]() -> std::string { throw 7; }), int);
  EXPECT_EQ(engine.log().count("ProviderCallFailed"), 5U);
  EXPECT_EQ(engine.log().count("UsageRecorded"), 0U);
  const auto check = engine->tenant("acme").check_limit(kAcme);
  EXPECT_EQ(check->held->count, 0);
  EXPECT_EQ(check->used->count, 0);
}

TEST(Call, usage_that_is_missing_counts_the_hold_and_says_so) {
  TestEngine engine;
  const auto check = [&](const auto& reply, std::string_view sentence) {
    SCOPED_TRACE(sentence);
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_TRUE(reply->record().estimated);
    EXPECT_EQ(reply->usage().source, UsageSource::estimated);
    EXPECT_EQ(reply->usage().total_tokens.count, 501);
    EXPECT_EQ(reply->usage().input_tokens.count, 250);  // the odd one is output
    EXPECT_EQ(reply->usage().output_tokens.count, 251);
    EXPECT_GT(reply->cost().nanos, 0);
    EXPECT_FALSE(reply->record().unpriced);
  };
  const auto expecting = [&] { return metered(engine).expecting({.tokens = Tokens{501}}); };
  check(expecting().call([] { return Throwing{}; }), "a usage_of() that throws");
  check(expecting().call([] { return Contradicting{}; }), "figures that contradict themselves");
  check(expecting().call([] { return std::string("{}"); }), "an answer without usage");
  check(expecting().call([] { return std::string("no JSON"); }), "an answer that is no JSON");
  check(expecting().call([] { return Usage{}; }), "an empty usage");
  EXPECT_EQ(engine.log().count("UsageEstimated"), 5U);
  EXPECT_EQ(engine.log().entries().at(1).detail, "usage_of() threw: no usage here");
  EXPECT_EQ(engine->tenant("acme").usages().sum()->estimated_calls, 5);
  EXPECT_EQ(engine->tenant("acme").usages().sum()->total_tokens.count, 5 * 501);
}

TEST(Call, manual_usage_replaces_what_the_answer_says) {
  TestEngine engine;
  const auto reply = metered(engine)
                         .with_manual_usage({.input_tokens = {100}, .output_tokens = {50}})
                         .call(answer);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->usage().source, UsageSource::manual);
  EXPECT_EQ(reply->usage().total_tokens.count, 150);
  EXPECT_EQ(reply->cost().text(), "0.000045");  // 100 * 0.15 + 50 * 0.60 per million
  const auto failed = metered(engine).with_manual_usage({.total_tokens = {5}}).call([] {
    return HttpAnswer{503, ""};
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::provider_failed);
  const auto bad = metered(engine).with_manual_usage({.input_tokens = {-1}}).call([] {});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::invalid_argument);
}

TEST(Call, a_mere_total_is_half_input_half_output_and_the_odd_one_output) {
  TestEngine engine;
  const auto reply =
      metered(engine).with_manual_usage({.total_tokens = {31}}).call([] { return 7; });
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->response(), 7);
  EXPECT_TRUE(reply->usage().total_only);
  EXPECT_EQ(reply->usage().input_tokens.count, 15);
  EXPECT_EQ(reply->usage().output_tokens.count, 16);
  EXPECT_EQ(reply->cost().text(), "0.00001185");  // 15 * 0.15 + 16 * 0.60 per million
  const auto stored = engine->tenant("acme").usages().get()->at(0);
  EXPECT_EQ(stored.usage, reply->usage());
}

TEST(Call, a_given_cost_is_kept) {
  TestEngine engine;
  const auto by_caller =
      metered(engine).with_manual_usage({.total_tokens = {30}, .total_cost = 0.5_usd}).call([] {});
  ASSERT_TRUE(by_caller) << by_caller.error().message;
  EXPECT_EQ(by_caller->cost(), 0.5_usd);
  EXPECT_EQ(by_caller->record().cost_source, CostSource::caller);
  const auto by_provider = metered(engine).call([] {
    return Usage{.input_tokens = {10}, .total_cost = 0.25_usd, .source = UsageSource::provider};
  });
  ASSERT_TRUE(by_provider) << by_provider.error().message;
  EXPECT_EQ(by_provider->cost(), 0.25_usd);
  EXPECT_EQ(by_provider->record().cost_source, CostSource::provider);
  EXPECT_EQ(metered(engine).call(answer)->record().cost_source, CostSource::book);
}

class Counting final : public ProviderClient {
 public:
  Result<Usage> usage(std::string_view, std::string_view body) const override {
    if (body.empty()) throw std::logic_error("empty");
    return Usage{.input_tokens = {static_cast<std::int64_t>(body.size())}};
  }
};

TEST(Call, a_providers_answers_are_read_by_the_hosts_own_client) {
  TestEngine engine({.providers = {{"mine", [] { return std::make_unique<Counting>(); }}}});
  const auto reply =
      engine->meter().for_tenant("acme").using_provider("mine", "m1").call([] { return "12345"; });
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->usage().input_tokens.count, 5);
  const auto threw = engine->meter().for_tenant("acme").using_provider("mine", "m1").call([] {
    return std::string();
  });
  ASSERT_TRUE(threw) << threw.error().message;
  EXPECT_TRUE(threw->record().estimated);
}

// ---- price

TEST(Call, unknown_model_is_never_free) {
  TestEngine engine;
  const auto reply = engine->meter()
                         .for_tenant("acme")
                         .using_provider("openai", "no-such-model")
                         .expecting({.tokens = Tokens{30}, .cost = 0.02_usd})
                         .call(answer);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_TRUE(reply->record().unpriced);
  EXPECT_EQ(reply->cost(), 0.02_usd);  // what was held stands in
  EXPECT_EQ(engine.log().count("UsageProvisional"), 1U);
  EXPECT_EQ(engine->tenant("acme").usages().sum()->provisional_calls, 1);
}

TEST(Call, an_account_with_a_cost_limit_refuses_what_it_cannot_price) {
  TestEngine engine;
  engine.plan("dear", std::nullopt, 1_usd);
  engine.subscribe("acme", kAcme, "dear");
  bool ran = false;
  const auto run = [&] { return ran = true, answer(); };
  const auto refused =
      engine->meter().for_tenant("acme").using_provider("openai", "no-such-model").call(run);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::failed_precondition);
  EXPECT_NE(refused.error().message.find("price"), std::string::npos);
  EXPECT_FALSE(ran);
  EXPECT_EQ(engine->tenant("acme").check_limit(kAcme)->budgets.at(0).held, 0);
  EXPECT_TRUE(engine->meter().for_tenant("acme").call(answer)) << "the dearest stands in";
  EXPECT_TRUE(
      engine->meter().for_tenant("free").using_provider("openai", "no-such-model").call(run));
}

TEST(Call, the_operator_chooses_what_an_unknown_model_means) {
  TestEngine strict({.pricing = {.unknown_model = "refuse"}});
  const auto refused =
      strict->meter().for_tenant("acme").using_provider("openai", "no-such-model").call(answer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::failed_precondition);
  const auto price = ConfiguredPrice::parse("default_price", "0.001", "0.002");
  TestEngine lenient({.pricing = {.unknown_model = "default_price", .default_price = *price}});
  const auto priced =
      lenient->meter().for_tenant("acme").using_provider("openai", "no-such-model").call(answer);
  ASSERT_TRUE(priced) << priced.error().message;
  EXPECT_FALSE(priced->record().unpriced);
  EXPECT_EQ(priced->cost().text(), "0.00005");  // 10 * 0.001 + 20 * 0.002 per thousand
  EXPECT_EQ(priced->record().cost_source, CostSource::configuration);
}

// ---- holds

TEST(Call, a_call_that_does_not_fit_is_refused_before_the_provider_is_asked) {
  TestEngine engine;
  engine.plan("small", Tokens{100});
  engine.subscribe("acme", kAcme, "small");
  bool ran = false;
  const auto over =
      metered(engine).expecting({.tokens = Tokens{101}}).call([&] { return ran = true, answer(); });
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Code::quota_exceeded);
  EXPECT_FALSE(ran);
  const Refusal& why = *over.error().refusal;
  EXPECT_EQ(why.budget, "tokens");
  EXPECT_EQ(why.limit->count, 100);
  EXPECT_EQ(why.used->count, 0);
  EXPECT_EQ(why.requested->count, 101);
  EXPECT_EQ(text_of(*why.resets_at), "2026-04-01T00:00:00Z");
  EXPECT_TRUE(metered(engine).expecting({.tokens = Tokens{100}}).call(answer)) << "it just fits";
  const auto manual =
      metered(engine).with_manual_usage({.total_tokens = {71}}).call([&] { ran = true; });
  ASSERT_FALSE(manual) << "manual usage is a strict estimate";
  EXPECT_FALSE(ran);
  EXPECT_TRUE(metered(engine).with_manual_usage({.total_tokens = {70}}).call([] {}));
}

TEST(Call, a_learned_estimate_takes_what_is_free_when_nobody_else_holds) {
  TestEngine engine;
  engine.plan("small", Tokens{100});
  engine.subscribe("acme", kAcme, "small");
  auto hold = metered(engine).hold();  // 4096 are guessed, 100 are free
  ASSERT_TRUE(hold) << hold.error().message;
  EXPECT_EQ(engine->tenant("acme").check_limit(kAcme)->held->count, 100);
  EXPECT_FALSE(metered(engine).hold()) << "somebody holds";
  const auto settled = hold->settle(Usage{});  // its usage is missing: what it held counts
  ASSERT_TRUE(settled) << settled.error().message;
  EXPECT_EQ(settled->record.usage.total_tokens.count, 100);
  EXPECT_TRUE(settled->limit.hard_limit_reached);
}

TEST(Call, a_first_estimate_is_bounded_by_what_the_model_takes) {
  const auto book = PriceBook::import(
      R"({"format": "aimeter-prices/1", "version": "mine",
          "providers": [{"id": "openai", "models": [
          {"id": "small", "max_tokens": 512, "at_parent": "all",
           "rows": [{"prices": {"input": "1/1000000", "output": "1/1000000"}}]}]}]})",
      {.effective_from = TestEngine::default_start()});
  ASSERT_TRUE(book) << book.error().message;
  OpenOptions options;
  options.pricing.books = {book->book};
  TestEngine engine(std::move(options));
  engine.plan("tiny", Tokens{1'000});
  engine.subscribe("acme", {"tenant", "acme"}, "tiny");
  const auto call = [&](std::string_view model) {
    return engine->meter().for_tenant("acme").using_provider("openai", model).hold();
  };
  const auto one = call("small");
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(engine->tenant("acme").check_limit({"tenant", "acme"})->held->count, 512);
  const auto two = call("small");
  ASSERT_FALSE(two) << "488 are left and somebody else holds";
  EXPECT_EQ(two.error().code, Code::quota_exceeded);
  EXPECT_EQ(two.error().refusal->requested->count, 512);
}

TEST(Call, a_hold_ends_once) {
  TestEngine engine;
  auto hold = metered(engine).hold();
  ASSERT_TRUE(hold);
  const auto bad = hold->settle(Usage{.input_tokens = {-1}});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::invalid_argument);
  const auto first = hold->settle(Usage{.input_tokens = {10}});
  ASSERT_TRUE(first) << first.error().message;
  const auto second = hold->settle(Usage{.input_tokens = {99}});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->record.id, first->record.id);
  EXPECT_EQ(second->record.usage.input_tokens.count, 10);
  hold->release("too late");
  EXPECT_EQ(engine.log().count("ProviderCallFailed"), 0U);
  EXPECT_EQ(engine->tenant("acme").usages().get()->size(), 1U);

  auto released = metered(engine).hold();
  ASSERT_TRUE(released);
  released->release("the provider said no");
  const auto after = released->settle(Usage{.input_tokens = {10}});
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, Code::failed_precondition);
  EXPECT_EQ(engine.log().count("ProviderCallFailed"), 1U);
}

struct SaysWhenItGoes final : ProviderClient {
  explicit SaysWhenItGoes(std::promise<std::thread::id>& told) : gone(told) {}
  ~SaysWhenItGoes() override { gone.set_value(std::this_thread::get_id()); }
  Result<Usage> usage(std::string_view, std::string_view) const override { return Usage{}; }
  std::promise<std::thread::id>& gone;
};

// The first hold of an account is answered by a thread of the engine, which then cannot end it.
TEST(Call, an_engine_whose_last_keeper_is_a_callback_ends_on_another_thread) {
  std::promise<std::thread::id> gone, answered;
  std::promise<void> let_go;
  {
    const auto client = [&gone] { return std::make_unique<SaysWhenItGoes>(gone); };
    const auto engine = open("memory:", {.providers = {{"mine", client}}});
    ASSERT_TRUE(engine) << engine.error().message;
    const auto keeps = [last = *engine, &answered, &let_go](const Result<Hold>& hold) {
      EXPECT_TRUE(hold) << hold.error().message;
      let_go.get_future().wait();
      answered.set_value(std::this_thread::get_id());
    };
    engine->meter().for_tenant("acme").using_provider("openai", "gpt-4o-mini").hold(keeps);
  }
  let_go.set_value();
  const std::thread::id answering = answered.get_future().get();
  EXPECT_NE(answering, std::this_thread::get_id());
  EXPECT_NE(gone.get_future().get(), answering);
}

// ---- keys

TEST(Call, repeated_key_bills_once_and_keys_are_per_tenant) {
  TestEngine engine;
  int asked = 0;
  const auto run = [&](std::string_view tenant) {
    return metered(engine, tenant).with_idempotency_key("req-1").call([&] {
      ++asked;
      return answer();
    });
  };
  const auto first = run("acme");
  const auto second = run("acme");
  const auto other = run("other");
  ASSERT_TRUE(first && second && other);
  EXPECT_FALSE(first->duplicate());
  EXPECT_TRUE(second->duplicate());
  EXPECT_FALSE(other->duplicate());
  EXPECT_EQ(asked, 3) << "the caller needs an answer";
  EXPECT_EQ(engine->tenant("acme").usages().get()->size(), 1U);
  EXPECT_EQ(engine->tenant("acme").usages().sum()->total_tokens.count, 30);
  const auto all = engine->tenant("acme").usages().with_duplicates().get();
  ASSERT_EQ(all->size(), 2U);
  EXPECT_TRUE(all->at(1).duplicate);
  EXPECT_FALSE(all->at(1).adjustment);
  EXPECT_EQ(engine->tenant("acme").check_limit(kAcme)->budgets.size(), 0U);
}

TEST(Call, a_repeat_says_what_is_left_on_every_path) {
  TestEngine engine;
  engine.plan("small", Tokens{1'000});
  engine.subscribe("acme", {"tenant", "acme"}, "small");
  const auto keyed = [&] { return metered(engine).with_idempotency_key("req-1"); };
  const auto first = keyed().call([] { return answer(); });
  ASSERT_TRUE(first) << first.error().message;
  const std::optional<Tokens> left = first->remaining_tokens();
  ASSERT_TRUE(left);
  EXPECT_LT(left->count, 1'000);
  const auto again = keyed().call([] { return answer(); });
  ASSERT_TRUE(again && again->duplicate());
  EXPECT_EQ(again->remaining_tokens(), left) << "called";
  auto hold = keyed().hold();
  ASSERT_TRUE(hold);
  std::optional<Settled> settled;
  hold->settle(Usage{.input_tokens = {10}}, [&](Result<Settled> done) { settled = *done; });
  ASSERT_TRUE(settled && settled->duplicate);
  EXPECT_EQ(settled->limit.remaining_tokens, left) << "settled on an event loop";
  ASSERT_EQ(settled->limit.budgets.size(), 1U);
  EXPECT_EQ(settled->limit.budgets[0].held, 0) << "looking holds nothing";
  EXPECT_EQ(settled->limit.plan, "small");
}

TEST(Call, a_repeat_can_be_refused_without_asking_the_provider) {
  TestEngine engine;
  ASSERT_TRUE(metered(engine).with_idempotency_key("k").call(answer));
  bool ran = false;
  const auto again =
      metered(engine).with_idempotency_key("k").if_recorded(OnRepeat::refuse).call([&] {
        return ran = true, answer();
      });
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::conflict);
  EXPECT_FALSE(ran);
}

TEST(Call, the_same_key_with_other_content_is_a_conflict_before_the_call) {
  TestEngine engine;
  const auto keyed = [&] { return metered(engine).for_user("42").with_idempotency_key("k"); };
  ASSERT_TRUE(keyed().call(answer));
  const struct {
    std::string_view sentence;
    Meter meter;
  } rows[] = {
      {"another user", keyed().for_user("43")},
      {"another model", keyed().using_provider("openai", "gpt-4o")},
      {"a feature", keyed().feature("chat")},
      {"metadata", keyed().with_meta({{"a", "b"}})},
      {"another account", keyed().billable({"team", "9"})},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    bool ran = false;
    const auto reply = row.meter.copy().call([&] { return ran = true, answer(); });
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, Code::conflict);
    EXPECT_FALSE(ran);
  }
  const auto hinted = keyed().expecting({.tokens = Tokens{9}}).call(answer);
  ASSERT_TRUE(hinted) << "an estimate is a hint, no content";
  EXPECT_TRUE(hinted->duplicate());
}

TEST(Call, refusals_and_failures_do_not_use_up_a_key) {
  TestEngine engine;
  engine.plan("small", Tokens{100});
  engine.subscribe("acme", kAcme, "small");
  const auto keyed = [&] { return metered(engine).with_idempotency_key("k"); };
  EXPECT_FALSE(keyed().expecting({.tokens = Tokens{101}}).call(answer));
  EXPECT_FALSE(keyed().call([] { return HttpAnswer{500, ""}; }));
  EXPECT_THROW((void)keyed().call([]() -> std::string { throw std::runtime_error("x"); }),
               std::runtime_error);
  {
    EXPECT_TRUE(keyed().hold()) << "dropped";
  }
  const auto good = keyed().call(answer);
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_FALSE(good->duplicate());
}

// ---- events

TEST(Call, listener_that_throws_never_loses_the_answer) {
  TestEngine engine;
  const Listener thrower = engine->events().on<UsageRecorded>(
      [](const UsageRecorded&) { throw std::logic_error("listener"); });
  const auto reply = metered(engine).call(answer);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->usage().total_tokens.count, 30);
  EXPECT_EQ(engine.log().count("ProviderCallFailed"), 0U);
}

TEST(Call, limits_are_told_once_per_budget_and_period) {
  TestEngine engine;
  engine.plan("small", Tokens{100});
  engine.subscribe("acme", kAcme, "small");
  const auto use = [&](std::int64_t tokens) {
    return metered(engine).with_manual_usage({.total_tokens = {tokens}}).call([] {}).has_value();
  };
  EXPECT_TRUE(use(79));
  EXPECT_EQ(engine.log().count("LimitApproaching"), 0U);
  EXPECT_TRUE(use(1));
  EXPECT_EQ(engine.log().count("LimitApproaching"), 1U) << "80 % is reached";
  EXPECT_TRUE(use(10));
  EXPECT_EQ(engine.log().count("LimitApproaching"), 1U);
  EXPECT_EQ(engine.log().count("LimitReached"), 0U);
  EXPECT_FALSE(use(11));
  EXPECT_EQ(engine.log().count("LimitReached"), 1U) << "the first refusal";
  EXPECT_FALSE(use(11));
  EXPECT_TRUE(use(10));
  EXPECT_FALSE(use(1));
  EXPECT_EQ(engine.log().count("LimitReached"), 1U);
}

TEST(Call, events_come_after_the_write_and_see_it) {
  TestEngine engine;
  std::int64_t seen = 0;
  const Listener reader = engine->events().on<UsageRecorded>([&](const UsageRecorded& event) {
    const auto stored = engine->tenant("acme").usage(event.record.id);
    seen = stored ? stored->id : -1;
  });
  const auto reply = metered(engine).call(answer);
  ASSERT_TRUE(reply);
  EXPECT_EQ(seen, reply->record().id);
}

// ---- metadata

TEST(Call, secrets_and_conversations_are_never_stored) {
  TestEngine engine;
  const auto reply = metered(engine)
                         .with_meta({{"Authorization", "Bearer x"},
                                     {"api_key", "sk-1"},
                                     {"prompt", "hello"},
                                     {"nested", R"({"password":"p","ok":1})"},
                                     {"ticket", "9"}})
                         .call(answer);
  ASSERT_TRUE(reply) << reply.error().message;
  const Meta expected{{"Authorization", "[redacted]"},
                      {"api_key", "[redacted]"},
                      {"prompt", "[redacted]"},
                      {"nested", R"({"password":"[redacted]","ok":1})"},
                      {"ticket", "9"}};
  EXPECT_EQ(reply->record().meta, expected);
  EXPECT_EQ(engine->tenant("acme").usages().get()->at(0).meta, expected);
  const auto too_much = metered(engine).with_meta({{"a", std::string(16'385, 'x')}}).call(answer);
  ASSERT_FALSE(too_much);
  EXPECT_EQ(too_much.error().code, Code::invalid_argument);
}

TEST(Call, two_tenants_see_nothing_of_each_other) {
  TestEngine engine;
  ASSERT_TRUE(metered(engine, "acme").with_idempotency_key("k").call(answer));
  ASSERT_TRUE(metered(engine, "other").with_idempotency_key("k").call(answer));
  EXPECT_EQ(testing::leaks_between(engine.engine(), "acme", "other"), std::vector<std::string>{});
  EXPECT_EQ(testing::leaks_between(engine.engine(), "other", "acme"), std::vector<std::string>{});
}

}  // namespace
}  // namespace aimeter
