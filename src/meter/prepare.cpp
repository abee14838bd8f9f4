#include <fmt/format.h>

#include <algorithm>

#include "base/ids.h"
#include "meter/content.h"
#include "meter/meta.h"
#include "meter/running_call.h"

namespace aimeter {

Status check_call_text(std::string_view field, std::string_view value) {
  return base::check_id(field, value);
}

namespace meter {
namespace {

constexpr std::size_t kFeatureBytesMax = 100;

bool is_feature_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= kFeatureBytesMax && std::ranges::all_of(name, good);
}

tenancy::Ambient ambient_of(const Call& call) {
  using tenancy::Ambient;
  if (!call.ambient) return {};
  if (call.ambient->text.empty()) return {.state = Ambient::State::central};
  return {.state = Ambient::State::tenant, .text = call.ambient->text};
}

void fill_ask(RunningCall::Prepared& prepared, const Account& account) {
  const Call& call = prepared.call;
  ledger::HoldAsk& ask = prepared.ask;
  ask.account = account;
  ask.need = prepared.guess.need;
  ask.names = {.user = call.user,
               .api_key = call.api_key,
               .feature = call.feature,
               .model = prepared.info.provider + "/" + prepared.info.model,
               .session = call.session,
               .mode = call.billing_mode};
  ask.estimate_source = prepared.guess.source;
  store::Settlement& expected = ask.expected;
  expected.occurred_at = prepared.pin.at;
  expected.account = account;
  expected.user = call.user;
  expected.provider = prepared.info.provider;
  expected.model = prepared.info.model;
  expected.feature = call.feature;
  expected.api_key = call.api_key;
  expected.session = call.session;
  expected.key = prepared.key;
  store::Pins& pins = expected.pins;
  pins.price_version = prepared.pin.version;
  pins.estimate_source = prepared.guess.source;
  pins.estimate_tokens = prepared.guess.need.tokens;
  pins.estimate_cost_nanos = prepared.guess.need.cost_nanos;
}

}  // namespace

Status check_billable(const Billable& who) {
  AIMETER_CHECK_OK(base::check_id("billable.type", who.type));
  return base::check_id("billable.id", who.id);
}

Status check_feature(std::string_view name, FeatureNames how) {
  if (name.empty()) return {};
  if (how == FeatureNames::any) return base::check_id("feature", name);
  if (is_feature_name(name)) return {};
  return bad_input("feature", name, "1 to 100 of the characters A-Z a-z 0-9 _");
}

Result<Account> account_of(const TenantId& tenant, const std::optional<Billable>& billable,
                           std::string_view user) {
  if (billable) {
    AIMETER_CHECK_OK(check_billable(*billable));
    return Account{tenant, *billable};
  }
  if (!tenant.text.empty()) return Account{tenant, {"tenant", tenant.text}};
  if (!user.empty()) return Account{tenant, {"user", std::string(user)}};
  return fail(Code::invalid_argument,
              "billable: nobody pays for this call, neither billable, tenant nor user is given; "
              "expected one of billable(), for_tenant() and for_user()");
}

void pin_terms(store::Settlement& settlement, const budget::Terms& terms,
               std::optional<BillingMode> mode) {
  const plans::EffectiveLimits& limits = terms.limits;
  store::Pins& pins = settlement.pins;
  if (!limits.budgets.empty()) pins.period = limits.budgets.front().span;
  if (limits.subscription) {
    pins.subscription = limits.subscription->id;
    pins.mode = limits.subscription->billing_mode;
  }
  if (mode) pins.mode = *mode;
  if (limits.plan) {
    pins.plan = limits.plan->id;
    pins.plan_version = limits.plan->version;
    pins.plan_slug = limits.plan->slug;
  }
  pins.catalogue = terms.catalogue;
}

void set_price(store::Settlement& settlement, Priced price) {
  settlement.input_cost = std::move(price.input);
  settlement.output_cost = std::move(price.output);
  settlement.total_cost = std::move(price.total);
  settlement.flags |= price.flags;
  settlement.pins.price_model = std::move(price.model);
  settlement.pins.price_version = std::move(price.version);
  if (settlement.usage.total_only) settlement.flags |= store::kTotalOnly;
  if (settlement.usage.source == UsageSource::manual) settlement.flags |= store::kUsageManual;
  settlement.usage = halved(std::move(settlement.usage));
}

namespace {

// A budget of money that a call is held against: the model must have a price, the price a rate.
Status check_payable(const plans::ConcreteBudget& money, std::string_view what,
                     const Guess& guess) {
  if (!guess.priceable) {
    return fail(Code::failed_precondition,
                fmt::format("model: has no price, and the account has {}; expected a model of the "
                            "price book, a price in the configuration, or pricing.unknown_model = "
                            "\"default_price\"",
                            what));
  }
  const budget::Need& need = guess.need;
  if (money.currency == need.cost_currency) return {};
  const budget::Exchange& exchange = need.exchange;
  if (exchange.rates && exchange.rates->find(need.cost_currency, money.currency, exchange.at)) {
    return {};
  }
  return fail(Code::failed_precondition,
              fmt::format("currency: the price is in {}, the account has {} in {}, and there is no "
                          "rate",
                          need.cost_currency, what, money.currency));
}

}  // namespace

void pin_rates(store::Settlement& settlement, const budget::Terms& terms,
               const currency::Rates* rates) {
  const std::string& from = settlement.total_cost.currency;
  const auto pin = [&](const std::string& to, bool needed) {
    if (to == from) return;
    std::vector<currency::PinnedRate>& pinned = settlement.pins.rates;
    const auto same = [&](const currency::PinnedRate& one) {
      return one.from == from && one.to == to;
    };
    if (std::ranges::any_of(pinned, same)) return;
    const auto rate =
        rates != nullptr ? rates->find(from, to, settlement.occurred_at) : std::nullopt;
    if (rate) {
      pinned.push_back({from, to, *rate});
    } else if (needed && settlement.total_cost.nanos != 0) {
      settlement.flags |= store::kProvisional;
    }
  };
  for (const plans::ConcreteBudget& one : terms.limits.budgets) {
    if (one.kind == BudgetKind::cost) pin(one.currency, one.limit.has_value());
  }
  if (terms.wallet && settlement.pins.mode == BillingMode::credits) {
    pin(terms.wallet->currency, true);
  }
}

Status check_billed(const budget::Terms& terms, const Guess& guess,
                    std::optional<BillingMode> mode) {
  const BillingMode billed = budget::mode_of(terms, {.mode = mode});
  if (billed == BillingMode::credits && terms.wallet) {
    AIMETER_CHECK_OK(check_payable(*terms.wallet, "a wallet", guess));
  }
  for (const plans::ConcreteBudget& one : terms.limits.budgets) {
    if (one.kind != BudgetKind::cost || !(one.blocking() || one.charged)) continue;
    AIMETER_CHECK_OK(check_payable(one, "a cost limit", guess));
  }
  return {};
}

Status Core::check_names(const Call& call) const {
  if (!call.user.empty()) AIMETER_CHECK_OK(base::check_id("user", call.user));
  AIMETER_CHECK_OK(check_feature(call.feature, options_.feature_names));
  if (!call.manual_usage) return {};
  if (auto good = normalised(*call.manual_usage).check(); !good) {
    good.error().message.insert(0, "manual usage: ");
    return good;
  }
  return {};
}

Result<tenancy::Resolved> Core::resolve(const Call& call) const {
  return deps_.tenancy.resolve({.explicit_tenant = call.tenant,
                                .ambient = ambient_of(call),
                                .context = call.context ? &*call.context : nullptr});
}

Result<std::shared_ptr<RunningCall>> Core::prepare(Call&& asked) {
  if (asked.bad) return std::unexpected(*std::move(asked.bad));
  AIMETER_CHECK_OK(usable());
  auto running = std::make_shared<RunningCall>(self());
  RunningCall::Prepared& prepared = running->to_prepare();
  prepared.call = std::move(asked);
  Call& call = prepared.call;
  if (call.user.empty() && call.context) call.user = call.context->user;
  AIMETER_CHECK_OK(check_names(call));
  AIMETER_TRY(tenancy::Resolved tenant, resolve(call));
  AIMETER_TRY(const Account account, account_of(tenant.tenant, call.billable, call.user));

  prepared.info = {.provider = call.provider.empty() ? options_.default_provider : call.provider,
                   .model = call.model};
  if (!call.manual_usage) AIMETER_CHECK_OK(deps_.answers.check_provider(prepared.info.provider));
  prepared.pin = pin_prices(deps_.prices.now(), deps_.clock.now());
  AIMETER_TRY(prepared.guess,
              guess({options_, estimates_, prepared.pin}, call, prepared.info, account.tenant));
  if (!prepared.guess.priceable && options_.unknown_model == UnknownModel::refuse) {
    return fail(Code::failed_precondition,
                fmt::format("model: \"{}\" of provider \"{}\" has no price; pricing.unknown_model "
                            "refuses it",
                            prepared.info.model, prepared.info.provider));
  }
  AIMETER_TRY(prepared.meta, kept_meta(call.meta, options_.metadata));
  if (!call.idempotency_key.empty()) prepared.key = key_of_call(call, account);
  fill_ask(prepared, account);
  prepared.ask.expected.pins.tenant_found_by = std::move(tenant.found_by);
  AIMETER_TRY(prepared.ask.expected.meta, json_of(prepared.meta));
  return running;
}

}  // namespace meter
}  // namespace aimeter
