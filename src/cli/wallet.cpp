// aimeter wallet: prepaid credits of an account.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <ostream>

#include "base/ids.h"
#include "cli/records.h"
#include "cli/session.h"
#include "cli/table.h"
#include "store/record.h"

namespace aimeter::cli {
namespace {

struct Options {
  TenantOption tenant = {};
  std::string type = {}, id = {}, amount = {}, currency = {}, reason = {}, key = {};
  std::vector<std::string> meta = {};
  std::string kind = "promotional", expires = {};
  std::string below = {};
  bool off = false;
  int priority = kLotPriority;
  std::int64_t debit = 0, after = 0;
  std::size_t limit = 100;
};

Result<Billable> billable_of(const Options& options) {
  AIMETER_CHECK_OK(base::check_id("TYPE", options.type));
  AIMETER_CHECK_OK(base::check_id("ID", options.id));
  return Billable{options.type, options.id};
}

Result<CreditOptions> words_of(const Options& options) {
  CreditOptions words{.reason = options.reason, .idempotency_key = options.key};
  for (const std::string& pair : options.meta) {
    const auto middle = pair.find('=');
    if (middle == std::string::npos || middle == 0) {
      return bad_input("--meta", pair, "KEY=VALUE");
    }
    words.meta[pair.substr(0, middle)] = pair.substr(middle + 1);
  }
  return words;
}

Result<Money> amount_of(const Options& options, const config::Settings& settings) {
  const std::string& currency =
      options.currency.empty() ? settings.billing.currency : options.currency;
  Result<Money> money = Money::parse(options.amount, currency);
  if (money && money->nanos > 0) return money;
  return bad_input("AMOUNT", options.amount, "a decimal above 0 of at most 9 places");
}

// The wallet of one account of one tenant.
using Work = std::function<Result<CreditTransaction>(const Wallet&, const config::Settings&)>;

Result<Exit> change(Frame& frame, const Options& options, const Work& work) {
  AIMETER_TRY(const Billable who, billable_of(options));
  return with_engine(frame, [&](Acting& acting) -> Result<Exit> {
    AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.changing(acting.settings));
    if (!tenant) return bad_input("--all-tenants", "", "one --tenant; a wallet belongs to one");
    const Wallet wallet = acting.engine.tenant(tenant->text).wallet(who);
    AIMETER_TRY(const CreditTransaction done, work(wallet, acting.settings));
    if (frame.json()) {
      print_json(frame, boost::json::serialize(object_of(wallet.account(), done)));
    } else {
      frame.console().out() << fmt::format(
          "{}{} {} ({}), transaction {}; the balance of {} {} is {} {}\n",
          done.is_debit() ? "-" : "+", done.amount.text(), done.amount.currency, done.reason,
          done.id, who.type, who.id, done.balance_after.text(), done.balance_after.currency);
    }
    return Exit::done;
  });
}

Result<Exit> add(Frame& frame, const Options& options) {
  AIMETER_TRY(const CreditOptions words, words_of(options));
  return change(frame, options, [&](const Wallet& wallet, const config::Settings& settings) {
    const auto with = [&](const Money& amount) { return wallet.add_credits(amount, words); };
    const Result<Money> amount = amount_of(options, settings);
    return amount ? with(*amount) : std::unexpected(amount.error());
  });
}

Result<Exit> grant(Frame& frame, const Options& options) {
  AIMETER_TRY(const CreditOptions words, words_of(options));
  LotTerms terms{.priority = options.priority};
  AIMETER_TRY(terms.kind, parse_lot_kind("--kind", options.kind));
  if (!options.expires.empty()) {
    AIMETER_TRY(terms.expires_at, parse_instant("--expires", options.expires));
  }
  return change(
      frame, options,
      [&](const Wallet& wallet, const config::Settings& settings) -> Result<CreditTransaction> {
        AIMETER_TRY(const Money amount, amount_of(options, settings));
        return wallet.grant(amount, terms, words);
      });
}

Result<Exit> deduct(Frame& frame, const Options& options) {
  AIMETER_TRY(const CreditOptions words, words_of(options));
  return change(
      frame, options,
      [&](const Wallet& wallet, const config::Settings& settings) -> Result<CreditTransaction> {
        AIMETER_TRY(const Money amount, amount_of(options, settings));
        return wallet.deduct_credits(amount, words);
      });
}

Result<Exit> refund(Frame& frame, const Options& options) {
  AIMETER_TRY(const CreditOptions words, words_of(options));
  return change(
      frame, options,
      [&](const Wallet& wallet, const config::Settings& settings) -> Result<CreditTransaction> {
        if (options.amount.empty()) {
          return wallet.refund(options.debit, std::nullopt, words);
        }
        AIMETER_TRY(const Money amount, amount_of(options, settings));
        return wallet.refund(options.debit, amount, words);
      });
}

Result<std::optional<AutoTopUp>> rule_of(const Options& options, const config::Settings& settings) {
  const bool sets = !options.below.empty() || !options.amount.empty();
  if (sets == options.off)
    return bad_input("--below", options.below, "--below and --amount, or --off");
  if (options.off) return std::optional<AutoTopUp>();
  AutoTopUp rule;
  AIMETER_TRY(rule.amount, amount_of(options, settings));
  AIMETER_TRY(rule.below, Money::parse(options.below, rule.amount.currency));
  return std::optional(std::move(rule));
}

Result<Exit> auto_top_up(Frame& frame, const Options& options) {
  AIMETER_TRY(const Billable who, billable_of(options));
  return with_engine(frame, [&](Acting& acting) -> Result<Exit> {
    AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.changing(acting.settings));
    if (!tenant) return bad_input("--all-tenants", "", "one --tenant; a wallet belongs to one");
    AIMETER_TRY(const std::optional<AutoTopUp> rule, rule_of(options, acting.settings));
    AIMETER_CHECK_OK(acting.engine.tenant(tenant->text).wallet(who).set_auto_top_up(rule));
    if (frame.json()) {
      boost::json::object object{{"below", nullptr}, {"amount", nullptr}, {"currency", nullptr}};
      if (rule) {
        object["below"] = rule->below.text();
        object["amount"] = rule->amount.text();
        object["currency"] = rule->amount.currency;
      }
      print_json(frame, boost::json::serialize(object));
    } else {
      frame.console().out() << (rule ? fmt::format("asks for {} {} below {}\n", rule->amount.text(),
                                                   rule->amount.currency, rule->below.text())
                                     : std::string("asks for nothing by itself\n"));
    }
    return Exit::done;
  });
}

