#include "app/scheduler.h"

#include "base/log.h"

namespace aimeter::app {
namespace {

constexpr Duration kEvery = std::chrono::seconds(1);
constexpr Duration kAllowancesEvery = std::chrono::minutes(1);  // overrides begin by themselves

}  // namespace

Scheduler::Scheduler(meter::Core& core, const Clock& clock)
    : core_(core), clock_(clock), looked_at_(clock.now()), moved_at_(looked_at_) {}

bool Scheduler::step() {
  const Instant now = clock_.now();
  if (now - looked_at_ < kEvery && now >= looked_at_) return false;
  looked_at_ = now;
  for (const Status& done : {do_due(), move_allowances(now)}) {
    if (done || done.error().code == Code::failed_precondition) continue;  // forked: not ours to do
    base::log(base::LogLevel::warning, "app: what is due waits: " + done.error().message);
  }
  return false;
}

Status Scheduler::do_due() {
  AIMETER_TRY([[maybe_unused]] const int done, core_.run_due());
  return {};
}

Status Scheduler::move_allowances(Instant now) {
  AIMETER_TRY(const std::uint64_t catalogue, core_.deps().store.catalogue());
  const bool soon = now - moved_at_ < kAllowancesEvery && now >= moved_at_;
  if (soon && catalogue == catalogue_) return {};
  AIMETER_TRY([[maybe_unused]] const int moved, core_.move_allowances());
  moved_at_ = now;
  catalogue_ = catalogue;
  return {};
}

}  // namespace aimeter::app
