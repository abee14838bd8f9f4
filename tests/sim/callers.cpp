#include "tests/sim/callers.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/world.h"

namespace aimeter::sim {
namespace {

constexpr Instant kLongAgo = std::chrono::sys_days(std::chrono::year(2025) / 1 / 1);

Account account_of(std::string tenant, std::string id) {
  return {.tenant = {std::move(tenant)}, .billable = {.type = "user", .id = std::move(id)}};
}

std::vector<Plan> first_plans() {
  Plan tokens{.name = "tokens", .slug = "tokens", .monthly_token_limit = Tokens{1'200}};
  tokens.period = Period::Options{.type = Period::Type::daily};
  tokens.budgets = {
      {.scope = BudgetScope::user, .period = {.type = Period::Type::daily}, .limit = 800}};
  Plan cost{.name = "cost", .slug = "cost", .monthly_cost_limit = Money{.nanos = 9'000}};
  cost.period = Period::Options{.type = Period::Type::hourly};
  cost.budgets = {{.kind = BudgetKind::requests,
                   .scope = BudgetScope::key,
                   .period = {.type = Period::Type::hourly},
                   .limit = 30}};
  Plan both{.name = "both", .slug = "both", .monthly_token_limit = Tokens{1'000}};
  both.monthly_cost_limit = Money{.nanos = 12'000};
  return {tokens, cost, both};
}

std::int64_t number(const Process& process) { return static_cast<std::int64_t>(process.number); }

}  // namespace

Callers::Callers(World& world) : world_(world), plans_(first_plans()) {
  accounts_ = {account_of("acme", "1"), account_of("acme", "2"), account_of("beta", "1"),
               account_of("beta", "2")};
}

// As another process would; empty: the disk of the store does not let it.
std::optional<store::Changed> Callers::operate(const store::ChangeBody& body) {
  const auto changed = world_.store->change({body, "operator"});
  if (changed) {
    world_.oracle.catalogue_is(changed->catalogue);
    return *changed;
  }
  world_.trace.line("not changed", {{"code", static_cast<std::int64_t>(changed.error().code)}});
  if (!world_.operator_opens_again()) {
    world_.oracle.fail("a change is refused: " + changed.error().message);
  }
  return std::nullopt;
}

void Callers::put(const Plan& plan) {
  const auto put = operate(store::PutPlan{plan});
  if (!put) return;
  Plan& known = *std::ranges::find(plans_, plan.slug, &Plan::slug);
  known = plan;
  known.id = put->id;
}

void Callers::prepare() {
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    put(Plan(plans_[i]));
    Subscription subscription{
        .billable = accounts_[i].billable, .plan = plans_[i].slug, .started_at = kLongAgo};
    if (has_wallets() && i == 0) subscription.billing_mode = BillingMode::credits;
    const auto put = operate(store::PutSubscription{accounts_[i].tenant, subscription});
    if (!put) return;
    subscriptions_.push_back(subscription);
    subscriptions_.back().id = put->id;
  }
  if (has_wallets()) put_first_money();
}

// ---------------------------------------------------------------- calls

store::Settlement Callers::settlement_of(const RunningCall& call, std::int64_t tokens) const {
  store::Settlement settlement{.occurred_at = call.ask.expected.occurred_at,
                               .account = call.ask.account,
                               .user = call.ask.names.user,
                               .provider = "openai",
                               .model = "gpt",
                               .feature = call.ask.names.feature,
                               .api_key = call.ask.names.api_key};
  settlement.usage.input_tokens.count = tokens / 2;
  settlement.usage.output_tokens.count = tokens - tokens / 2;
  settlement.usage.total_tokens.count = tokens;
  settlement.usage.source = UsageSource::provider;
  settlement.input_cost.nanos = tokens / 2 * kNanosPerToken;
  settlement.output_cost.nanos = (tokens - tokens / 2) * kNanosPerToken;
  settlement.total_cost.nanos = tokens * kNanosPerToken;
  settlement.key = call.key;
  settlement.pins.mode = call.ask.names.mode.value_or(BillingMode::plan);
  settlement.meta = fmt::format("{{\"n\":\"{:08}\"}}", call.attempt);
  return settlement;
}

Callers::CallRef Callers::make_call(Process& process) {
  Dice& dice = world_.dice;
  auto call = std::make_shared<RunningCall>();
  call->process = world_.processes[process.slot];
  const bool learned = dice.chance(150);
  call->expected = learned ? dice.between(50, 400) : dice.between(1, 60);
  ledger::HoldAsk& ask = call->ask;
  ask.account = accounts_[dice.below(accounts_.size())];
  ask.names = {.user = dice.chance(500) ? "u0" : "u1",
               .api_key = dice.chance(500) ? "k0" : "k1",
               .feature = "chat",
               .model = "openai/gpt"};
  const auto fit = learned ? budget::Fit::may_cap : budget::Fit::strict;
  ask.need = {.tokens = call->expected,
              .cost_nanos = call->expected * kNanosPerToken,
              .tokens_fit = fit,
              .cost_fit = fit};
  if (has_wallets()) {  // what it may cost is known better than what it will
    ask.need.credit_nanos = (learned ? 2 : 1) * call->expected * kNanosPerToken;
    const std::size_t how = dice.below(100);
    if (how < 70) ask.names.mode = how < 50 ? BillingMode::credits : BillingMode::plan;
  }
  ask.estimate_source = learned ? "learned" : "given";
  ask.expected.occurred_at = world_.wall_of(process.machine).now();
  return call;
}

void Callers::begin_call() {
  Process* const process = world_.any_process({});
  if (process == nullptr) return;
  const CallRef call = make_call(*process);
  if (world_.dice.chance(350)) {
    const std::uint64_t name = next_key_++;
    call->key = store::KeyRef{
        store::key_of(call->ask.account.tenant.text, "usage", std::to_string(name)), name};
    const auto account = std::ranges::find(accounts_, call->ask.account) - accounts_.begin();
    keys_.push_back({static_cast<std::size_t>(account), *call->key, call->expected});
  }
  enter(call);
}

void Callers::retry() {
  Process* const process = world_.any_process({});
  if (process == nullptr || keys_.empty()) return;
  const CallRef call = make_call(*process);
  const std::size_t near = std::min<std::size_t>(keys_.size(), 12);
  const KeyUse& use = keys_[keys_.size() - 1 - world_.dice.below(near)];
  call->ask.account = accounts_[use.account];
  call->ask.need.tokens = call->expected = use.tokens;
  call->ask.need.cost_nanos = use.tokens * kNanosPerToken;
  if (has_wallets()) call->ask.need.credit_nanos = use.tokens * kNanosPerToken;
  call->key = use.key;
  if (world_.dice.chance(100)) call->key->content += 1'000'000;
  enter(call);
}

void Callers::enter(const CallRef& call) {
  Process& process = *call->process;
  world_.trace.line(
      "call",
      {{"process", number(process)}, {"tokens", call->expected}, {"keyed", call->key ? 1 : 0}});
  if (!call->key) return hold(call);
  world_.oracle.key_content(*call->key);
  const std::int64_t owner = world_.oracle.owner_of(call->key->key);
  process.run(Process::Lane::free, [&] {
    process.ledger->enter_key(*call->key, [this, call, owner](Result<ledger::KeyEntry> entry) {
      if (call->process->gone()) return;
      if (!entry) {
        const bool conflict = entry.error().code == Code::conflict;
        if (conflict && !world_.oracle.other_content(*call->key)) {
          world_.oracle.fail("a key is a conflict with itself");
        } else if (!conflict && entry.error().code != Code::unavailable) {
          world_.oracle.fail("a key is refused: " + entry.error().message);
        }
        return;
      }
      if (entry->what == ledger::KeyEntry::What::seen) {
        world_.trace.line("key seen", {{"row", entry->seen.row}});
        return world_.oracle.key_seen(*call->key, entry->seen);
      }
      if (!call->process->failed()) {
        world_.oracle.key_fresh({owner, call->process->engine, call->process->renewed_sent});
      }
      hold(call);
    });
  });
}

void Callers::hold(const CallRef& call) {
  Attempt attempt{.account = call->ask.account, .key = call->key};
  attempt.mode = call->ask.names.mode;
  attempt.occurred_at = call->ask.expected.occurred_at;
  attempt.durability = call->process->options.durability;
  attempt.engine = call->process->engine;
  attempt.state = Attempt::State::ended;  // until it holds
  call->attempt = world_.oracle.add(std::move(attempt));
  call->ask.expected = settlement_of(*call, call->expected);
  calls_.push_back(call);
  Process& process = *call->process;
  process.run(Process::Lane::free, [&] {
    process.ledger->hold(call->ask, [this, call](Result<budget::Held> result) {
      if (!call->process->gone()) held(call, std::move(result));
    });
  });
}

void Callers::held(const CallRef& call, Result<budget::Held> result) {
  Process& process = *call->process;
  if (!result) {
    world_.trace.line("not held", {{"process", number(process)},
                                   {"code", static_cast<std::int64_t>(result.error().code)}});
    if (!process.failed()) check_refusal(result.error());
    if (call->key) process.ledger->leave_key(*call->key, 0);
    return forget(call);
  }
  call->held = *std::move(result);
  call->holding = true;
  std::vector<HeldOf> held;
  const auto& budgets = call->held.terms->limits.budgets;
  for (std::size_t i = 0; i < call->held.parts.size(); ++i) {
    const auto& budget = i < budgets.size() ? budgets[i] : *call->held.terms->wallet;
    const budget::BudgetKey key = budget::key_of(call->ask.account, budget,
                                                 budget::scope_name(budget.scope, call->ask.names));
    held.push_back({.budget = world_.oracle.intern(key),
                    .held = call->held.parts[i].held,
                    .leased = call->held.parts[i].leased});
  }
  world_.oracle.begin_hold(call->attempt, {call->held.epoch, call->held.number, std::move(held)});
  world_.trace.line("held", {{"process", number(process)},
                             {"call", static_cast<std::int64_t>(call->attempt)},
                             {"hold", static_cast<std::int64_t>(call->held.number)},
                             {"tokens", call->held.parts.at(0).held},
                             {"capped", call->held.capped}});
  world_.oracle.granted(call->attempt, process.renewed_sent);
}

void Callers::check_refusal(const Error& error) {
  if (error.code == Code::unavailable) return;
  const bool by_limit = error.code == Code::quota_exceeded ||
                        (error.code == Code::insufficient_credits && has_wallets());
  if (!by_limit || error.refusal == nullptr) {
    return world_.oracle.fail("a hold is refused: " + error.message);
  }
  const Refusal& why = *error.refusal;
  const bool above =
      why.budget == "credits"
          ? why.held_cost->nanos + std::max<std::int64_t>(why.required->nanos, 1) >
                why.balance->nanos
      : why.budget == "cost"
          ? why.used_cost->nanos + why.held_cost->nanos + why.requested_cost->nanos >
                why.limit_cost->nanos
          : why.used->count + why.held->count + std::max<std::int64_t>(why.requested->count, 1) >
                why.limit->count;
  if (!above) world_.oracle.fail("refused although it fits: " + error.message);
}

bool Callers::has_wallets() const { return world_.setup.wallets != Wallets::none; }

std::int64_t Callers::most_of(const RunningCall& call) const {
  const bool strict = world_.setup.wallets == Wallets::strict;
  return strict ? call.ask.need.credit_nanos / kNanosPerToken : 2 * call.expected;
}

void Callers::forget(const CallRef& call) { std::erase(calls_, call); }

void Callers::finish() {
  std::vector<CallRef> held;
  for (const CallRef& call : calls_) {
    if (call->holding && call->process->awake()) held.push_back(call);
  }
  if (held.empty()) return;
  const CallRef call = held[world_.dice.below(held.size())];
  const std::size_t how = world_.dice.below(100);
  if (how < 15) return release(call);
  std::int64_t actual = call->expected;
  if (how >= 70) actual = world_.dice.between(0, call->expected);
  if (how >= 85) actual = world_.dice.between(call->expected, most_of(*call));
  settle(call, actual);
}

void Callers::release(const CallRef& call) {
  Process& process = *call->process;
  world_.trace.line("release", {{"call", static_cast<std::int64_t>(call->attempt)}});
  call->holding = false;
  world_.oracle.attempt(call->attempt).state = Attempt::State::ended;
  world_.oracle.attempt(call->attempt).released = true;
  process.run(Process::Lane::free, [&] {
    process.ledger->release(std::move(call->held), "the provider failed");
    if (call->key) process.ledger->leave_key(*call->key, 0);
  });
  forget(call);
}

void Callers::settle(const CallRef& call, std::int64_t actual) {
  Process& process = *call->process;
  world_.trace.line("settle",
                    {{"call", static_cast<std::int64_t>(call->attempt)}, {"tokens", actual}});
  call->holding = false;
  Attempt& attempt = world_.oracle.attempt(call->attempt);
  attempt.tokens = actual;
  attempt.state = Attempt::State::written;
  process.run(Process::Lane::free, [&] {
    process.ledger->settle(
        std::move(call->held), settlement_of(*call, actual),
        [this, call](Result<ledger::SettleOutcome> outcome) {
          if (call->process->gone()) return;
          if (outcome) {
            world_.trace.line("acknowledged", {{"call", static_cast<std::int64_t>(call->attempt)},
                                               {"row", outcome->row}});
            world_.oracle.acked(call->attempt, outcome->row);
          } else {
            world_.oracle.not_acked(call->attempt, outcome.error().code);
          }
          if (call->key) call->process->ledger->leave_key(*call->key, outcome ? outcome->row : 0);
          forget(call);
        });
  });
}

// ---------------------------------------------------------------- records, adjustments

void Callers::record() {
  poll_records();
  Process* const process = world_.any_process([](const Process& one) { return one.lane_free(); });
  if (process == nullptr) return;
  const CallRef call = make_call(*process);
  if (world_.setup.wallets == Wallets::strict) call->ask.names.mode = BillingMode::plan;
  Attempt attempt{.what = Attempt::What::record, .account = call->ask.account};
  attempt.mode = call->ask.names.mode;
  attempt.tokens = call->expected;
  attempt.occurred_at = call->ask.expected.occurred_at;
  attempt.durability = process->options.durability;
  attempt.engine = process->engine;
  attempt.state = Attempt::State::written;
  call->attempt = world_.oracle.add(std::move(attempt));
  Result<ledger::Ledger::Recorded> recorded = fail(Code::unavailable, "");
  process->run(Process::Lane::taken, [&] {
    recorded = process->ledger->record(call->ask.names, settlement_of(*call, call->expected));
  });
  world_.trace.line("record", {{"process", number(*process)},
                               {"call", static_cast<std::int64_t>(call->attempt)},
                               {"tokens", call->expected},
                               {"code", recorded ? 0 : static_cast<int>(recorded.error().code)}});
  if (!recorded) return world_.oracle.not_acked(call->attempt, recorded.error().code);
  if (process->gone()) return;
  records_.push_back({call->process, call->attempt, recorded->ticket, recorded->outcome.row});
}

void Callers::adjust() {
  const std::int64_t row = world_.oracle.any_landed(world_.dice.below(1U << 20));
  Process* const process = world_.any_process([](const Process& one) { return one.lane_free(); });
  const store::Settlement* const usage = world_.oracle.row(row);
  if (process == nullptr || usage == nullptr) return;
  const std::int64_t left = world_.oracle.left_of(row);
  std::int64_t change = world_.dice.between(-left - (world_.dice.chance(100) ? 5 : 0), 10);
  if (world_.setup.wallets == Wallets::strict) change = std::min<std::int64_t>(change, 0);
  Attempt attempt{.what = Attempt::What::adjustment, .account = usage->account};
  attempt.tokens = change;
  attempt.adjusts = row;
  attempt.occurred_at = usage->occurred_at;
  attempt.durability = process->options.durability;
  attempt.engine = process->engine;
  attempt.state = Attempt::State::written;
  const std::size_t place = world_.oracle.add(std::move(attempt));
  RunningCall call;
  call.attempt = place;
  call.ask.account = usage->account;
  call.ask.names = {.user = usage->user, .api_key = usage->api_key, .feature = usage->feature};
  call.ask.expected.occurred_at = usage->occurred_at;
  store::Settlement adjustment = settlement_of(call, change);
  adjustment.adjusts = row;
  adjustment.usage.input_tokens.count = adjustment.usage.output_tokens.count = 0;
  for (const store::BudgetPart& part : usage->budgets) {
    store::BudgetPart changed{.key = part.key, .limit = part.limit, .blocking = part.blocking};
    if (part.key.kind == BudgetKind::tokens) changed.actual = change;
    const bool money = part.key.kind == BudgetKind::cost || store::is_wallet(part.key);
    if (money) changed.actual = change * kNanosPerToken;
    adjustment.budgets.push_back(std::move(changed));
  }
  Result<ledger::Ledger::Recorded> recorded = fail(Code::unavailable, "");
  process->run(Process::Lane::taken,
               [&] { recorded = process->ledger->adjust(std::move(adjustment)); });
  world_.trace.line("adjust", {{"process", number(*process)}, {"row", row}, {"tokens", change}});
  if (!recorded) return world_.oracle.not_acked(place, recorded.error().code);
  if (process->gone()) return;
  records_.push_back(
      {world_.processes[process->slot], place, recorded->ticket, recorded->outcome.row});
}

void Callers::poll_records() {
  std::erase_if(records_, [&](const WaitingRecord& record) {
    Process& process = *record.process;
    if (!process.awake()) return process.gone();
    const Status written = process.ledger->wait(record.ticket);
    if (written) {
      world_.oracle.acked(record.attempt, record.row);
      return true;
    }
    return process.ledger->health().journal.has_value();
  });
}

void Callers::process_ended(const Process& process) {
  std::erase_if(calls_, [&](const CallRef& call) { return call->process.get() == &process; });
  std::erase_if(records_, [&](const WaitingRecord& one) { return one.process.get() == &process; });
}

}  // namespace aimeter::sim