boost::json::object object_of(const store::WalletState& wallet) {
  return {
      {"tenant", wallet.account.tenant.text},      {"billable_type", wallet.account.billable.type},
      {"billable_id", wallet.account.billable.id}, {"balance", wallet.balance().text()},
      {"available", wallet.available().text()},    {"currency", wallet.currency},
      {"transactions", wallet.transactions}};
}

Result<TenantId> tenant_of(const Options& options, const config::Settings& settings) {
  AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.changing(settings));
  if (!tenant) return bad_input("--all-tenants", "", "one --tenant; a wallet belongs to one");
  return *tenant;
}

Result<Exit> balance(Frame& frame, const Options& options) {
  AIMETER_TRY(const Billable who, billable_of(options));
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const TenantId tenant, tenant_of(options, reading.settings));
    AIMETER_TRY(const std::vector<store::WalletState> found, reading.store->wallets({tenant, who}));
    store::WalletState wallet{.account = {tenant, who},
                              .currency = reading.settings.billing.currency};
    if (!found.empty()) wallet = found.front();
    AIMETER_TRY(const std::vector<CreditLot> lots,
                reading.store->credit_lots(wallet.account, store::Lots::open));
    if (frame.json()) {
      boost::json::object object = object_of(wallet);
      boost::json::array all;
      for (const CreditLot& lot : lots) all.push_back(cli::object_of(lot));
      object["lots"] = std::move(all);
      print_json(frame, boost::json::serialize(object));
      return Exit::done;
    }
    frame.console().out() << fmt::format("{} {} ({} not set aside for calls)\n",
                                         wallet.balance().text(), wallet.currency,
                                         wallet.available().text());
    Table table({{"lot", Table::Align::right},
                 {"left", Table::Align::right},
                 {"of", Table::Align::right},
                 {"kind", Table::Align::left},
                 {"priority", Table::Align::right},
                 {"expires", Table::Align::left}});
    for (const CreditLot& lot : lots) {
      const auto& expires = lot.terms.expires_at;
      table.add({std::to_string(lot.id), lot.remaining.text(), lot.amount.text(),
                 std::string(name_of(lot.terms.kind)), std::to_string(lot.terms.priority),
                 expires ? text_of(*expires) : "never"});
    }
    if (!lots.empty()) frame.console().out() << table.text(frame.console().options().columns);
    return Exit::done;
  });
}

