// Wallets of the reference: their transactions in an order that a wallet here can follow.
#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "aimeter/decimal.h"
#include "base/ids.h"
#include "drivers/laravel_database.h"
#include "store/credits.h"

namespace aimeter::drivers::laravel {
namespace {

constexpr std::string_view kWallets = "ai_credit_wallets";
constexpr std::string_view kTransactions = "ai_credit_transactions";
constexpr File::Rows kWalletRows{"SELECT * FROM ai_credit_wallets ORDER BY id", kWallets};
constexpr File::Rows kTransactionRows{"SELECT * FROM ai_credit_transactions ORDER BY wallet_id, id",
                                      kTransactions};

class Order {
 public:
  explicit Order(std::vector<CreditStep>& done) : done_(done) {}

  void take(CreditStep step) {
    if (step.direction == Direction::credit) {
      balance_ += step.amount.nanos;
      done_.push_back(std::move(step));
      while (!waiting_.empty() && waiting_.front().amount.nanos <= balance_) take_first();
    } else if (waiting_.empty() && step.amount.nanos <= balance_) {
      balance_ -= step.amount.nanos;
      done_.push_back(std::move(step));
    } else {
      waiting_.push_back(std::move(step));
    }
  }
  // What no credit came for: as much as there is. Says how much is missing.
  Int128 finish() {
    Int128 missing = 0;
    while (!waiting_.empty()) {
      CreditStep& first = waiting_.front();
      const Int128 fits = std::min<Int128>(first.amount.nanos, balance_);
      missing += first.amount.nanos - fits;
      first.amount.nanos = static_cast<std::int64_t>(fits);
      if (fits > 0) {
        take_first();
      } else {
        waiting_.pop_front();
      }
    }
    return missing;
  }

