// The examples of docs/guides/credits.md, run once. Ends with 0 when every check holds; a test
// compares the blocks of the guide with this file.
#include "aimeter/aimeter.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "aimeter/testing.h"

namespace {

using namespace aimeter;

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::exit(1);
}
#define CHECK(condition) check(static_cast<bool>(condition), #condition)

std::string chat() { return testing::openai_answer(1'200, 300); }

void calls(const Engine& engine) {
  auto wallet = engine.tenant("acme").wallet({"user", "42"});
  auto poor = engine.meter()
                  .for_tenant("acme")
                  .billable({"user", "42"})
                  .billing_mode(BillingMode::credits)
                  .using_provider("openai", "gpt-4o-mini")
                  .call([] { return chat(); });
  CHECK(!poor && http_status(poor.error()) == 402);
  CHECK(poor.error().refusal->balance->text() == "0");

  auto paid = wallet.add_credits(100_usd, {.reason = "top-up", .idempotency_key = "pay_123"});
  CHECK(paid && paid->balance_after == 100_usd);
  CHECK(wallet.add_credits(100_usd, {.idempotency_key = "pay_123"}));  // the same: moves nothing
  CHECK(*wallet.balance() == 100_usd);
}

void money(const Engine& engine, Instant end_of_year) {
  auto wallet = engine.tenant("acme").wallet({"user", "42"});
  CHECK(wallet.grant(5_usd, {.kind = LotKind::promotional,
                             .priority = 10,  // before what was paid for
                             .expires_at = end_of_year}));
  auto taken = wallet.deduct_credits(2_usd, {.reason = "chargeback"});
  CHECK(taken && wallet.refund(taken->id, 1_usd));
  CHECK(!wallet.refund(taken->id, 2_usd));  // never more than the debit, in sum
  CHECK(*wallet.has_sufficient_balance(104_usd) && !*wallet.has_sufficient_balance(105_usd));
  auto moved = wallet.transactions();
  for (const CreditTransaction& one : *moved) {
    CHECK(one.balance_after.nanos >= 0);
  }
  CHECK(wallet.lots()->size() == 2);
}

}  // namespace

int main() {
  testing::TestEngine engine;
  calls(engine.engine());
  money(engine.engine(), engine.clock().now() + std::chrono::days(200));
  std::puts("all examples hold");
}