Result<Exit> transactions(Frame& frame, const Options& options) {
  AIMETER_TRY(const Billable who, billable_of(options));
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const TenantId tenant, tenant_of(options, reading.settings));
    AIMETER_CHECK_OK(store::check_page(options.limit));
    AIMETER_TRY(const std::vector<store::CreditMove> moves,
                reading.store->credit_transactions({.wallet = {tenant, who},
                                                    .after = options.after,
                                                    .order = store::CreditOrder::newest_first},
                                                   options.limit));
    boost::json::array all;
    Table table({{"id", Table::Align::right},
                 {"at", Table::Align::left},
                 {"cause", Table::Align::left},
                 {"amount", Table::Align::right},
                 {"balance", Table::Align::right},
                 {"reason", Table::Align::left}});
    for (const store::CreditMove& move : moves) {
      const CreditTransaction& one = move.transaction;
      all.push_back(cli::object_of(move.account, one));
      table.add({std::to_string(one.id), text_of(one.created_at), std::string(name_of(one.cause)),
                 (one.is_debit() ? "-" : "") + one.amount.text(), one.balance_after.text(),
                 one.reason});
    }
    if (frame.json()) {
      print_json(frame, boost::json::serialize(all));
    } else {
      frame.console().out() << table.text(frame.console().options().columns);
    }
    return Exit::done;
  });
}

Result<Exit> list(Frame& frame, const Options& options) {
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.reading());
    AIMETER_TRY(const std::vector<store::WalletState> wallets,
                reading.store->wallets({.tenant = tenant}));
    boost::json::array all;
    Table table({{"tenant", Table::Align::left},
                 {"billable", Table::Align::left},
                 {"balance", Table::Align::right},
                 {"currency", Table::Align::left},
                 {"transactions", Table::Align::right}});
    for (const store::WalletState& wallet : wallets) {
      all.push_back(object_of(wallet));
      const Billable& who = wallet.account.billable;
      table.add({wallet.account.tenant.text, who.type + " " + who.id, wallet.balance().text(),
                 wallet.currency, std::to_string(wallet.transactions)});
    }
    if (frame.json()) {
      print_json(frame, boost::json::serialize(all));
    } else {
      frame.console().out() << table.text(frame.console().options().columns);
    }
    return Exit::done;
  });
}

void add_account(CLI::App& app, Options& options) {
  app.add_option("TYPE", options.type, "Type of who pays, such as tenant or user")->required();
  app.add_option("ID", options.id, "Its id")->required();
  options.tenant.add_changing_to(app);
}

void add_words(CLI::App& app, Options& options) {
  app.add_option("--currency", options.currency, "Of the wallet (billing.currency)")
      ->type_name("CUR");
  app.add_option("--reason", options.reason, "For the transaction")->type_name("TEXT");
  app.add_option("--meta", options.meta, "KEY=VALUE, as often as needed")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--key", options.key, "Idempotency key: moves money once")->type_name("KEY");
}

using Run = Result<Exit> (*)(Frame&, const Options&);
struct Command {
  CommandCard card = {};
  Run run = nullptr;
};
CLI::App& add_command(Frame& frame, CLI::App& group, const Command& command,
                      const std::shared_ptr<Options>& options) {
  return frame.add_under(group, command.card,
                         [&frame, options, run = command.run] { return run(frame, *options); });
}

