// Those who move money: through an engine, or as a command does, beside all engines.
#include <algorithm>

#include "tests/sim/callers.h"
#include "tests/sim/world.h"

namespace aimeter::sim {
namespace {

constexpr std::size_t kDealsTried = 10;          // again: of the newest
constexpr std::int64_t kNobodyElseAsks = 5'000;  // for so much

Money usd(std::int64_t nanos) { return {.nanos = nanos, .currency = "usd"}; }

}  // namespace

void Callers::put_first_money() {
  for (const std::int64_t nanos : {3'001, 5'005}) {
    const Account& account = accounts_[nanos == 3'001 ? 0 : 2];
    const std::size_t deal = world_.oracle.money().add(
        {.body = store::AddCredits{.account = account, .amount = usd(nanos)},
         .account = account,
         .amount = nanos});
    world_.oracle.money().asking(deal);
    const auto added = world_.store->change({world_.oracle.money().deal(deal).body, "operator"});
    AIMETER_ASSERT(added.has_value());
    world_.oracle.money().told(deal, *added);
  }
}

void Callers::move_money() {
  if (!has_wallets()) return;
  const std::size_t how = world_.dice.below(100);
  if (how < 40) return top_up();
  if (how < 60) return withdraw();
  if (how < 75) return refund();
  ask_again();
}

void Callers::top_up() {
  Dice& dice = world_.dice;
  const Account& account = accounts_[dice.below(accounts_.size())];
  Deal deal{.account = account, .amount = dice.between(1, 4'000)};
  if (dice.chance(300)) deal.cause = CreditCause::grant;
  if (dice.chance(400)) deal.terms.priority = static_cast<int>(50 * dice.below(4));
  if (dice.chance(200)) deal.terms.kind = LotKind::promotional;
  if (dice.chance(400)) {
    const bool soon = dice.chance(800);
    const Duration life = soon ? Duration(std::chrono::seconds(dice.between(1, 200)))
                               : Duration(std::chrono::days(dice.between(1, 60)));
    deal.terms.expires_at = world_.store->now() + life;
  }
  if (dice.chance(500)) deal.key = "money " + std::to_string(next_key_++);
  deal.body = store::AddCredits{
      .account = account, .amount = usd(deal.amount), .cause = deal.cause, .terms = deal.terms};
  ask(world_.oracle.money().add(std::move(deal)), any_teller());
}

void Callers::withdraw() {
  Dice& dice = world_.dice;
  const Account& account = accounts_[dice.below(accounts_.size())];
  Deal deal{.account = account, .cause = CreditCause::withdrawal, .amount = dice.between(1, 2'500)};
  const std::int64_t all = world_.oracle.money().available(account);
  if (all > 0 && dice.chance(300)) deal.amount = all;
  if (dice.chance(500)) deal.key = "money " + std::to_string(next_key_++);
  deal.body = store::DeductCredits{.account = account, .amount = usd(deal.amount)};
  ask(world_.oracle.money().add(std::move(deal)), any_teller());
}

void Callers::refund() {
  Dice& dice = world_.dice;
  const auto debit = world_.oracle.money().debit(dice.below(1U << 20));
  if (!debit) return;
  Deal deal{
      .account = debit->account, .cause = CreditCause::refund, .debit = debit->transaction.id};
  if (dice.chance(700)) deal.amount = dice.between(1, debit->transaction.amount.nanos);
  if (dice.chance(500)) deal.key = "money " + std::to_string(next_key_++);
  store::RefundCredits body{.account = debit->account, .debit = debit->transaction.id};
  if (deal.amount != 0) body.amount = usd(deal.amount);
  deal.body = std::move(body);
  ask(world_.oracle.money().add(std::move(deal)), any_teller());
}

// With its key; now and then with other content.
void Callers::ask_again() {
  WalletOracle& money = world_.oracle.money();
  std::vector<std::size_t> keyed;
  for (std::size_t i = money.deals(); i-- > 0 && keyed.size() < kDealsTried;) {
    if (!money.deal(i).key.empty()) keyed.push_back(i);
  }
  if (keyed.empty()) return;
  const std::size_t number = keyed[world_.dice.below(keyed.size())];
  if (!world_.dice.chance(100)) return ask(number, any_teller());
  const Deal& known = money.deal(number);
  const auto amount = kNobodyElseAsks + static_cast<std::int64_t>(money.deals());
  Deal other{.account = known.account, .amount = amount, .key = known.key};
  other.body = store::AddCredits{.account = other.account, .amount = usd(other.amount)};
  ask(money.add(std::move(other)), any_teller());
}

// Null: it is asked for beside all engines.
Process* Callers::any_teller() {
  Process* const process = world_.any_process([](const Process& one) { return one.lane_free(); });
  return world_.dice.chance(250) ? nullptr : process;
}

void Callers::ask(std::size_t deal, Process* process) {
  WalletOracle& money = world_.oracle.money();
  const store::Change change{money.deal(deal).body, "sim"};
  world_.trace.line(
      name_of(money.deal(deal).cause),
      {{"process", process == nullptr ? 0 : static_cast<std::int64_t>(process->number)},
       {"deal", static_cast<std::int64_t>(deal)},
       {"nanos", money.deal(deal).amount},
       {"keyed", money.deal(deal).key.empty() ? 0 : 1}});
  money.asking(deal);
  Result<store::Changed> changed = fail(Code::unavailable, "");
  if (process == nullptr) {
    changed = world_.store->change(change);
  } else {
    process->run(Process::Lane::taken, [&] { changed = process->ledger->change(change); });
    if (process->gone()) return money.not_told(deal, std::nullopt);
  }
  world_.trace.line("money", {{"deal", static_cast<std::int64_t>(deal)},
                              {"code", changed ? 0 : static_cast<int>(changed.error().code)},
                              {"transaction", changed ? changed->id : 0}});
  if (changed) return money.told(deal, *changed);
  money.not_told(deal, changed.error().code);
  money_refused(deal, process, changed.error());
}

void Callers::money_refused(std::size_t deal, const Process* process, const Error& error) {
  const Deal& refused = world_.oracle.money().deal(deal);
  const bool debits = refused.cause == CreditCause::withdrawal;
  const bool refunds = refused.cause == CreditCause::refund;
  bool fair = error.code == Code::unavailable || error.code == Code::in_doubt;
  fair = fair || (error.code == Code::insufficient_credits && debits);
  fair = fair || (error.code == Code::failed_precondition && refunds);
  fair =
      fair || (error.code == Code::not_found && refunds && !world_.oracle.money().is_there(deal));
  fair = fair || (error.code == Code::conflict && world_.oracle.money().other_content(deal));
  fair = fair ||
         (error.code == Code::invalid_argument && refused.terms.expires_at && refused.landed == 0);
  fair = fair || (error.code == Code::corrupt && process != nullptr && process->failed());
  if (process == nullptr && (error.code == Code::corrupt || error.code == Code::unavailable ||
                             error.code == Code::in_doubt)) {
    fair = world_.operator_opens_again();
  }
  if (!fair) world_.oracle.fail("money does not move: " + error.message);
}

// ---------------------------------------------------------------- in the end

void Callers::end_doubts(Process& process) {
  WalletOracle& money = world_.oracle.money();
  for (std::size_t i = 0; i < money.deals() && !world_.failed(); ++i) {
    const Deal& deal = money.deal(i);
    if (deal.key.empty() || !deal.doubted) continue;
    ask(i, &process);
    const bool known = money.deal(i).told != 0 || money.deal(i).landed == 0;
    if (!known) world_.oracle.fail("a deal that was done is not said to be");
  }
  world_.oracle.check();
}

void Callers::check_withdrawals(Process& process) {
  if (!has_wallets()) return;
  WalletOracle& money = world_.oracle.money();
  for (const Account& account : accounts_) {
    const auto take = [&](std::int64_t nanos) {
      Deal deal{.account = account, .cause = CreditCause::withdrawal, .amount = nanos};
      deal.body = store::DeductCredits{.account = account, .amount = usd(nanos)};
      const std::size_t number = money.add(std::move(deal));
      ask(number, &process);
      return money.deal(number).told != 0;
    };
    const std::int64_t good = money.balance(account) - money.over(account, world_.store->now());
    const std::int64_t all = std::max<std::int64_t>(good, 0);
    if (take(all + 1)) return world_.oracle.fail("more is withdrawn than there is");
    if (all > 0 && !process.failed() && !take(all)) {
      return world_.oracle.fail("what is there is not given out: " + std::to_string(all));
    }
    world_.oracle.check();
  }
}

}  // namespace aimeter::sim
