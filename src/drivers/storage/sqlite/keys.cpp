#include "drivers/storage/sqlite/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

namespace aimeter::drivers::sqlite {
namespace {

// Keys read into the filter per transaction: about 15 ms of an idle disk.
constexpr std::int64_t kSlice = 65'536;
constexpr std::int64_t kBusyKeys = 256;

}  // namespace

// Statements are known by the address of their text: these live as long as the process.
const Keys::Texts& Keys::texts_of(std::int64_t number) {
  static std::mutex mutex;
  static std::map<std::int64_t, Texts> all;
  const std::lock_guard lock(mutex);
  const auto [at, fresh] = all.try_emplace(number);
  Texts& texts = at->second;
  if (!fresh) return texts;
  texts.insert = fmt::format(
      "INSERT INTO ai_keys_seen_{}(key, ref, content, at) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO "
      "NOTHING",
      number);
  texts.find = fmt::format("SELECT ref, content FROM ai_keys_seen_{} WHERE key = ?1", number);
  texts.settle =
      fmt::format("UPDATE ai_keys_seen_{} SET ref = ?2 WHERE key = ?1 AND ref = 0", number);
  texts.all = fmt::format("SELECT key, ref FROM ai_keys_seen_{} ORDER BY key", number);
  texts.slice =
      fmt::format("SELECT key FROM ai_keys_seen_{} WHERE key > ?1 ORDER BY key LIMIT ?2", number);
  return texts;
}

Status Keys::begin() {
  tables_.clear();
  added_ = 0;
  Query query(connection_, "SELECT number, keys FROM ai_key_tables ORDER BY number DESC");
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) break;
    if (tables_.empty()) count_ = query.integer(1);
    tables_.push_back(query.integer(0));
  }
  query.reset();
  // Here and not in finish(): only what is committed may be learned for good.
  return std::exchange(busy_, false) ? learn_a_slice() : Status();
}

Status Keys::open_table(std::int64_t number, std::int64_t now) {
  AIMETER_CHECK_OK(connection_.run_script(fmt::format(
      "CREATE TABLE ai_keys_seen_{}(key BLOB PRIMARY KEY, ref INTEGER NOT NULL, content INTEGER "
      "NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID",
      number)));
  AIMETER_CHECK_OK(run(connection_, "INSERT INTO ai_key_tables VALUES(?1, 0, ?2)", number, now));
  tables_.insert(tables_.begin(), number);
  count_ = 0;
  return {};
}

Result<std::optional<store::KeySeen>> Keys::find_in(std::int64_t number, const base::Key16& key) {
  Query query(connection_, texts_of(number).find.c_str(), blob_of(key));
  AIMETER_TRY(const bool found, query.step());
  if (!found) return std::nullopt;
  return store::KeySeen{query.integer(0), static_cast<std::uint64_t>(query.integer(1))};
}

Result<std::optional<store::KeySeen>> Keys::find(const base::Key16& key) {
  for (const std::int64_t number : tables_) {
    AIMETER_TRY(const auto seen, find_in(number, key));
    if (seen) return seen;
  }
  return std::nullopt;
}

Status Keys::settle(const base::Key16& key, std::int64_t ref) {
  for (const std::int64_t number : tables_) {
    Query query(connection_, texts_of(number).settle.c_str());
    AIMETER_CHECK_OK(query.again(blob_of(key), ref));
    if (connection_.changes() > 0) return {};
  }
  return {};
}

Result<std::optional<store::KeySeen>> Keys::find_older(const base::Key16& key) {
  const bool may = !learned_.empty() && filter_.may_hold(key);
  for (std::size_t i = 1; i < tables_.size(); ++i) {
    if (!may && std::ranges::find(learned_, tables_[i]) != learned_.end()) continue;
    AIMETER_TRY(const auto seen, find_in(tables_[i], key));
    if (seen) return seen;
  }
  return std::nullopt;
}

