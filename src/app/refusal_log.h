// Package:       app
// Units:         lines of JSON; times as RFC 3339
// Errors:        none: a line that cannot be written is dropped, a refusal is no record.
// Thread safety: any thread refuses; one mutex.
// Ownership:     borrows clock and events; owns its file.
//
// Refused calls for people who watch (`aimeter tail`): FOLDER/refusals.jsonl, at most
// kLinesPerSecond a
// second, moved to refusals.old.jsonl at kBytesMax. Nothing is counted from it.
#pragma once

#include <cstdint>
#include <string>

#include "aimeter/events.h"
#include "aimeter/time.h"
#include "base/mutex.h"

namespace aimeter {
struct CallRefused;
}

namespace aimeter::app {

[[nodiscard]] std::string refusal_file(const std::string& journal_dir);

class RefusalLog {
 public:
  static constexpr int kLinesPerSecond = 100;
  static constexpr std::int64_t kBytesMax = 4 << 20;

  RefusalLog(const std::string& journal_dir, const Clock& clock, Events& events);
  ~RefusalLog();
  RefusalLog(const RefusalLog&) = delete;
  RefusalLog& operator=(const RefusalLog&) = delete;

 private:
  void write(const CallRefused& refused) AIMETER_EXCLUDES(mutex_);

  std::string path_;
  const Clock& clock_;
  base::Mutex mutex_;
  int file_ AIMETER_GUARDED_BY(mutex_) = -1;
  std::int64_t bytes_ AIMETER_GUARDED_BY(mutex_) = 0;
  Duration second_ AIMETER_GUARDED_BY(mutex_) = {};
  int lines_ AIMETER_GUARDED_BY(mutex_) = 0;
  std::int64_t dropped_ AIMETER_GUARDED_BY(mutex_) = 0;
  Listener listener_;  // last: it stops before the rest goes
};

}  // namespace aimeter::app