void add_changes(Frame& frame, CLI::App& group, const std::shared_ptr<Options>& options) {
  CLI::App& adding =
      add_command(frame, group,
                  {{.name = "add",
                    .about = "Adds paid credits",
                    .examples = {"aimeter wallet add user 42 100 --tenant acme --key pay_123"}},
                   add},
                  options);
  add_account(adding, *options);
  adding.add_option("AMOUNT", options->amount, "A decimal")->required();
  add_words(adding, *options);
  CLI::App& granting = add_command(
      frame, group,
      {{.name = "grant",
        .about = "Gives credits with an end, a rank or a kind of their own",
        .examples = {"aimeter wallet grant user 42 5 --tenant acme --expires 2027-01-01 "
                     "--priority 10"}},
       grant},
      options);
  add_account(granting, *options);
  granting.add_option("AMOUNT", options->amount, "A decimal")->required();
  granting.add_option("--expires", options->expires, "Until when (never)")->type_name("TIME");
  granting.add_option("--priority", options->priority, "0 to 1000, the lower is spent first (100)");
  granting.add_option("--kind", options->kind, "promotional or paid")->type_name("KIND");
  add_words(granting, *options);
  CLI::App& deducting = add_command(
      frame, group,
      {{.name = "deduct",
        .about = "Takes credits that are not set aside for calls",
        .examples = {"aimeter wallet deduct user 42 2.50 --tenant acme --reason chargeback"}},
       deduct},
      options);
  add_account(deducting, *options);
  deducting.add_option("AMOUNT", options->amount, "A decimal")->required();
  add_words(deducting, *options);
  CLI::App& refunding =
      add_command(frame, group,
                  {{.name = "refund",
                    .about = "Gives a debit back, all that is left of it or a part",
                    .examples = {"aimeter wallet refund user 42 17 --tenant acme",
                                 "aimeter wallet refund user 42 17 --tenant acme --amount 0.50"}},
                   refund},
                  options);
  add_account(refunding, *options);
  refunding.add_option("TRANSACTION", options->debit, "The id of the debit")->required();
  refunding.add_option("--amount", options->amount, "A part of it, a decimal");
  add_words(refunding, *options);
}

}  // namespace

void add_wallet(Frame& frame) {
  CLI::App& group =
      frame.add_group({.name = "wallet",
                       .about = "Prepaid credits: balance, add, grant, deduct, refund, list",
                       .examples = {"aimeter wallet balance user 42 --tenant acme"}});
  auto options = std::make_shared<Options>();
  add_changes(frame, group, options);
  CLI::App& looking =
      add_command(frame, group,
                  {{.name = "balance",
                    .about = "The balance and the lots that it lies in",
                    .examples = {"aimeter wallet balance user 42 --tenant acme --json"}},
                   balance},
                  options);
  add_account(looking, *options);
  CLI::App& reading =
      add_command(frame, group,
                  {{.name = "transactions",
                    .about = "What came in and went out, newest first",
                    .examples = {"aimeter wallet transactions user 42 --tenant acme --limit 20"}},
                   transactions},
                  options);
  add_account(reading, *options);
  reading.add_option("--limit", options->limit, "At most so many (100)");
  reading.add_option("--after", options->after, "Beyond the transaction of this id");
  CLI::App& topping = add_command(
      frame, group,
      {{.name = "auto-top-up",
        .about = "Asks the billing driver for credits below a threshold",
        .examples = {"aimeter wallet auto-top-up user 42 --tenant acme --below 5 --amount 20",
                     "aimeter wallet auto-top-up user 42 --tenant acme --off"}},
       auto_top_up},
      options);
  add_account(topping, *options);
  topping.add_option("--below", options->below, "The threshold, a decimal");
  topping.add_option("--amount", options->amount, "What is asked for, a decimal");
  topping.add_option("--currency", options->currency, "Of the wallet (billing.currency)");
  topping.add_flag("--off", options->off, "Asks for nothing any more");
  CLI::App& listing = add_command(frame, group,
                                  {{.name = "list",
                                    .about = "Every wallet and its balance",
                                    .examples = {"aimeter wallet list --json"}},
                                   list},
                                  options);
  options->tenant.add_to(listing);
}

}  // namespace aimeter::cli