Result<std::optional<store::KeySeen>> Keys::insert(const NewKey& key) {
  if (tables_.empty()) AIMETER_CHECK_OK(open_table(1, key.at));
  if (tables_.size() > 1) {
    AIMETER_TRY(const auto older, find_older(key.key));
    if (older) return older;
  }
  {
    Query query(connection_, texts_of(tables_.front()).insert.c_str());
    AIMETER_CHECK_OK(query.again(blob_of(key.key), key.ref, key.content, key.at));
  }
  if (connection_.changes() == 0) return find_in(tables_.front(), key.key);
  ++added_;
  return std::nullopt;
}

Result<int> Keys::count_of(const base::Key16& key) {
  int count = 0;
  for (const std::int64_t number : tables_) {
    AIMETER_TRY(const auto seen, find_in(number, key));
    if (seen) ++count;
  }
  return count;
}

Status Keys::each(std::int64_t table,
                  const std::function<Status(const base::Key16&, std::int64_t ref)>& take) {
  Query query(connection_, texts_of(table).all.c_str());
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return {};
    base::Key16 key{};
    const std::string_view bytes = query.bytes(0);
    std::memcpy(key.data(), bytes.data(), std::min(bytes.size(), key.size()));
    AIMETER_CHECK_OK(take(key, query.integer(1)));
  }
}

Status Keys::finish(std::int64_t now) {
  if (added_ == 0) return {};
  AIMETER_CHECK_OK(run(
      connection_, "UPDATE ai_key_tables SET keys = keys + ?2, newest_at = ?3 WHERE number = ?1",
      tables_.front(), added_, now));
  if (count_ + added_ >= per_table_) AIMETER_CHECK_OK(open_table(tables_.front() + 1, now));
  busy_ = added_ >= kBusyKeys;
  added_ = 0;
  return {};
}

Result<store::KeyPage> Keys::page(const store::KeyCursor& after, std::size_t limit) {
  store::KeyPage page{.next = after};
  for (auto table = tables_.rbegin(); table != tables_.rend(); ++table) {
    if (*table < after.table) continue;
    if (*table > page.next.table) page.next = {.table = *table};
    const base::Key16 from = page.next.key;
    Query query(connection_, texts_of(*table).slice.c_str(), blob_of(from),
                static_cast<std::int64_t>(limit - page.keys.size()));
    for (;;) {
      AIMETER_TRY(const bool more, query.step());
      if (!more) break;
      const std::string_view bytes = query.bytes(0);
      std::memcpy(page.next.key.data(), bytes.data(),
                  std::min(bytes.size(), page.next.key.size()));  // another size: verify tells
      page.keys.push_back(page.next.key);
    }
    if (page.keys.size() >= limit) {
      page.more = true;
      return page;
    }
  }
  return page;
}

Status Keys::learn_a_slice() {
  if (learning_ == 0) {
    for (std::size_t i = 1; i < tables_.size() && learning_ == 0; ++i) {
      if (std::ranges::find(learned_, tables_[i]) == learned_.end()) learning_ = tables_[i];
    }
    if (learning_ == 0) return {};
    learned_to_ = {};
  }
  Query query(connection_, texts_of(learning_).slice.c_str(), blob_of(learned_to_), kSlice);
  std::int64_t count = 0;
  for (;; ++count) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) break;
    const std::string_view bytes = query.bytes(0);
    if (bytes.size() == learned_to_.size()) {
      std::memcpy(learned_to_.data(), bytes.data(), bytes.size());
    }
    filter_.add(learned_to_);
  }
  if (count < kSlice) {
    learned_.push_back(learning_);
    learning_ = 0;
  }
  return {};
}

Result<int> Keys::drop_older(std::int64_t before) {
  int dropped = 0;
  for (std::size_t i = tables_.size(); i > 1; --i) {
    const std::int64_t number = tables_[i - 1];
    AIMETER_TRY(const auto gone,
                run(connection_, "DELETE FROM ai_key_tables WHERE number = ?1 AND newest_at < ?2",
                    number, before));
    if (gone == 0) continue;
    AIMETER_CHECK_OK(connection_.run_script(fmt::format("DROP TABLE ai_keys_seen_{}", number)));
    ++dropped;
  }
  return dropped;
}

}  // namespace aimeter::drivers::sqlite
