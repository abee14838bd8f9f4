// Webhooks of Stripe, by the first byte: body and header as they came; a good one with one
// character changed; a header that we sign, with more in it, of any age; bodies (a line each) that
// we sign, so that what stands behind the signature is reached.
// Package: drivers
// Parser: src/billing/signature.cpp src/drivers/billing/stripe/events.cpp src/billing/facts.cpp
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "billing/facts.h"
#include "billing/signature.h"
#include "drivers/billing_drivers.h"
#include "tests/fuzz/input.h"
#include "time/manual_clock.h"

namespace aimeter::fuzz {
namespace {

using billing::SubscriptionFacts;

const Instant kNow{std::chrono::seconds(1'790'000'000)};
const std::string kSecret = "whsec_of_the_fuzzer";

Result<BillingEvent> receive(std::string_view body, std::string_view header) {
  static const time::ManualClock kClock{kNow};
  static const std::unique_ptr<BillingDriver> kDriver = [] {
    auto made = drivers::make_billing_driver(
        "stripe", {.stripe = {.secret_key = "sk_test_of_the_fuzzer", .webhook_secret = kSecret},
                   .clock = &kClock});
    AIMETER_ASSERT(made.has_value());
    return *std::move(made);
  }();
  Result<BillingEvent> event =
      kDriver->webhook({.body = std::string(body), .signature = std::string(header)});
  if (!event) {
    AIMETER_ASSERT(!event.error().message.empty());
    const bool echoed = body.find(kSecret) != body.npos;  // an excerpt of what was sent
    AIMETER_ASSERT(echoed || event.error().message.find(kSecret) == std::string::npos);
  }
  return event;
}
std::string header_of(std::string_view body, Instant at) {
  return billing::signature_header(body, kSecret, at);
}

// Nobody but us has the secret.
void expect_refused(std::string_view body, std::string_view header) {
  const Result<BillingEvent> event = receive(body, header);
  AIMETER_ASSERT(!event.has_value());
  AIMETER_ASSERT(event.error().code == Code::unauthenticated);
}

// Where: two bytes; with what: one.
void expect_change_noticed(Input& input) {
  const std::size_t where = std::size_t{input.byte()} << 8 | input.byte();
  const char with = static_cast<char>(input.byte());
  std::string body(input.rest()), header = header_of(body, kNow);
  const std::size_t at = where % (body.size() + header.size());
  char& changed = at < body.size() ? body[at] : header[at - body.size()];
  if (changed == with) return;
  changed = with;
  expect_refused(body, header);
}

bool is_believed(std::string_view body, std::string_view header) {
  const Result<BillingEvent> event = receive(body, header);
  return event.has_value() || event.error().code != Code::unauthenticated;
}

// Age: two bytes, from 30,000 s ahead on; before and behind the good signature: a line each.
void expect_age_alone_decides(Input& input) {
  const std::int64_t age_s = (std::int64_t{input.byte()} << 8 | input.byte()) - 30'000;
  const std::string before(input.until('\n')), behind(input.until('\n'));
  const std::string good = header_of(input.rest(), kNow - std::chrono::seconds(age_s));
  for (const std::string& more : {before, behind}) {
    if (more.find("t=") != std::string::npos) return;  // another time than the one that is signed
  }
  const std::string header = before + "," + good + "," + behind;
  const bool fits = header.size() <= billing::kSignatureHeaderMax;
  AIMETER_ASSERT(is_believed(input.rest(), header) == (fits && age_s <= 300));
}

auto all_of(const BillingEvent& e) {
  return std::tie(e.id, e.type, e.kind, e.created_at, e.customer, e.subscription, e.price,
                  e.metadata, e.status, e.deleted, e.cancel_at_period_end, e.started_at,
                  e.period_end, e.cancel_at, e.ended_at, e.trial_end, e.payment, e.amount);
}

void expect_known(const BillingEvent& event) {
  using Kind = BillingEvent::Kind;
  AIMETER_ASSERT(!event.id.empty());
  if (event.kind == Kind::subscription) AIMETER_ASSERT(!event.subscription.empty());
  if (event.kind != Kind::top_up) return;
  AIMETER_ASSERT(event.amount && event.amount->nanos > 0);
  AIMETER_ASSERT(!event.payment.empty());
  const auto said = event.metadata.find("aimeter_top_up");
  AIMETER_ASSERT(said != event.metadata.end() && said->second != "false");
}

SubscriptionFacts learned(const std::vector<BillingEvent>& events) {
  SubscriptionFacts facts;
  for (const BillingEvent& event : events) billing::learn(facts, event);
  return facts;
}
Subscription followed(const SubscriptionFacts& facts) {
  const Subscription ours{.billable = {"tenant", "acme"}, .plan = "pro", .started_at = kNow};
  return billing::followed(ours, facts, {.grace_days = 7, .plan_of_price = [](auto price) {
                                           return std::string(price);
                                         }});
}

// In any order, and twice: the same facts, the same subscription.
void expect_any_order(std::vector<BillingEvent> events) {
  const SubscriptionFacts facts = learned(events);
  const auto kept = billing::parse_facts(billing::text_of(facts));
  AIMETER_ASSERT(kept.has_value() && *kept == facts);
  std::ranges::reverse(events);
  AIMETER_ASSERT(learned(events) == facts);
  const std::vector<BillingEvent> again = events;
  events.insert(events.end(), again.begin(), again.end());
  AIMETER_ASSERT(learned(events) == facts);
  AIMETER_ASSERT(followed(facts) == followed(learned(events)));
}

void expect_events(Input& input) {
  std::vector<BillingEvent> events;
  std::set<std::string> ids;
  while (!input.empty() && events.size() < 8) {
    const std::string_view body = input.until('\n');
    const Result<BillingEvent> event = receive(body, header_of(body, kNow));
    const Result<BillingEvent> again = receive(body, header_of(body, kNow));
    AIMETER_ASSERT(event.has_value() == again.has_value());
    if (!event) {
      AIMETER_ASSERT(event.error().code == Code::invalid_argument);
      continue;
    }
    AIMETER_ASSERT(all_of(*event) == all_of(*again));
    expect_known(*event);
    using Kind = BillingEvent::Kind;
    if (event->kind == Kind::other || event->kind == Kind::top_up) continue;
    if (ids.insert(event->id).second) events.push_back(*event);  // an id is one event
  }
  expect_any_order(std::move(events));
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.byte() % 4;
  if (choice == 0) {
    const std::string_view header = input.until('\n');
    fuzz::expect_refused(input.rest(), header);
  } else if (choice == 1) {
    fuzz::expect_change_noticed(input);
  } else if (choice == 2) {
    fuzz::expect_age_alone_decides(input);
  } else {
    fuzz::expect_events(input);
  }
  return 0;
}
