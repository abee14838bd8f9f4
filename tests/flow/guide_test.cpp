// The multi-tenancy guide as one long day of a host application, step by step, on every store.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/http/string_body.hpp>
#include <filesystem>
#include <future>
#include <stdexcept>

#include "aimeter/aimeter.h"
#include "aimeter/asio.h"
#include "aimeter/testing.h"

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace host {  // the application: its own types, and the few lines that make them known

struct Tenant {
  int id = 0;
};
struct User {
  int id = 0;
  std::optional<Tenant> tenant = {};
};
std::string tenant_id_of(const Tenant& tenant) { return std::to_string(tenant.id); }
std::string user_id_of(const User& user) { return std::to_string(user.id); }
aimeter::Billable billable_of(const Tenant& tenant) { return {"tenant", tenant_id_of(tenant)}; }

struct Request {
  std::string host = {}, path = {};
  std::optional<User> user = {};
};
aimeter::Context context_of(const Request& request) {
  aimeter::Context context;
  context.host = request.host;
  context.path = request.path;
  if (request.user) context.user = user_id_of(*request.user);
  context.carry(request);
  return context;
}

struct ChatReply {  // what a client library returns
  std::string text = {};
  std::int64_t in = 0, out = 0;
};
aimeter::Result<aimeter::Usage> usage_of(const ChatReply& reply, const aimeter::CallInfo&) {
  return aimeter::Usage{.input_tokens = {reply.in},
                        .output_tokens = {reply.out},
                        .total_tokens = {reply.in + reply.out},
                        .source = aimeter::UsageSource::provider};
}

std::string chat() {
  return R"({"choices":[{"message":{"content":"Hi"}}],)"
         R"("usage":{"prompt_tokens":10,"completion_tokens":20}})";
}

class UsersTenant final : public aimeter::TenantResolver {
 public:
  aimeter::Result<std::optional<aimeter::TenantId>> resolve(
      const aimeter::Context& context) const override {
    const auto* request = context.request_as<Request>();
    if (request != nullptr && request->user && request->user->tenant)
      return aimeter::TenantId{tenant_id_of(*request->user->tenant)};
    return aimeter::TenantScope::current();
  }
};
class HostsTenant final : public aimeter::TenantResolver {
 public:
  aimeter::Result<std::optional<aimeter::TenantId>> resolve(
      const aimeter::Context& context) const override {
    if (context.host == "app.example.com") return std::nullopt;
    if (context.host == "acme.example.com") return aimeter::TenantId{"7"};
    return aimeter::fail(aimeter::Code::not_found, "no tenant for this host");
  }
};

}  // namespace host

namespace aimeter {
namespace {

using namespace std::chrono;  // NOLINT: dates read better without it

const Instant kNow = sys_days(2026y / March / 15);

class Guide {
 public:
  explicit Guide(const std::string& dsn) : clock_(kNow) {
    auto opened = open(dsn, options("users"));
    if (!opened) throw std::runtime_error(opened.error().message);
    engine_ = *std::move(opened);
    Events& events = engine_->events();
    listeners_.push_back(events.on<UsageRecorded>([this](const UsageRecorded&) { ++recorded_; }));
    listeners_.push_back(
        events.on<ProviderCallFailed>([this](const ProviderCallFailed&) { ++failed_; }));
    listeners_.push_back(
        events.on<LimitApproaching>([this](const LimitApproaching&) { ++approaching_; }));
    listeners_.push_back(events.on<LimitReached>([this](const LimitReached& event) {
      if (event.check.budget == "tokens") ++reached_;
    }));
  }

  OpenOptions options(std::string resolver) const {
    OpenOptions options{
        .clock = &clock_, .tenant_resolver = std::move(resolver), .tenant_required = true};
    options.tenant_resolvers["users"] = [] { return std::make_unique<host::UsersTenant>(); };
    options.tenant_resolvers["hosts"] = [] { return std::make_unique<host::HostsTenant>(); };
    return options;
  }

  void registering_a_resolver() {
    const auto unknown = open("memory:", options("no_such"));
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, Code::invalid_argument);
    EXPECT_TRUE(open("memory:", options("hosts")));
  }

