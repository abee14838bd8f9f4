// Package:       sim
// Units:         nano-units of the wallet's currency.
// Errors:        what is wrong is told to `fail`.
// Thread safety: none: one thread does everything.
// Ownership:     borrows the store.
//
// What must be true of wallets, from what callers were told and the transactions that the store
// shows, each read once, as it appears: the chain of balances, one transaction for each row that
// costs credits, each deal done as often as it was acknowledged, lots and debts as a plain purse
// has them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"
#include "tests/property/plain_purse.h"

namespace aimeter::sim {

using store::Amount;

// Money that somebody wants to move, once: with its key it may be asked for again.
struct Deal {
  store::ChangeBody body = {};  // AddCredits, DeductCredits, RefundCredits
  Account account = {};
  CreditCause cause = CreditCause::top_up;
  Amount amount = 0;  // of a refund 0: all that is left
  LotTerms terms = {};
  std::string key = {};
  std::int64_t debit = 0;   // of a refund
  int asking = 0;           // how often it is asked for at this moment
  bool doubted = false;     // somebody was told that nobody knows, or was told nothing
  bool done = false;        // somebody was told that it was done just now, not before
  std::int64_t told = 0;    // the transaction that somebody was shown
  std::int64_t landed = 0;  // as the store says
  [[nodiscard]] bool open() const { return doubted && told == 0; }
};

class WalletOracle {
 public:
  WalletOracle(const std::unique_ptr<store::Store>& store, std::function<void(std::string)> fail)
      : store_(store), fail_(std::move(fail)) {}

  // ---- callers. The reason of its transaction names the deal: body's is set here.
  [[nodiscard]] std::size_t add(Deal deal);
  [[nodiscard]] const Deal& deal(std::size_t number) const { return deals_[number]; }
  [[nodiscard]] std::size_t deals() const { return deals_.size(); }
  void asking(std::size_t number) { ++deals_[number].asking; }
  void told(std::size_t number, const store::Changed& changed);
  void not_told(std::size_t number, std::optional<Code> code);  // empty: nobody was there to hear
  [[nodiscard]] bool other_content(std::size_t number) const;
  // The debit of a refund: it may have been lost with the store's power, and come under another id.
  [[nodiscard]] bool is_there(std::size_t number) const;
  // A usage or withdrawal of the newest transactions; nothing without one.
  [[nodiscard]] std::optional<store::CreditMove> debit(std::size_t choice) const;

  // ---- rows
  // A row counts: it takes credits, or gives them back.
  void counted(std::int64_t id, const store::Settlement& row);
  void read();    // after the rows
  void forget();  // the store lost its power: everything is read anew
  void check_deals();
  void check_nothing_over();  // what is over is gone
  [[nodiscard]] Amount balance(const Account& account) const;
  [[nodiscard]] Amount over(const Account& account, Instant at) const;  // left in lots that are
  // What is not set aside, and is not over.
  [[nodiscard]] Amount available(const Account& account) const;

 private:
  struct Purse {
    Amount balance = 0, credited = 0;
    std::int64_t transactions = 0;
    store::PlainPurse plain = {};
    bool unsure = false;  // a late row: which lots it may spend is the store's to know
  };
  struct Owed {  // a row that costs credits, until its transaction is seen
    Account account = {};
    Amount amount = 0;  // signed: what it takes
    Amount covered = 0;
    Instant at = {};
    std::int64_t adjusts = 0;
    bool late = false;
  };
  struct Debit {
    Account account = {};
    CreditTransaction transaction = {};
    Amount refunded = 0;
  };
  void take(const store::CreditMove& move);
  void take_row(const store::CreditMove& move, Purse& purse);
  void take_deal(const store::CreditMove& move, Purse& purse);
  void take_refund(const store::CreditMove& move);
  void take_back(const store::CreditMove& move);
  void check_refunded(std::int64_t usage);
  void take_expiry(const store::CreditMove& move, Purse& purse);
  void compare();
  void compare_lots(const Account& account, Purse& purse);
  [[nodiscard]] std::vector<CreditLot> lots_of(const Account& account) const;

  const std::unique_ptr<store::Store>& store_;
  std::function<void(std::string)> fail_;
  std::vector<Deal> deals_ = {};
  std::map<std::string, std::size_t> landed_keys_ = {};
  std::map<std::string, std::vector<std::size_t>> asked_keys_ = {};
  std::map<Account, Purse> purses_ = {};
  std::map<std::int64_t, Owed> owed_ = {};
  std::map<std::int64_t, Debit> debits_ = {};
  struct OfUsage {  // a usage that took credits, with its corrections
    Amount paid = 0, refunded = 0;
  };
  std::map<std::int64_t, OfUsage> usages_ = {};
  std::vector<std::int64_t> given_ = {};  // of which money came back just now
  std::int64_t last_ = 0;
};

}  // namespace aimeter::sim
