#include "aimeter/billing.h"

namespace aimeter {

Result<Receipt> BillingDriver::top_up(const TopUp&) {
  return fail(Code::failed_precondition, "billing.driver: this driver takes no payments");
}

Result<BillingEvent> BillingDriver::webhook(const Webhook&) {
  return fail(Code::failed_precondition, "billing.driver: this driver has no webhooks");
}

}  // namespace aimeter