  void explicit_tenant_and_tenant_as_billable() {
    const auto reply = engine_->meter()
                           .for_user(user_)
                           .for_tenant(tenant_)
                           .billable(tenant_)
                           .using_provider("openai", "gpt-4o-mini")
                           .call([] { return host::chat(); });
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->usage().total_tokens.count, 30);
    EXPECT_EQ(reply->cost().text(), "0.0000135");
    EXPECT_NE(reply->response().find("Hi"), std::string::npos);
    EXPECT_FALSE(reply->remaining_tokens());
    EXPECT_EQ(recorded_, 1);
    EXPECT_TRUE(engine_->meter()
                    .for_user("42")
                    .for_tenant("7")
                    .billable({"tenant", "7"})
                    .using_provider("openai", "gpt-4o-mini")
                    .feature("email_reply")
                    .call([] { return host::chat(); }));
  }

  void automatic_tenant() {
    const auto of_request =
        engine_->meter(request_).using_provider("openai", "gpt-4o-mini").call([] {
          return host::chat();
        });
    ASSERT_TRUE(of_request) << of_request.error().message;
    EXPECT_EQ(of_request->record().account.tenant.text, "7");
    {
      const TenantScope scope(tenant_);
      const auto in_scope = engine_->meter().for_user(user_).call([] { return host::chat(); });
      ASSERT_TRUE(in_scope) << in_scope.error().message;
      EXPECT_EQ(in_scope->record().account.billable.id, "7");
      {
        const TenantScope central = TenantScope::central();
        EXPECT_FALSE(TenantScope::current());
      }
      EXPECT_EQ(engine_->current()->usages().get()->size(), 4U);
    }
    EXPECT_TRUE(
        engine_->run_as("8", [&] { return engine_->meter().call([] { return host::chat(); }); }));
    const auto refused = engine_->meter().for_user(user_).call([] { return host::chat(); });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unauthenticated);
  }

  void tenant_scoped_queries() {
    const TenantView mine = engine_->tenant(tenant_);
    EXPECT_EQ(mine.usages().get()->size(), 4U);
    EXPECT_EQ(mine.usages().for_billable(tenant_).get()->size(), 4U);
    const Period period({.type = Period::Type::monthly});
    EXPECT_EQ(engine_->tenant("7")
                  .usages()
                  .for_billable(tenant_)
                  .by_provider("openai")
                  .by_feature("email_reply")
                  .in_period(period.at(kNow))
                  .get()
                  ->size(),
              1U);
    EXPECT_EQ(engine_->tenant("7")
                  .usages()
                  .by_model("gpt-4o-mini")
                  .by_user("42")
                  .in_period(period.at(kNow).start)
                  .sum()
                  ->total_tokens.count,
              90);
    EXPECT_TRUE(engine_->tenant("9").usages().get()->empty());
  }

  void plans_and_subscriptions() {
    const Billable acme = billable_of(tenant_);
    const TenantView mine = engine_->tenant(tenant_);
    EXPECT_TRUE(engine_->admin().create_plan({.name = "Enterprise Plan",
                                              .slug = "enterprise",
                                              .monthly_token_limit = Tokens{10'000'000}}));
    EXPECT_TRUE(engine_->admin().create_plan({.name = "Small",
                                              .slug = "small",
                                              .monthly_token_limit = Tokens{200},
                                              .overage_price_per_1k_tokens = 0.01_usd,
                                              .trial_days = 14}));
    const auto subscription = mine.subscribe({.billable = acme,
                                              .plan = "enterprise",
                                              .billing_mode = BillingMode::plan,
                                              .started_at = kNow,
                                              .renews_at = kNow + days(31)});
    ASSERT_TRUE(subscription) << subscription.error().message;
    EXPECT_TRUE(subscription->is_active(kNow));
    EXPECT_FALSE(subscription->is_in_trial(kNow));
    EXPECT_EQ(mine.active_plan(acme)->slug, "enterprise");
    EXPECT_FALSE(
        mine.subscribe({.billable = acme, .plan = "", .billing_mode = BillingMode::credits}));
    const auto moved = mine.migrate_plan(acme, {.to = "small", .expect_from = "enterprise"});
    ASSERT_TRUE(moved) << moved.error().message;
    EXPECT_EQ(moved->previous_plan, "enterprise");
  }

  void other_callbacks() {
    const auto typed =
        engine_->meter().for_tenant(tenant_).call([] { return host::ChatReply{"Hi", 10, 20}; });
    ASSERT_TRUE(typed) << typed.error().message;
    EXPECT_EQ(typed->usage().output_tokens.count, 20);
    EXPECT_EQ(reached_, 0);
    EXPECT_EQ(check().usage_percentage.text(), "75.00");
    const auto http500 =
        engine_->meter().for_tenant(tenant_).call([] { return HttpAnswer{500, "oops"}; });
    ASSERT_FALSE(http500);
    EXPECT_EQ(http500.error().code, Code::provider_failed);
    EXPECT_EQ(failed_, 1);
    const auto as_value = engine_->meter().for_tenant(tenant_).call(
        []() -> std::expected<std::string, int> { return std::unexpected(7); });
    ASSERT_FALSE(as_value);
    EXPECT_EQ(failed_, 2);
    try {
      (void)engine_->meter().for_tenant(tenant_).call(
          []() -> std::string { throw std::runtime_error("timeout"); });
      ADD_FAILURE() << "what the callback throws must come out";
    } catch (const std::runtime_error& thrown) {
      EXPECT_STREQ(thrown.what(), "timeout");
    }
    EXPECT_EQ(failed_, 3);
    EXPECT_EQ(check().held->count, 0);
  }

  void manual_usage_and_keys() {
    const auto manual =
        engine_->meter()
            .for_tenant(tenant_)
            .using_provider("manual", "custom-model")
            .with_manual_usage({.input_tokens = {10}, .output_tokens = {20}, .total_tokens = {30}})
            .call([] {});
    ASSERT_TRUE(manual) << manual.error().message;
    EXPECT_EQ(manual->usage().source, UsageSource::manual);
    EXPECT_TRUE(manual->is_approaching_limit());
    EXPECT_EQ(approaching_, 1);
    const auto once = [&] {
      return engine_->meter()
          .for_tenant("8")
          .with_idempotency_key("req-1")
          .with_meta({{"ticket_id", "9"}})
          .call([] { return host::chat(); });
    };
    EXPECT_FALSE(once()->duplicate());
    EXPECT_TRUE(once()->duplicate());
    EXPECT_EQ(engine_->tenant("8").usages().by_meta("ticket_id", "9").get()->size(), 1U);
    const auto bad =
        engine_->meter().for_tenant("8").feature("no good!").call([] { return host::chat(); });
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code, Code::invalid_argument);
    auto prepared = engine_->meter().for_tenant("8").feature("chat");
    EXPECT_TRUE(prepared.copy().call([] { return host::chat(); }));
    EXPECT_TRUE(std::move(prepared).call([] { return host::chat(); }));
  }

  void hold_and_settle() {
    {
      const auto hold =
          engine_->meter().for_tenant(tenant_).expecting({.tokens = Tokens{15}}).hold();
      ASSERT_TRUE(hold) << hold.error().message;
      EXPECT_EQ(check().held->count, 15);
    }
    EXPECT_EQ(check().held->count, 0);
    auto hold = engine_->meter().for_tenant("8").hold();
    ASSERT_TRUE(hold) << hold.error().message;
    std::promise<bool> told;
    hold->settle(*extract_usage({"openai", "gpt-4o-mini"}, host::chat()),
                 [&](const Result<Settled>& settled) { told.set_value(settled.has_value()); });
    EXPECT_TRUE(told.get_future().get());
    EXPECT_EQ(hold->settle(Usage{})->record.usage.total_tokens.count, 30);
  }

  void coroutines() {
    asio::io_context io;
    std::int64_t total = 0;
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
          const auto reply =
              co_await engine_->meter()
                  .for_tenant("8")
                  .using_provider("openai", "gpt-4o-mini")
                  .call([]() -> asio::awaitable<std::string> { co_return host::chat(); });
          if (reply) total = reply->usage().total_tokens.count;
        },
        [](const std::exception_ptr& thrown) { EXPECT_FALSE(thrown); });
    io.run();
    EXPECT_EQ(total, 30);
  }

  void middleware() {
    const QuotaGuard guard(*engine_);
    const auto before = guard.admit(request_);
    ASSERT_TRUE(before) << before.error().message;
    EXPECT_TRUE(before->admitted);
    EXPECT_EQ(guard.headers(*before)[0],
              std::pair(std::string("X-Remaining-Tokens"), std::string("20")));
    const auto over =
        engine_->meter().for_tenant(tenant_).expecting({.tokens = Tokens{21}}).call([] {
          return host::chat();
        });
    ASSERT_FALSE(over);
    EXPECT_EQ(http_status(over.error()), 429);
    EXPECT_EQ(over.error().refusal->used->count, 180);
    EXPECT_EQ(over.error().refusal->resets_at, Instant(sys_days(2026y / April / 1)));
    EXPECT_TRUE(engine_->tenant(tenant_).override_limits({.billable = billable_of(tenant_),
                                                          .period_start = kNow,
                                                          .period_end = kNow + days(1),
                                                          .token_limit = Tokens{180}}));
    const auto blocked = guard.admit(request_);
    ASSERT_TRUE(blocked);
    EXPECT_FALSE(blocked->admitted);
    EXPECT_EQ(blocked->status, 429);
    EXPECT_NE(blocked->body.find("\"error\": \"quota_exceeded\""), std::string::npos);
    http::request<http::string_body> beast{http::verb::post, "/ai/chat", 11};
    beast.set(http::field::host, "app.example.com");
    const auto nobody = guard.admit(beast);
    ASSERT_TRUE(nobody) << nobody.error().message;
    EXPECT_TRUE(nobody->admitted);
    EXPECT_TRUE(guard.headers(*nobody).empty());
  }

  void credits() {
    const Wallet wallet = engine_->tenant("8").wallet({"user", "42"});
    const auto by_credits = [&] {
      return engine_->meter()
          .for_user("42")
          .for_tenant("8")
          .billable({"user", "42"})
          .billing_mode(BillingMode::credits);
    };
    const auto poor = by_credits().call([] { return host::chat(); });
    ASSERT_FALSE(poor);
    EXPECT_EQ(http_status(poor.error()), 402);
    ASSERT_TRUE(poor.error().refusal && poor.error().refusal->balance);
    EXPECT_EQ(poor.error().refusal->balance->nanos, 0);
    EXPECT_GT(poor.error().refusal->required->nanos, 0);
    EXPECT_TRUE(wallet.add_credits(
        100_usd,
        {.reason = "top-up", .meta = {{"payment_id", "pay_123"}}, .idempotency_key = "pay_123"}));
    const auto paid =
        by_credits().using_provider("openai", "gpt-4o-mini").call([] { return host::chat(); });
    ASSERT_TRUE(paid) << paid.error().message;
    EXPECT_EQ(wallet.balance()->text(), "99.9999865");
    EXPECT_TRUE(wallet.transactions()->back().is_debit());
  }

  void erasing_and_throwing_listeners() {
    EXPECT_EQ(*engine_->tenant("7").erase_user("42"), 4);
    const Listener thrower = engine_->events().on<UsageRecorded>(
        [](const UsageRecorded&) { throw std::logic_error("listener"); });
    EXPECT_TRUE(engine_->meter().for_tenant("8").call([] { return host::chat(); }));
    EXPECT_EQ(failed_, 3);
  }

 private:
  [[nodiscard]] LimitCheck check() const { return *engine_->tenant(tenant_).check_limit(tenant_); }

  testing::ManualClock clock_;
  const host::Tenant tenant_{7};
  const host::User user_{42, host::Tenant{7}};
  const host::Request request_{"acme.example.com", "/ai/chat", user_};
  std::optional<Engine> engine_;
  int recorded_ = 0, failed_ = 0, approaching_ = 0, reached_ = 0;
  std::vector<Listener> listeners_;
};

