#include "store/audit.h"

namespace aimeter::store {
namespace {

std::string said_of(const Account& account, const std::string& what) {
  return account.billable.type + " " + account.billable.id + ": " + what;
}

Said said_of(const PutAutoTopUp& change) {
  const std::string what = change.rule ? change.rule->amount.text() : "off";
  return {"put_auto_top_up", change.account.tenant.text, said_of(change.account, what)};
}

Said said_of(const EndTopUp& change) {
  return {"end_top_up", change.account.tenant.text, said_of(change.account, change.key)};
}

}  // namespace

Said said_of(const ChangeBody& body) {
  return std::visit(
      Overloaded{
          [](const PutPlan& b) { return Said{"put_plan", b.plan.tenant, b.plan.slug}; },
          [](const DeletePlan& b) { return Said{"delete_plan", b.tenant, b.slug}; },
          [](const PutSubscription& b) {
            return Said{"put_subscription", b.tenant.text, b.subscription.plan};
          },
          [](const PutOverride& b) {
            return Said{"put_override", b.tenant.text, b.limits.billable.id};
          },
          [](const PutTenant& b) { return Said{"put_tenant", b.tenant.text, ""}; },
          [](const PutDomain& b) { return Said{"put_domain", b.tenant.text, b.host}; },
          [](const PutApiKey& b) { return Said{"put_api_key", b.key.tenant, b.key.id}; },
          [](const RevokeApiKey& b) { return Said{"revoke_api_key", b.tenant.text, b.id}; },
          [](const PutPrices& b) { return Said{"put_prices", "", b.book.version}; },
          [](const PutOrphans&) { return Said{"put_orphans", "", ""}; },
          [](const DropOrphan& b) { return Said{"drop_orphan", "", std::to_string(b.hold)}; },
          [](const Erase& b) { return Said{"erase", b.tenant.text, ""}; },  // not who: it is erased
          [](const Prune& b) {
            return Said{"prune", b.tenant ? b.tenant->text : "", aimeter::text_of(b.before)};
          },
          [](const ReleaseHold& b) { return Said{"release_hold", b.tenant.text, ""}; },
          [](const ExpireHolds&) { return Said{"expire_holds", "", ""}; },
          [](const RotateHoldKeys&) { return Said{"rotate_hold_keys", "", ""}; },
          [](const AddCredits& b) {
            return Said{"add_credits", b.account.tenant.text, said_of(b.account, b.amount.text())};
          },
          [](const DeductCredits& b) {
            return Said{"deduct_credits", b.account.tenant.text,
                        said_of(b.account, b.amount.text())};
          },
          [](const RefundCredits& b) {
            return Said{"refund_credits", b.account.tenant.text,
                        said_of(b.account, std::to_string(b.debit))};
          },
          [](const ExpireCredits&) { return Said{"expire_credits", "", ""}; },
          [](const PutAutoTopUp& b) { return said_of(b); },
          [](const BeginTopUps&) { return Said{"begin_top_ups", "", ""}; },
          [](const EndTopUp& b) { return said_of(b); },
          [](const ApplyBillingEvent& b) {
            return Said{"billing_event", "", b.event.id + " " + b.event.type};
          },
          [](const FreezeOverages& b) {
            return Said{"freeze_overages", b.tenant ? b.tenant->text : "", ""};
          },
          [](const ClaimBatch& b) {
            return Said{"claim_batch", "", std::to_string(b.id) + " by " + b.sender};
          },
          [](const EndBatch& b) {
            return Said{"end_batch", "", std::to_string(b.id) + " " + b.text.substr(0, 64)};
          },
          [](const MoveAllowance& b) {
            return Said{"move_allowance", b.key.account.tenant.text, ""};
          },
          [](const PutBillingIds& b) { return Said{"put_billing_ids", b.account.tenant.text, ""}; },
      },
      body);
}

bool is_catalogue(const ChangeBody& body) {
  return std::visit(
      Overloaded{
          [](const PutOrphans&) { return false; }, [](const DropOrphan&) { return false; },
          [](const Erase&) { return false; }, [](const Prune&) { return false; },
          [](const ReleaseHold&) { return false; }, [](const ExpireHolds&) { return false; },
          [](const RotateHoldKeys&) { return false; }, [](const AddCredits&) { return false; },
          [](const DeductCredits&) { return false; }, [](const RefundCredits&) { return false; },
          [](const ExpireCredits&) { return false; }, [](const FreezeOverages&) { return false; },
          [](const ClaimBatch&) { return false; }, [](const EndBatch&) { return false; },
          [](const MoveAllowance&) { return false; }, [](const PutAutoTopUp&) { return false; },
          [](const BeginTopUps&) { return false; }, [](const EndTopUp&) { return false; },
          [](const auto&) { return true; }},
      body);
}

}  // namespace aimeter::store
