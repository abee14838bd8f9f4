#include "app/refusal_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>

#include "aimeter/call.h"

namespace aimeter::app {

std::string refusal_file(const std::string& journal_dir) { return journal_dir + "/refusals.jsonl"; }

RefusalLog::RefusalLog(const std::string& journal_dir, const Clock& clock, Events& events)
    : path_(refusal_file(journal_dir)),
      clock_(clock),
      listener_(events.on<CallRefused>([this](const CallRefused& refused) { write(refused); })) {}

RefusalLog::~RefusalLog() {
  const base::Lock lock(mutex_);
  if (file_ >= 0) close(file_);
}

void RefusalLog::write(const CallRefused& refused) {
  const base::Lock lock(mutex_);
  const Duration now = clock_.boot();
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    lines_ = 0;
  }
  if (++lines_ > kLinesPerSecond) {
    ++dropped_;
    return;
  }
  if (file_ >= 0 && bytes_ > kBytesMax) {
    close(file_);
    file_ = -1;
    std::rename(path_.c_str(), (path_.substr(0, path_.size() - 6) + ".old.jsonl").c_str());
  }
  if (file_ < 0) {
    constexpr int kOwnerOnly = 0600;
    file_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kOwnerOnly);
    struct stat found{};
    if (file_ < 0 || fstat(file_, &found) != 0) return;
    bytes_ = found.st_size;
  }
  const Refusal& why = *refused.error.refusal;
  boost::json::object line{{"at", text_of(clock_.now())},
                           {"tenant", refused.account.tenant.text},
                           {"billable_type", refused.account.billable.type},
                           {"billable_id", refused.account.billable.id},
                           {"budget", why.budget},
                           {"scope", why.scope},
                           {"message", refused.error.message}};
  if (dropped_ > 0) line["not_shown_before"] = std::exchange(dropped_, 0);
  const std::string text = boost::json::serialize(line) + "\n";
  // One write: lines of several processes do not mix.
  const ssize_t written = ::write(file_, text.data(), text.size());
  if (written > 0) bytes_ += written;
}

}  // namespace aimeter::app