void run_guide(const std::string& dsn) {
  Guide guide(dsn);
  const std::pair<const char*, void (Guide::*)()> steps[] = {
      {"registering a resolver", &Guide::registering_a_resolver},
      {"explicit tenant", &Guide::explicit_tenant_and_tenant_as_billable},
      {"automatic tenant", &Guide::automatic_tenant},
      {"queries", &Guide::tenant_scoped_queries},
      {"plans", &Guide::plans_and_subscriptions},
      {"other callbacks", &Guide::other_callbacks},
      {"manual usage and keys", &Guide::manual_usage_and_keys},
      {"hold and settle", &Guide::hold_and_settle},
      {"coroutines", &Guide::coroutines},
      {"middleware", &Guide::middleware},
      {"credits", &Guide::credits},
      {"erasing, listeners", &Guide::erasing_and_throwing_listeners},
  };
  for (const auto& [name, step] : steps) {
    SCOPED_TRACE(name);
    (guide.*step)();
  }
}

TEST(Guide, every_check_of_the_multi_tenancy_guide_holds_on_memory) { run_guide("memory:"); }

TEST(Guide, every_check_of_the_multi_tenancy_guide_holds_on_sqlite) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("aimeter-guide-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  run_guide("sqlite:" + (folder / "usage.db").string());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace aimeter
