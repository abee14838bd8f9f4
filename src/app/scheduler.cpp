#include "app/scheduler.h"

#include "base/log.h"

namespace aimeter::app {
namespace {

constexpr Duration kEvery = std::chrono::seconds(1);

}  // namespace

Scheduler::Scheduler(meter::Core& core, const Clock& clock)
    : core_(core), clock_(clock), looked_at_(clock.now()) {}

bool Scheduler::step() {
  const Instant now = clock_.now();
  if (now - looked_at_ < kEvery && now >= looked_at_) return false;
  looked_at_ = now;
  const Result<int> done = core_.run_due();
  if (!done && done.error().code != Code::failed_precondition) {  // forked: not ours to do
    base::log(base::LogLevel::warning, "app: what is due waits: " + done.error().message);
  }
  return false;
}

}  // namespace aimeter::app
