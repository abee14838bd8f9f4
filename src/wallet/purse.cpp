#include "wallet/purse.h"

#include <algorithm>
#include <ranges>
#include <tuple>

namespace aimeter::wallet {

bool spent_before(const Lot& a, const Lot& b) {
  const auto rank = [](const Lot& lot) {
    return std::tuple(lot.terms.priority, lot.terms.expires_at.value_or(Instant::max()),
                      lot.number);
  };
  return rank(a) < rank(b);
}

Purse::Purse(std::int64_t debt, std::vector<Lot> lots) : debt_(debt), lots_(std::move(lots)) {
  std::ranges::sort(lots_, spent_before);
}

std::int64_t Purse::total() const {
  std::int64_t sum = 0;
  for (const Lot& lot : lots_) sum += lot.remaining;
  return sum;
}

std::int64_t Purse::over(Instant now) const {
  std::int64_t sum = 0;
  for (const Lot& lot : lots_) sum += lot.is_over(now) ? lot.remaining : 0;
  return sum;
}

std::int64_t Purse::expirable(Instant now, std::int64_t leased) const {
  return std::min(over(now), std::max<std::int64_t>(0, total() - leased));
}

std::int64_t Purse::take(Lot& lot, std::int64_t at_most) {
  const std::int64_t taken = std::min(lot.remaining, at_most);
  lot.remaining -= taken;
  lot.changed = lot.changed || taken > 0;
  return taken;
}

void Purse::spend(const Spending& spending) {
  std::int64_t left = spending.amount;
  for (Lot& lot : lots_) {
    if (!lot.is_over(spending.at)) left -= take(lot, left);
  }
  // A lease was granted while these lots were good: what it covers is still theirs to give.
  std::int64_t covered = std::min(left, spending.covered - (spending.amount - left));
  for (Lot& lot : lots_) {
    if (covered <= 0) break;
    if (!lot.is_over(spending.at)) continue;
    const std::int64_t taken = take(lot, covered);
    covered -= taken;
    left -= taken;
  }
  debt_ += left;
}

void Purse::add(Lot lot) {
  const std::int64_t paid = std::min(debt_, lot.amount);
  debt_ -= paid;
  lot.remaining = lot.amount - paid;
  lots_.insert(std::ranges::upper_bound(lots_, lot, spent_before), std::move(lot));
}

std::int64_t Purse::give_back(std::int64_t amount, Instant now) {
  const std::int64_t paid = std::min(debt_, amount);
  debt_ -= paid;
  std::int64_t left = amount - paid;
  for (Lot& lot : lots_ | std::views::reverse) {
    if (left == 0) break;
    if (lot.is_over(now)) continue;
    const std::int64_t filled = std::min(left, lot.amount - lot.remaining);
    lot.remaining += filled;
    lot.changed = lot.changed || filled > 0;
    left -= filled;
  }
  return left;
}

std::vector<Purse::Expired> Purse::expire(Instant now, std::int64_t leased) {
  std::vector<Expired> expired;
  std::int64_t room = std::max<std::int64_t>(0, total() - leased);
  for (Lot& lot : lots_) {
    if (!lot.is_over(now) || lot.remaining == 0) continue;
    const std::int64_t taken = take(lot, room);
    room -= taken;
    if (taken > 0) expired.push_back({lot.number, taken});
  }
  return expired;
}

void Purse::merge(std::vector<Lot> more) {
  for (Lot& lot : more) {
    if (std::ranges::find(lots_, lot.number, &Lot::number) != lots_.end()) continue;
    lots_.insert(std::ranges::upper_bound(lots_, lot, spent_before), std::move(lot));
  }
}

void Purse::forget_changes() {
  for (Lot& lot : lots_) lot.changed = false;
}

}  // namespace aimeter::wallet
