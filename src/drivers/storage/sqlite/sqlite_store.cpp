#include "drivers/storage/sqlite/sqlite_store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <fstream>

#include "base/files.h"
#include "drivers/storage/sqlite/migrations.h"

namespace aimeter::drivers::sqlite {
namespace {

constexpr std::size_t kIdleReadersMax = 8;
// Source: https://www.sqlite.org/fileformat2.html section 1.3, read 2026-03-01.
constexpr std::size_t kHeaderBytes = 100;
constexpr std::string_view kMagic{"SQLite format 3\0", 16};

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<std::uint8_t>(c);
  return value;
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::int64_t bytes_of(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::int64_t>(status.st_size) : 0;
}

// What SQLite would only meet later: no database at all, or one that was cut. With a log beside it
// a short file may be right, and SQLite decides.
Status check_file(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0 || status.st_size == 0) return {};
  if (S_ISDIR(status.st_mode)) return fail(Code::unavailable, path + ": is a folder");
  std::ifstream file(path, std::ios::binary);
  std::string header(kHeaderBytes, '\0');
  if (!file.read(header.data(), kHeaderBytes)) {
    if (!file.is_open()) return fail(Code::unavailable, path + ": cannot be read");
    return fail(Code::corrupt, path + ": is no SQLite database (it is too short)");
  }
  const std::string_view bytes = header;
  if (!bytes.starts_with(kMagic)) return fail(Code::corrupt, path + ": is no SQLite database");
  if (bytes_of(path + "-wal") > 0) return {};
  const std::uint64_t page = big_endian(bytes.substr(16, 2));
  const std::uint64_t size = (page == 1 ? 65'536 : page) * big_endian(bytes.substr(28, 4));
  if (static_cast<std::uint64_t>(status.st_size) >= size) return {};
  return fail(Code::corrupt,
              fmt::format("{}: is cut off: {} of {} bytes are there", path, status.st_size, size));
}

Status check_path(const std::string& path) {
  if (path.empty() || path.front() == ':' || path.starts_with("file:")) {
    return bad_input("store", "sqlite:" + path, "sqlite:PATH of a file, or memory:");
  }
  AIMETER_TRY(const bool network, base::system_files().is_network(folder_of(path)));
  if (network) {
    return fail(Code::failed_precondition,
                path +
                    ": is on a network file system, where SQLite's locks cannot be trusted; "
                    "use a local disk");
  }
  return check_file(path);
}

Result<std::unique_ptr<Lane>> open_lane(const std::string& path) {
  AIMETER_TRY(auto connection, Connection::open(path, Access::write));
  return std::make_unique<Lane>(std::move(connection));
}

}  // namespace

Pool::Use::~Use() {
  if (connection_ == nullptr) return;
  snapshot_.rollback();
  const std::lock_guard hold(pool_->mutex_);
  if (pool_->idle_.size() < kIdleReadersMax) pool_->idle_.push_back(std::move(connection_));
}

Result<Pool::Use> Pool::take() {
  std::unique_ptr<Connection> connection;
  {
    const std::lock_guard hold(mutex_);
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (connection == nullptr) {
    AIMETER_TRY(connection, Connection::open(path_, Access::read));
  }
  AIMETER_TRY(Transaction snapshot, Transaction::snapshot(*connection));
  return Use(*this, std::move(connection), std::move(snapshot));
}

Result<std::unique_ptr<store::Store>> SqliteStore::open(const std::string& path,
                                                        const store::StoreOptions& options) {
  AIMETER_CHECK_OK(check_path(path));
  const Clock& clock = options.clock != nullptr ? *options.clock : system_clock();
  AIMETER_TRY(auto lock, WriterLock::open(path + ".aimeter"));
  std::unique_ptr<SqliteStore> store(new SqliteStore(path, clock, std::move(lock)));
  AIMETER_TRY(const WriterTurn turn, WriterTurn::take(*store->lock_));
  AIMETER_TRY(store->control_lane_, open_lane(path));
  AIMETER_CHECK_OK(migrate(*store->control_lane_->connection, options, clock));
  AIMETER_TRY(store->apply_lane_, open_lane(path));
  return store;
}

}  // namespace aimeter::drivers::sqlite