 private:
  void take_first() {
    balance_ -= waiting_.front().amount.nanos;
    done_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  std::vector<CreditStep>& done_;
  std::deque<CreditStep> waiting_;
  Int128 balance_ = 0;
};

std::string text_of(Int128 nanos, std::string_view currency) {
  return fmt::format("{} {}", Decimal(nanos, 9).text(), currency);
}

// A reason that fits; whole characters.
std::string reason_of(const std::string& reason) {
  if (reason.empty() || !base::is_utf8(reason)) return "import";
  std::size_t end = 0;
  while (end < reason.size()) {
    const std::size_t next = base::character_bytes(std::string_view(reason).substr(end));
    if (end + next > store::kCreditReasonBytesMax) break;
    end += next;
  }
  return reason.substr(0, end);
}

struct Transaction {
  std::int64_t wallet = 0;
  std::optional<CreditStep> step = {};  // none: it moves nothing
};

Result<Transaction> transaction_of(const Cells& cells, const std::string& currency,
                                   Leftovers& left) {
  Transaction transaction;
  AIMETER_TRY(const std::int64_t id, cells.id());
  AIMETER_TRY(transaction.wallet, cells.id("wallet_id"));
  AIMETER_TRY(Money amount, cells.needed_money("amount", currency));
  AIMETER_TRY(const std::string direction, cells.needed_text("direction"));
  if (direction != "credit" && direction != "debit") {
    return cells.bad("direction", direction, "credit or debit");
  }
  if (amount.nanos == 0) {
    left.push_back({std::string(kTransactions), std::to_string(id), "its amount is 0"});
    return transaction;
  }
  // A negative credit took something there, too.
  const bool credit = (direction == "credit") == (amount.nanos > 0);
  if (amount.nanos < 0) amount.nanos = -amount.nanos;
  CreditStep step{.key = fmt::format("laravel:transaction:{}", id),
                  .direction = credit ? Direction::credit : Direction::debit,
                  .amount = amount,
                  .reason = reason_of(cells.text("reason").value_or(""))};
  Result<Meta> meta = meta_of(cells.text("meta").value_or("null"));
  if (meta) {
    step.meta = *std::move(meta);
  } else {
    left.push_back({std::string(kTransactions), std::to_string(id),
                    "carried without its meta: " + meta.error().message});
  }
  if (const auto at = cells.text("created_at")) step.meta["laravel_created_at"] = *at;
  transaction.step = std::move(step);
  return transaction;
}

struct Held {
  Purse purse = {};
  Money balance = {};
  std::vector<CreditStep> steps = {};
};

}  // namespace

std::vector<CreditStep> in_order(std::vector<CreditStep> steps, const Purse& purse,
                                 const Money& balance, Leftovers& left) {
  Int128 sum = 0;
  for (const CreditStep& step : steps) {
    sum += step.direction == Direction::credit ? step.amount.nanos : -Int128{step.amount.nanos};
  }
  const std::string table(kWallets), id = std::to_string(purse.id);
  const Int128 rest = Int128{balance.nanos} - sum;
  if (rest != 0) {
    const std::string words =
        fmt::format("import: the balance there is {}, its transactions are {}",
                    text_of(balance.nanos, purse.currency), text_of(sum, purse.currency));
    left.push_back({table, id,
                    fmt::format("{}; settled by one transaction of {}", words.substr(8),
                                text_of(rest, purse.currency)),
                    Leftover::Kind::by_rule});
    steps.push_back({.key = fmt::format("laravel:wallet:{}:balance", id),
                     .direction = rest > 0 ? Direction::credit : Direction::debit,
                     .amount = {static_cast<std::int64_t>(rest > 0 ? rest : -rest), purse.currency},
                     .reason = words});
  }
  std::vector<CreditStep> done;
  Order order(done);
  for (CreditStep& step : steps) order.take(std::move(step));
  if (const Int128 missing = order.finish(); missing > 0) {
    left.push_back({table, id,
                    fmt::format("its balance there is below zero; {} of its debits have no cover "
                                "and were not carried",
                                text_of(missing, purse.currency)),
                    Leftover::Kind::attention});
  }
  return done;
}

Status Database::purses(const ReadOptions& options, Leftovers& left,
                        const std::function<Status(Purse)>& each) {
  AIMETER_CHECK_OK(name_types(options));
  std::map<std::int64_t, Held> wallets;
  const auto add_wallet = [&](const Cells& cells) -> Status {
    Held held;
    AIMETER_TRY(held.purse.id, cells.id());
    AIMETER_TRY(held.purse.currency, cells.currency("currency", options.currency));
    AIMETER_TRY(held.balance, cells.needed_money("balance", held.purse.currency));
    AIMETER_TRY(const std::optional<Billable> who, billable(cells));
    if (!who) return cells.bad("billable_id", "NULL", "who owns the wallet");
    held.purse.billable = *who;
    wallets.emplace(held.purse.id, std::move(held));
    return {};
  };
  if (has(kWallets)) AIMETER_CHECK_OK(file_->each(kWalletRows, add_wallet));
  const auto finish = [&](Held& held) {
    held.purse.steps = in_order(std::move(held.steps), held.purse, held.balance, left);
    return each(std::move(held.purse));
  };
  // Wallet by wallet: only one is in memory.
  auto now = wallets.end();
  const auto add_transaction = [&](const Cells& cells) -> Status {
    AIMETER_TRY(const std::int64_t wallet, cells.id("wallet_id"));
    if (now != wallets.end() && now->first != wallet) {
      AIMETER_CHECK_OK(finish(now->second));
      wallets.erase(now);
      now = wallets.end();
    }
    now = wallets.find(wallet);
    const bool known = now != wallets.end();
    AIMETER_TRY(Transaction transaction,
                transaction_of(cells, known ? now->second.purse.currency : "usd", left));
    if (!known) {
      left.push_back({std::string(kTransactions), cells.text("id").value_or(""),
                      fmt::format("its wallet {} is not there", wallet),
                      Leftover::Kind::attention});
      return {};
    }
    if (transaction.step) now->second.steps.push_back(*std::move(transaction.step));
    return {};
  };
  if (has(kTransactions)) AIMETER_CHECK_OK(file_->each(kTransactionRows, add_transaction));
  for (auto& [id, held] : wallets) AIMETER_CHECK_OK(finish(held));
  return {};
}

}  // namespace aimeter::drivers::laravel
