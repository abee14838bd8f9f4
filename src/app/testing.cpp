#include "aimeter/testing.h"

#include <fmt/format.h>

#include <set>

#include "time/manual_clock.h"

namespace aimeter::testing {
namespace {

// A maker that cannot make: the test is wrong, and says where.
template <class T>
T must(Result<T> made) {
  if (!made) assertion_failed(made.error().message.c_str(), "aimeter/testing.h", 0);
  return *std::move(made);
}

}  // namespace

struct ManualClock::State {
  time::ManualClock clock;
};

ManualClock::ManualClock(Instant at)
    : state_(new State{.clock = time::ManualClock(at, std::chrono::hours(1))}) {}
ManualClock::~ManualClock() = default;
Instant ManualClock::now() const { return state_->clock.now(); }
Duration ManualClock::boot() const { return state_->clock.boot(); }
void ManualClock::advance(Duration by) { state_->clock.advance(by); }
void ManualClock::set(Instant at) {
  if (at >= now()) return advance(at - now());  // time passes
  state_->clock.set_wall(at);                   // a clock that goes back
}

EventLog::EventLog(Events& events) {
  const auto log = [&]<class E>(std::string name, auto tenant, auto detail) {
    listeners_.push_back(events.on<E>([this, name, tenant, detail](const E& event) {
      add({name, tenant(event), detail(event)});
    }));
  };
  const auto of_record = [](const auto& event) { return event.record.account.tenant.text; };
  const auto model = [](const auto& event) { return event.record.model; };
  const auto of_account = [](const auto& event) { return event.account.tenant.text; };
  const auto budget = [](const auto& event) { return event.check.budget; };
  log.operator()<UsageRecorded>("UsageRecorded", of_record, model);
  log.operator()<UsageEstimated>("UsageEstimated", of_record,
                                 [](const UsageEstimated& event) { return event.problem; });
  log.operator()<UsageProvisional>("UsageProvisional", of_record, model);
  log.operator()<DuplicateAnswer>("DuplicateAnswer", of_record, model);
  log.operator()<LimitApproaching>("LimitApproaching", of_account, budget);
  log.operator()<LimitReached>("LimitReached", of_account, budget);
  log.operator()<ProviderCallFailed>("ProviderCallFailed", of_account,
                                     [](const ProviderCallFailed& event) { return event.error; });
  const auto of_reason = [](const auto& event) { return event.transaction.reason; };
  log.operator()<CreditsAdded>("CreditsAdded", of_account, of_reason);
  log.operator()<CreditsDeducted>("CreditsDeducted", of_account, of_reason);
  log.operator()<PlanChanged>("PlanChanged", of_account,
                              [](const PlanChanged& event) { return event.subscription.plan; });
  log.operator()<SubscriptionExpired>(
      "SubscriptionExpired", of_account,
      [](const SubscriptionExpired& event) { return event.subscription.plan; });
  log.operator()<CallOrphaned>("CallOrphaned", of_account,
                               [](const CallOrphaned& event) { return event.model; });
  log.operator()<HoldExpired>("HoldExpired", of_account,
                              [](const HoldExpired& event) { return event.hold; });
  log.operator()<SettlementDead>("SettlementDead", of_account,
                                 [](const SettlementDead& event) { return event.reason; });
}

void EventLog::add(Entry entry) {
  const std::scoped_lock lock(mutex_);
  entries_.push_back(std::move(entry));
}

std::vector<EventLog::Entry> EventLog::entries() const {
  const std::scoped_lock lock(mutex_);
  return entries_;
}

std::size_t EventLog::count(std::string_view event) const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(entries_, [&](const Entry& one) { return one.event == event; }));
}

void EventLog::clear() {
  const std::scoped_lock lock(mutex_);
  entries_.clear();
}

Instant TestEngine::default_start() {
  using namespace std::chrono;
  return sys_days(year(2026) / March / 15);
}

TestEngine::TestEngine(OpenOptions options, Instant start) : clock_(start) {
  options.clock = &clock_;
  engine_ = std::make_unique<Engine>(must(open("memory:", std::move(options))));
  log_ = std::make_unique<EventLog>(engine_->events());
}

Plan TestEngine::plan(std::string_view slug, std::optional<Tokens> tokens,
                      std::optional<Money> cost) {
  return must(engine_->admin().create_plan({.name = std::string(slug),
                                            .slug = std::string(slug),
                                            .monthly_token_limit = tokens,
                                            .monthly_cost_limit = std::move(cost)}));
}

Subscription TestEngine::subscribe(std::string_view tenant, Billable who,
                                   std::string_view plan_slug) {
  return must(engine_->tenant(tenant).subscribe(
      {.billable = std::move(who), .plan = std::string(plan_slug), .started_at = clock_.now()}));
}

std::string openai_answer(std::int64_t input, std::int64_t output, std::string_view model) {
  return fmt::format(
      R"({{"object":"chat.completion","model":"{}","choices":[{{"message":{{"content":"Hi"}}}}],)"
      R"("usage":{{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{}}}}})",
      model, input, output, input + output);
}

std::vector<std::string> leaks_between(const Engine& engine, std::string_view mine,
                                       std::string_view theirs) {
  std::vector<std::string> leaks;
  std::set<std::int64_t> their_rows;
  const auto collect = [&](std::string_view tenant, auto&& each) {
    const Status read =
        engine.tenant(tenant).usages().with_duplicates().each([&](const UsageRecord& record) {
          if (record.account.tenant.text != tenant)
            leaks.push_back(fmt::format("usage {} is of another tenant", record.id));
          each(record);
          return true;
        });
    if (!read) leaks.push_back(read.error().message);
  };
  collect(theirs, [&](const UsageRecord& record) { their_rows.insert(record.id); });
  collect(mine, [&](const UsageRecord& record) {
    if (their_rows.contains(record.id)) leaks.push_back(fmt::format("usage {}", record.id));
  });
  for (const std::int64_t row : their_rows) {
    if (engine.tenant(mine).usage(row)) leaks.push_back(fmt::format("usage {} by its id", row));
    if (engine.tenant(mine).explain(row)) leaks.push_back(fmt::format("explanation of {}", row));
  }
  if (const auto plans = engine.tenant(mine).plans()) {
    for (const Plan& plan : *plans) {
      if (!plan.tenant.empty() && plan.tenant != mine) leaks.push_back("plan " + plan.slug);
    }
  } else {
    leaks.push_back(plans.error().message);
  }
  return leaks;
}

}  // namespace aimeter::testing
