// The handle of an account's wallet: checked words, then one change of the store.
#include "aimeter/wallet.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ids.h"
#include "meter/core.h"
#include "meter/meta.h"

namespace aimeter {
namespace {

using meter::Core;

Status check_account(const Account& account) {
  if (!account.tenant.text.empty()) AIMETER_CHECK_OK(base::check_id("tenant", account.tenant.text));
  return meter::check_billable(account.billable);
}

// The wallet as it is stored, or an empty one in the configured currency.
Result<store::WalletState> state_of(Core& core, const Account& account) {
  AIMETER_CHECK_OK(core.usable());
  AIMETER_CHECK_OK(check_account(account));
  AIMETER_CHECK_OK(core.deps().ledger.drain());
  AIMETER_TRY(const std::vector<store::WalletState> found,
              core.deps().store.wallets({account.tenant, account.billable}));
  if (!found.empty()) return found.front();
  return store::WalletState{.account = account, .currency = core.options().currency};
}

Status check_currency(Core& core, const Account& account, const Money& amount) {
  AIMETER_TRY(const store::WalletState state, state_of(core, account));
  if (amount.currency == state.currency) return {};
  return bad_input("currency", amount.currency, state.currency + ", the wallet's");
}

template <class Change>
Status take_words(Core& core, Change& change, CreditOptions options, std::string_view reason) {
  change.reason = options.reason.empty() ? std::string(reason) : std::move(options.reason);
  AIMETER_TRY(change.meta, meter::kept_meta(options.meta, core.options().metadata));
  change.idempotency_key = std::move(options.idempotency_key);
  return {};
}

Result<CreditTransaction> move(Core& core, store::ChangeBody body) {
  AIMETER_TRY(store::Changed changed, core.change(std::move(body)));
  AIMETER_ASSERT(!changed.credits.empty());
  return std::move(changed.credits.front().transaction);
}

Result<CreditTransaction> add(Core& core, store::AddCredits change, CreditOptions options,
                              std::string_view reason) {
  AIMETER_CHECK_OK(check_currency(core, change.account, change.amount));
  AIMETER_CHECK_OK(take_words(core, change, std::move(options), reason));
  return move(core, std::move(change));
}

}  // namespace

Result<CreditTransaction> Wallet::add_credits(Money amount, CreditOptions options) const {
  return add(Core::of(core_), {.account = account_, .amount = std::move(amount)},
             std::move(options), "top-up");
}

Result<CreditTransaction> Wallet::grant(Money amount, LotTerms terms, CreditOptions options) const {
  return add(Core::of(core_),
             {.account = account_,
              .amount = std::move(amount),
              .cause = CreditCause::grant,
              .terms = terms},
             std::move(options), "grant");
}

Result<CreditTransaction> Wallet::deduct_credits(Money amount, CreditOptions options) const {
  Core& core = Core::of(core_);
  store::DeductCredits change{.account = account_, .amount = std::move(amount)};
  AIMETER_CHECK_OK(check_currency(core, change.account, change.amount));
  AIMETER_CHECK_OK(take_words(core, change, std::move(options), "withdrawal"));
  return move(core, std::move(change));
}

Result<CreditTransaction> Wallet::refund(std::int64_t debit, std::optional<Money> amount,
                                         CreditOptions options) const {
  Core& core = Core::of(core_);
  AIMETER_TRY(const store::WalletState state, state_of(core, account_));
  store::RefundCredits change{.account = account_, .debit = debit, .amount = std::move(amount)};
  AIMETER_CHECK_OK(take_words(core, change, std::move(options), "refund"));
  return move(core, std::move(change));
}

Result<Money> Wallet::balance() const {
  AIMETER_TRY(const store::WalletState state, state_of(Core::of(core_), account_));
  return state.balance();
}

Result<bool> Wallet::has_sufficient_balance(const Money& amount) const {
  Core& core = Core::of(core_);
  AIMETER_CHECK_OK(check_currency(core, account_, amount));
  if (core.options().overdraft) return true;
  AIMETER_TRY(const Money now, balance());
  return amount.nanos <= now.nanos;
}

Result<std::vector<CreditTransaction>> Wallet::transactions(std::size_t newest) const {
  Core& core = Core::of(core_);
  AIMETER_TRY(const store::WalletState state, state_of(core, account_));
  AIMETER_TRY(std::vector<store::CreditMove> moves,
              core.deps().store.credit_transactions({.wallet = {account_.tenant, account_.billable},
                                                     .order = store::CreditOrder::newest_first},
                                                    newest));
  std::vector<CreditTransaction> transactions;
  for (store::CreditMove& move : moves) transactions.push_back(std::move(move.transaction));
  std::ranges::reverse(transactions);
  return transactions;
}

Result<std::vector<CreditLot>> Wallet::lots() const {
  Core& core = Core::of(core_);
  AIMETER_TRY(const store::WalletState state, state_of(core, account_));
  return core.deps().store.credit_lots(account_, store::Lots::open);
}

Status Wallet::set_auto_top_up(const std::optional<AutoTopUp>& rule) const {
  Core& core = Core::of(core_);
  AIMETER_CHECK_OK(core.usable());
  AIMETER_CHECK_OK(check_account(account_));
  if (rule) {
    if (core.options().billing_driver == "null") {
      return fail(
          Code::failed_precondition,
          "billing.driver: null takes no payments; name one before wallets ask it for them");
    }
    AIMETER_CHECK_OK(check_currency(core, account_, rule->amount));
  }
  AIMETER_CHECK_OK(core.change(store::PutAutoTopUp{account_, rule}));
  return {};
}

Result<std::optional<AutoTopUp>> Wallet::auto_top_up() const {
  Core& core = Core::of(core_);
  AIMETER_CHECK_OK(core.usable());
  AIMETER_CHECK_OK(check_account(account_));
  AIMETER_TRY(const std::vector<store::TopUpState> found,
              core.deps().store.top_ups({account_.tenant, account_.billable}));
  if (found.empty()) return std::optional<AutoTopUp>();
  return std::optional(found.front().rule);
}

Wallet TenantView::wallet(const Billable& who) const { return {core_, account(who)}; }

}  // namespace aimeter
