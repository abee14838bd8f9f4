#include "tests/sim/wallet_oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "aimeter/usage.h"

namespace aimeter::sim {
namespace {

constexpr std::string_view kReasonBegins = "deal ";
constexpr std::size_t kDebitsTried = 12;                      // the newest
constexpr Duration kExpiresWithin = std::chrono::seconds(3);  // some heartbeats

std::optional<std::size_t> number_of(const std::string& reason) {
  if (!reason.starts_with(kReasonBegins)) return std::nullopt;
  std::size_t number = 0;
  const char* begin = reason.data() + kReasonBegins.size();
  if (std::from_chars(begin, reason.data() + reason.size(), number).ec != std::errc{}) {
    return std::nullopt;
  }
  return number;
}

Amount change_of(const CreditTransaction& one) {
  return one.is_credit() ? one.amount.nanos : -one.amount.nanos;
}

std::string label_of(const Account& account) {
  return account.tenant.text + "/" + account.billable.id;
}

}  // namespace

// ---------------------------------------------------------------- callers

std::size_t WalletOracle::add(Deal deal) {
  const std::size_t number = deals_.size();
  const std::string reason = fmt::format("{}{}", kReasonBegins, number);
  std::visit(
      [&](auto& body) {
        if constexpr (requires {
                        body.reason;
                        body.idempotency_key;
                      }) {
          body.reason = reason;
          body.idempotency_key = deal.key;
        }
      },
      deal.body);
  if (!deal.key.empty()) asked_keys_[deal.key].push_back(number);
  deals_.push_back(std::move(deal));
  return number;
}

void WalletOracle::told(std::size_t number, const store::Changed& changed) {
  Deal& deal = deals_[number];
  --deal.asking;
  if (changed.credits.empty()) return fail_("a deal is done without a transaction");
  const CreditTransaction& shown = changed.credits.front().transaction;
  if (number_of(shown.reason) != number || changed.id != shown.id) {
    return fail_(fmt::format("deal {} is answered with \"{}\"", number, shown.reason));
  }
  if (deal.told != 0 && deal.told != shown.id) {
    fail_(fmt::format("deal {} was transaction {}, now it is {}", number, deal.told, shown.id));
  }
  if (!changed.repeated && std::exchange(deal.done, true)) {
    fail_(fmt::format("deal {} was done twice", number));
  }
  deal.told = shown.id;
}

void WalletOracle::not_told(std::size_t number, std::optional<Code> code) {
  Deal& deal = deals_[number];
  --deal.asking;
  if (!code || *code == Code::in_doubt) deal.doubted = true;
}

bool WalletOracle::other_content(std::size_t number) const {
  const auto same = asked_keys_.find(deals_[number].key);
  return same != asked_keys_.end() && same->second.size() > 1;
}

bool WalletOracle::is_there(std::size_t number) const {
  const Deal& deal = deals_[number];
  const auto debit = debits_.find(deal.debit);
  return debit != debits_.end() && debit->second.account == deal.account;
}

std::optional<store::CreditMove> WalletOracle::debit(std::size_t choice) const {
  if (debits_.empty()) return std::nullopt;
  auto at = debits_.rbegin();
  std::advance(at, choice % std::min(debits_.size(), kDebitsTried));
  return store::CreditMove{at->second.account, at->second.transaction};
}

Amount WalletOracle::balance(const Account& account) const {
  const auto purse = purses_.find(account);
  return purse == purses_.end() ? 0 : purse->second.balance;
}

Amount WalletOracle::over(const Account& account, Instant at) const {
  const auto purse = purses_.find(account);
  if (purse == purses_.end()) return 0;
  Amount left = 0;
  for (const store::PlainLot& lot : purse->second.plain.lots) {
    if (store::PlainPurse::over(lot, at)) left += lot.left;
  }
  return left;
}

Amount WalletOracle::available(const Account& account) const {
  const auto wallets = store_->wallets({.tenant = account.tenant, .billable = account.billable});
  Amount left = balance(account) - over(account, store_->now());
  for (const store::WalletState& wallet : *wallets) left -= wallet.leased;
  return left;
}

// ---------------------------------------------------------------- transactions, as they come

void WalletOracle::counted(std::int64_t id, const store::Settlement& row) {
  for (const store::BudgetPart& part : row.budgets) {
    if (!store::is_wallet(part.key) || part.actual == 0) continue;
    owed_[id] = {.account = row.account,
                 .amount = part.actual,
                 .covered = part.held,
                 .at = row.occurred_at,
                 .adjusts = row.adjusts,
                 .late = (row.flags & store::kLate) != 0};
  }
}

void WalletOracle::read() {
  const auto moves = store_->credit_transactions({.after = last_}, kPageMax);
  if (!moves) return fail_("transactions cannot be read: " + moves.error().message);
  for (const store::CreditMove& move : *moves) take(move);
  for (const std::int64_t usage : std::exchange(given_, {})) check_refunded(usage);
  if (!owed_.empty()) {
    fail_(fmt::format("row {} counts in a wallet, and there is no transaction of it",
                      owed_.begin()->first));
  }
  if (!moves->empty()) compare();
}

void WalletOracle::forget() {
  purses_.clear();
  owed_.clear();
  debits_.clear();
  usages_.clear();
  given_.clear();
  landed_keys_.clear();
  for (Deal& deal : deals_) deal.landed = 0;
  last_ = 0;
}

void WalletOracle::take(const store::CreditMove& move) {
  const CreditTransaction& one = move.transaction;
  last_ = one.id;
  Purse& purse = purses_[move.account];
  purse.balance += change_of(one);
  ++purse.transactions;
  if (one.balance_after.nanos != purse.balance) {
    fail_(fmt::format("{}: transaction {} says a balance of {}, its chain has {}",
                      label_of(move.account), one.id, one.balance_after.nanos, purse.balance));
  }
  const bool refundable = one.cause != CreditCause::expiry && one.cause != CreditCause::refund;
  if (one.is_debit() && refundable) {
    debits_[one.id] = {.account = move.account, .transaction = one};
  }
  if (one.cause == CreditCause::usage || one.cause == CreditCause::correction) {
    return take_row(move, purse);
  }
  purse.credited += change_of(one);
  if (one.cause == CreditCause::expiry) return take_expiry(move, purse);
  if (one.cause == CreditCause::refund && one.is_debit()) return take_back(move);
  take_deal(move, purse);
}

void WalletOracle::take_row(const store::CreditMove& move, Purse& purse) {
  const CreditTransaction& one = move.transaction;
  const auto owed = owed_.find(one.usage_id);
  if (owed == owed_.end()) {
    return fail_(fmt::format("transaction {} is of row {}, which took no credits, or did before",
                             one.id, one.usage_id));
  }
  const Owed row = owed->second;
  owed_.erase(owed);
  const bool corrects = one.cause == CreditCause::correction;
  if (row.account != move.account || row.amount != -change_of(one) ||
      corrects != (row.adjusts != 0) || one.refers_to != row.adjusts) {
    fail_(fmt::format("transaction {} is {} of row {}, whose caller said {}", one.id,
                      change_of(one), one.usage_id, -row.amount));
  }
  OfUsage& usage = usages_[corrects ? row.adjusts : one.usage_id];
  usage.paid -= change_of(one);
  if (corrects && usage.refunded != 0) given_.push_back(row.adjusts);
  purse.unsure = purse.unsure || row.late;
  if (row.amount > 0) {
    purse.plain.spend(row.amount, row.at, row.covered);
  } else {
    const Amount twice = corrects ? std::max<Amount>(0, usage.refunded - usage.paid) : 0;
    purse.plain.give_back(-row.amount - twice, one.created_at);
  }
}

void WalletOracle::take_deal(const store::CreditMove& move, Purse& purse) {
  const CreditTransaction& one = move.transaction;
  const std::optional<std::size_t> number = number_of(one.reason);
  if (!number || *number >= deals_.size()) return fail_("a transaction that nobody asked for");
  Deal& deal = deals_[*number];
  const bool debits = deal.cause == CreditCause::withdrawal;
  if (deal.account != move.account || deal.cause != one.cause || debits != one.is_debit() ||
      (deal.amount != 0 && deal.amount != one.amount.nanos)) {
    return fail_(fmt::format("transaction {} is not what deal {} asked for", one.id, *number));
  }
  if (deal.landed != 0) {
    return fail_(fmt::format("transactions {} and {} are deal {}", deal.landed, one.id, *number));
  }
  if (deal.asking == 0 && !deal.doubted && deal.told == 0) {
    return fail_(fmt::format("deal {} was said not to be done, and is there", *number));
  }
  deal.landed = one.id;
  if (!deal.key.empty() && !landed_keys_.try_emplace(deal.key, *number).second) {
    return fail_(fmt::format("deals {} and {} have one key", landed_keys_[deal.key], *number));
  }
  if (one.cause == CreditCause::refund) {
    take_refund(move);
    purse.plain.give_back(one.amount.nanos, one.created_at);
  } else if (debits) {
    purse.plain.spend(one.amount.nanos, one.created_at, 0);
  } else {
    purse.plain.add(deal.terms, one.amount.nanos);
  }
}

void WalletOracle::take_refund(const store::CreditMove& move) {
  const CreditTransaction& one = move.transaction;
  const auto debit = debits_.find(one.refers_to);
  if (debit == debits_.end() || debit->second.account != move.account) {
    return fail_(fmt::format("transaction {} refunds no debit", one.id));
  }
  Debit& of = debit->second;
  of.refunded += one.amount.nanos;
  if (of.refunded > of.transaction.amount.nanos) {
    fail_(fmt::format("debit {} of {} was refunded {}", one.refers_to, of.transaction.amount.nanos,
                      of.refunded));
  }
  const std::int64_t usage = store::usage_of(of.transaction);
  if (one.usage_id != usage) {
    fail_(fmt::format("transaction {} refunds row {}, and says {}", one.id, usage, one.usage_id));
  }
  if (usage == 0) return;
  usages_[usage].refunded += one.amount.nanos;
  given_.push_back(usage);
}

// What a correction gave of money that was refunded before: it came into no lot.
void WalletOracle::take_back(const store::CreditMove& move) {
  const CreditTransaction& one = move.transaction;
  OfUsage& usage = usages_[one.usage_id];
  const Amount twice = usage.refunded - usage.paid;
  if (one.amount.nanos != twice) {
    fail_(fmt::format("transaction {} takes {} back of row {}, of which {} were given twice",
                      one.id, one.amount.nanos, one.usage_id, twice));
  }
  usage.refunded -= one.amount.nanos;
}

void WalletOracle::check_refunded(std::int64_t usage) {
  const OfUsage& of = usages_[usage];
  if (of.refunded > of.paid) {
    fail_(fmt::format("row {} has cost {}, and was refunded {}", usage, of.paid, of.refunded));
  }
}

void WalletOracle::take_expiry(const store::CreditMove& move, Purse& purse) {
  const CreditTransaction& one = move.transaction;
  const std::vector<CreditLot> lots = lots_of(move.account);
  const auto lot = std::ranges::find(lots, one.refers_to, &CreditLot::id);
  const auto at = static_cast<std::size_t>(lot - lots.begin());
  if (lot == lots.end() || at >= purse.plain.lots.size()) {
    return fail_(fmt::format("transaction {} is of no lot", one.id));
  }
  store::PlainLot& plain = purse.plain.lots[at];
  if (!store::PlainPurse::over(plain, one.created_at)) {
    fail_(fmt::format("lot {} expires before its time", lot->id));
  }
  plain.left -= one.amount.nanos;
  if (plain.left < 0 && !purse.unsure) {
    fail_(fmt::format("{} expire of lot {}, which did not have that", one.amount.nanos, lot->id));
  }
}

// ---------------------------------------------------------------- what the store says of them

std::vector<CreditLot> WalletOracle::lots_of(const Account& account) const {
  auto lots = store_->credit_lots(account, store::Lots::all);
  if (!lots) return {};
  std::ranges::sort(*lots, {}, &CreditLot::id);  // in the order in which they came
  return *std::move(lots);
}

void WalletOracle::compare() {
  const auto wallets = store_->wallets({});
  if (!wallets) return fail_("wallets cannot be read: " + wallets.error().message);
  for (const store::WalletState& wallet : *wallets) {
    Purse& purse = purses_[wallet.account];
    if (wallet.balance().nanos != purse.balance || wallet.credited != purse.credited ||
        wallet.transactions != purse.transactions) {
      fail_(fmt::format("{}: the balance is {} of {} credited, {} transactions come to {} of {}",
                        label_of(wallet.account), wallet.balance().nanos, wallet.credited,
                        purse.transactions, purse.balance, purse.credited));
    }
    if (purse.unsure) purse.plain.debt = wallet.debt;
    if (wallet.debt != purse.plain.debt) {
      fail_(fmt::format("{}: {} are owed, a plain purse owes {}", label_of(wallet.account),
                        wallet.debt, purse.plain.debt));
    }
    compare_lots(wallet.account, purse);
  }
}

void WalletOracle::compare_lots(const Account& account, Purse& purse) {
  const std::vector<CreditLot> lots = lots_of(account);
  std::vector<store::PlainLot>& plain = purse.plain.lots;
  if (purse.unsure && lots.size() >= plain.size()) plain.resize(lots.size());
  if (lots.size() != plain.size()) {
    return fail_(fmt::format("{} has {} lots, a plain purse {}", label_of(account), lots.size(),
                             plain.size()));
  }
  for (std::size_t i = 0; i < lots.size(); ++i) {
    if (purse.unsure) plain[i] = {lots[i].terms, lots[i].amount.nanos, lots[i].remaining.nanos};
    if (lots[i].terms == plain[i].terms && lots[i].amount.nanos == plain[i].amount &&
        lots[i].remaining.nanos == plain[i].left) {
      continue;
    }
    fail_(fmt::format("{}: lot {} has {} of {} left, in a plain purse {} of {}", label_of(account),
                      lots[i].id, lots[i].remaining.nanos, lots[i].amount.nanos, plain[i].left,
                      plain[i].amount));
  }
  purse.unsure = false;
  if (purse.plain.balance() != purse.balance) {
    fail_(fmt::format("{}: the balance is {}, its lots and debts come to {}", label_of(account),
                      purse.balance, purse.plain.balance()));
  }
}

void WalletOracle::check_deals() {
  for (std::size_t i = 0; i < deals_.size(); ++i) {
    const Deal& deal = deals_[i];
    if (deal.told == 0 || deal.landed == deal.told) continue;
    fail_(
        fmt::format("deal {} was said to be transaction {}, and is {}", i, deal.told, deal.landed));
  }
}

void WalletOracle::check_nothing_over() {
  for (const auto& [account, purse] : purses_) {
    const Amount left = over(account, store_->now() - kExpiresWithin);
    if (left == 0) continue;
    fail_(fmt::format("{}: {} are left in lots that are over", label_of(account), left));
  }
}

}  // namespace aimeter::sim
