#include "drivers/storage/sqlite/writer_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace aimeter::drivers::sqlite {
namespace {

constexpr std::chrono::microseconds kNapFirst{50};
constexpr std::chrono::microseconds kNapMax{1'000};

Result<int> open_lock_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) {
    return fail(Code::unavailable,
                fmt::format("{}: the lock file cannot be opened ({})", path, std::strerror(errno)));
  }
  return file;
}

// A blocking flock could wait for ever behind a stopped process: try, nap, give up.
bool lock_within(int file, std::chrono::microseconds longest) {
  std::chrono::microseconds waited{0};
  auto nap = kNapFirst;
  while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (waited >= longest) return false;
    std::this_thread::sleep_for(nap);
    waited += nap;
    nap = std::min(nap * 2, kNapMax);
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<WriterLock>> WriterLock::open(const std::string& folder) {
  AIMETER_TRY(const int turnstile, open_lock_file(folder + "/turnstile"));
  auto writer = open_lock_file(folder + "/writer");
  if (!writer) {
    ::close(turnstile);
    return std::unexpected(std::move(writer).error());
  }
  return std::unique_ptr<WriterLock>(new WriterLock(folder + "/writer", turnstile, *writer));
}

WriterLock::~WriterLock() {
  if (writer_ == kNoFile) return;
  ::close(turnstile_);
  ::close(writer_);
}

Status WriterLock::lock() {
  std::unique_lock hold(mutex_);
  const std::uint64_t ticket = next_++;
  turn_.wait(hold, [&] { return serving_ == ticket; });
  if (broken_) {
    ++serving_;
    turn_.notify_all();
    return std::unexpected(*broken_);
  }
  hold.unlock();
  if (auto locked = lock_file(); !locked) {
    hold.lock();
    ++serving_;
    turn_.notify_all();
    return locked;
  }
  return {};
}

Status WriterLock::lock_file() {
  if (writer_ == kNoFile) return {};
  const auto longest = std::chrono::milliseconds(kWriterWaitMax_ms);
  const bool passed = lock_within(turnstile_, longest);
  const bool locked = passed && lock_within(writer_, longest);
  if (passed) ::flock(turnstile_, LOCK_UN);
  if (locked) return {};
  return fail(Code::unavailable,
              fmt::format("{}: another process has held the writer's lock for {} s", path_,
                          kWriterWaitMax_ms / 1000));
}

void WriterLock::break_off(Error error) {
  const std::lock_guard hold(mutex_);
  if (!broken_) broken_ = std::move(error);
}

void WriterLock::unlock() {
  if (writer_ != kNoFile) ::flock(writer_, LOCK_UN);
  const std::lock_guard hold(mutex_);
  ++serving_;
  turn_.notify_all();
}

}  // namespace aimeter::drivers::sqlite
