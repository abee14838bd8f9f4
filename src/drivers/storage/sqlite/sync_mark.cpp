#include "drivers/storage/sqlite/sync_mark.h"

namespace aimeter::drivers::sqlite {
namespace {

constexpr std::size_t kBytesAtOnce = 1U << 20;

// Readers may look on: they see the same bytes before and after.
Status write_again(base::File& file) {
  for (std::uint64_t offset = 0;;) {
    AIMETER_TRY(const std::string bytes, file.read_at(offset, kBytesAtOnce));
    if (bytes.empty()) break;
    AIMETER_CHECK_OK(file.write_at(offset, bytes));
    offset += bytes.size();
  }
  return file.sync();
}

}  // namespace

void SyncMark::leave() const {
  // A disk that does not take a name takes no commit either.
  (void)files_.open(path(), base::OpenMode::create);
}

Status SyncMark::write_log_again() const {
  if (!files_.open(path(), base::OpenMode::read)) return {};
  auto log = files_.open(database_ + "-wal", base::OpenMode::read_write);
  if (!log && log.error().code != Code::not_found) return std::unexpected(std::move(log).error());
  if (log) AIMETER_CHECK_OK(write_again(**log));
  return files_.remove(path());
}

}  // namespace aimeter::drivers::sqlite
