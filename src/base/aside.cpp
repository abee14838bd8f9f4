#include "base/aside.h"

#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "base/log.h"
#include "base/mutex.h"

namespace aimeter::base {
namespace {

thread_local bool is_worker_thread = false;

class Asides {
 public:
  ~Asides() {
    const Lock lock(mutex_);
    if (last_.joinable()) last_.join();
  }
  void run(std::move_only_function<void()> work) {
    const Lock lock(mutex_);
    const auto before = std::make_shared<std::thread>(std::move(last_));
    try {
      last_ = std::thread([before, work = std::move(work)]() mutable {
        if (before->joinable()) before->join();
        work();
      });
    } catch (...) {
      last_ = std::move(*before);  // it is joined all the same
      throw;
    }
  }

 private:
  Mutex mutex_;
  std::thread last_ AIMETER_GUARDED_BY(mutex_);  // each waits for the one before
};

}  // namespace

void mark_worker_thread() { is_worker_thread = true; }
bool on_worker_thread() { return is_worker_thread; }

void aside(std::move_only_function<void()> work) {
  static Asides asides;
  try {
    asides.run(std::move(work));
  } catch (const std::system_error& error) {
    log(LogLevel::error, std::string("base: no thread is to be had: ") + error.what());
  }
}

}  // namespace aimeter::base
