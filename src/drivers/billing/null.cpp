// null: nobody is asked for money. A charge is done as soon as it is asked for, with no receipt.
#include "drivers/billing_drivers.h"

namespace aimeter::drivers {
namespace {

class Driver final : public BillingDriver {
 public:
  Result<Receipt> charge_overage(const Account&, const OverageBatch&) override { return Receipt{}; }
  Result<Receipt> refund(const Refund& refund) override {
    if (refund.idempotency_key.empty())
      return bad_input("idempotency_key", "", "a key, so that nothing is given back twice");
    return Receipt{};
  }
};

}  // namespace

Result<std::unique_ptr<BillingDriver>> make_billing_null(const billing::DriverSetup&) {
  return std::make_unique<Driver>();
}

}  // namespace aimeter::drivers
