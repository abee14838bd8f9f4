#include "app/webhooks.h"

namespace aimeter::app {
namespace {

Result<std::optional<Plan>> plan_named(meter::Core& core, const Account& account,
                                       const std::string& slug) {
  if (slug.empty()) return std::optional<Plan>();
  return core.deps().store.find_plan(account.tenant, slug);
}

// After the commit: a plan that cannot be read is left out, the change itself stands.
void say(meter::Core& core, const store::Followed& done) {
  const std::string before = done.before ? done.before->plan : "";
  if (before == done.after.plan) return;
  PlanChanged event{.account = done.account, .subscription = done.after};
  event.old_plan = plan_named(core, done.account, before).value_or(std::nullopt);
  event.new_plan = plan_named(core, done.account, done.after.plan).value_or(std::nullopt);
  core.deps().facts.events().publish(event);
}

std::string text_at(const Meta& meta, const std::string& key) {
  const auto found = meta.find(key);
  return found == meta.end() ? "" : found->second;
}

// The account that the payment's metadata name, else the one whose subscription has the customer.
Result<std::optional<Account>> payer_of(meter::Core& core, const BillingEvent& event) {
  Account named{.tenant = {text_at(event.metadata, "aimeter_tenant")},
                .billable = {text_at(event.metadata, "aimeter_billable_type"),
                             text_at(event.metadata, "aimeter_billable_id")}};
  if (!named.billable.type.empty() && !named.billable.id.empty()) return std::optional(named);
  if (event.customer.empty()) return std::optional<Account>();
  AIMETER_TRY(const auto all, core.deps().store.subscriptions(std::nullopt));
  for (const auto& [account, subscription] : all) {
    if (text_at(subscription.meta, "stripe_customer_id") == event.customer)
      return std::optional(account);
  }
  return std::optional<Account>();
}

// Once per payment, however often and by however many events it is told.
Status add_top_up(meter::Core& core, const BillingEvent& event) {
  AIMETER_TRY(const std::optional<Account> payer, payer_of(core, event));
  if (!payer) {
    return fail(Code::not_found, "webhook " + event.id + ": nobody here is the payer of " +
                                     event.payment + "; name it in the metadata");
  }
  AIMETER_TRY(const store::Changed changed,
              core.change(store::AddCredits{.account = *payer,
                                            .amount = *event.amount,
                                            .reason = "payment",
                                            .meta = {{"payment", event.payment}},
                                            .idempotency_key = store::payment_key(event.payment)}));
  (void)changed;  // the ledger has told it
  return {};
}

}  // namespace

Result<store::Changed> take_event(meter::Core& core, const BillingEvent& event) {
  if (event.kind == BillingEvent::Kind::top_up) AIMETER_CHECK_OK(add_top_up(core, event));
  AIMETER_TRY(store::Changed changed, core.change(store::ApplyBillingEvent{
                                          .event = event,
                                          .grace_days = core.options().payment_failure_grace_days,
                                          .ids = core.options().billing_ids}));
  for (const store::Followed& done : changed.followed) say(core, done);
  return changed;
}

Status take_webhook(meter::Core& core, const Webhook& webhook) {
  BillingDriver* driver = core.deps().billing;
  if (driver == nullptr) return fail(Code::failed_precondition, "billing.driver: there is none");
  AIMETER_TRY(const BillingEvent event, driver->webhook(webhook));
  AIMETER_CHECK_OK(take_event(core, event));
  return {};
}

}  // namespace aimeter::app
