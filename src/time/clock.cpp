#include <ctime>

#include "aimeter/time.h"

namespace aimeter {
namespace {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override {
    return std::chrono::floor<Duration>(std::chrono::system_clock::now());
  }
  [[nodiscard]] Duration boot() const override {
    timespec at{};
    AIMETER_ASSERT(clock_gettime(CLOCK_BOOTTIME, &at) == 0);
    return std::chrono::floor<Duration>(std::chrono::seconds(at.tv_sec) +
                                        std::chrono::nanoseconds(at.tv_nsec));
  }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace aimeter
