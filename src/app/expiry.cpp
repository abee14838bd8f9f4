#include "app/expiry.h"

#include <algorithm>

#include "base/log.h"

namespace aimeter::app {
namespace {

constexpr Duration kEvery = std::chrono::seconds(1);

bool ends_between(const Subscription& subscription, Instant after, Instant now) {
  return !subscription.is_expired(after) && subscription.is_expired(now);
}

}  // namespace

ExpiryWatch::ExpiryWatch(const store::Store& store, const Clock& clock, const Events& events)
    : store_(store), clock_(clock), events_(events), looked_at_(clock.now()) {}

void ExpiryWatch::read_again() {
  const Result<std::uint64_t> catalogue = store_.catalogue();
  if (!catalogue || (read_ && *catalogue == catalogue_)) return;
  auto all = store_.subscriptions(std::nullopt);
  if (!all) {
    base::log(base::LogLevel::warning,
              "app: subscriptions could not be read: " + all.error().message);
    return;
  }
  std::erase_if(*all, [](const auto& one) { return !one.second.ends_at; });
  ending_ = *std::move(all);
  catalogue_ = *catalogue;
  read_ = true;
}

bool ExpiryWatch::step() {
  const Instant now = clock_.now();
  if (now - looked_at_ < kEvery || !events_.wanted<SubscriptionExpired>()) return false;
  read_again();
  for (const auto& [account, subscription] : ending_) {
    if (ends_between(subscription, looked_at_, now))
      events_.publish(SubscriptionExpired{account, subscription});
  }
  looked_at_ = now;
  return false;
}

}  // namespace aimeter::app
