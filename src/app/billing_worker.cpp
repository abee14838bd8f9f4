#include "app/billing_worker.h"

#include <algorithm>

#include "app/overage_sync.h"
#include "base/log.h"

namespace aimeter::app {
namespace {

constexpr Duration kFirstPause = std::chrono::seconds(2);
constexpr Duration kPauseMax = std::chrono::minutes(10);
constexpr std::size_t kBatchesPerStep = 100;

}  // namespace

BillingWorker::BillingWorker(const Deps& deps, std::string sender, store::FreezeOverages::By by)
    : deps_(deps), sender_(std::move(sender)), by_(by) {}

Result<bool> BillingWorker::has_work() const {
  AIMETER_TRY(const auto to_send, deps_.store.overage_batches({.to_send_only = true}));
  if (!to_send.empty()) return true;
  AIMETER_TRY(const auto to_come, batches_to_come(deps_.store, {}, by_));
  return !to_come.empty();
}

void BillingWorker::wait_longer() {
  pause_ = std::min(kPauseMax, std::max(kFirstPause, pause_ * 2));
  not_before_ = deps_.clock.now() + pause_;
}

bool BillingWorker::step() {
  if (deps_.clock.now() < not_before_) return false;
  const Result<bool> work = has_work();
  if (work && !*work) return false;
  Result<SyncReport> report = std::unexpected(work ? Error{} : work.error());
  if (work) {
    report = sync_overages(deps_.store, deps_.driver,
                           {.limit = kBatchesPerStep, .sender = sender_, .by = by_});
  }
  if (report && report->failures.empty()) {
    pause_ = Duration(0);
    return report->waiting > 0;
  }
  base::log(base::LogLevel::warning,
            "app: overage is not charged yet: " +
                (report ? report->failures.front().error.message : report.error().message));
  wait_longer();
  return false;
}

}  // namespace aimeter::app
