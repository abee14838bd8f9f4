// Package:       drivers
// Units:         keys of 16 bytes; times in microseconds UTC.
// Errors:        the connection's.
// Thread safety: belongs to one connection.
// Ownership:     borrows the connection.
//
// The keys that were ever settled, in tables of about 131,072 each: the newest takes new keys, the
// older ones are only read, so that random inserts stay inside a small tree: a batch of some
// thousand keys meets each of its pages more than once. A key is in at most one table. `ref` is the
// row of the first settlement; 0 = a detached hold that ended without one so far.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "drivers/storage/sqlite/connection.h"
#include "store/key_filter.h"
#include "store/store.h"

namespace aimeter::drivers::sqlite {

constexpr std::int64_t kKeysPerTable = 131'072;
constexpr Duration kKeysKept = std::chrono::days(100);

struct NewKey {
  base::Key16 key = {};
  std::int64_t ref = 0;
  std::uint64_t content = 0;
  std::int64_t at = 0;
};

[[nodiscard]] inline Blob blob_of(const base::Key16& key) {
  return Blob{{reinterpret_cast<const char*>(key.data()), key.size()}};
}

class Keys {
 public:
  explicit Keys(Connection& connection, std::int64_t per_table = kKeysPerTable)
      : connection_(connection), per_table_(per_table) {}

  // Reads which tables there are. First in each transaction that uses keys.
  [[nodiscard]] Status begin();
  // The one that is there already, or nothing: then the key is stored.
  [[nodiscard]] Result<std::optional<store::KeySeen>> insert(const NewKey& key);
  [[nodiscard]] Result<std::optional<store::KeySeen>> find(const base::Key16& key);
  // Of a key that is there with ref 0.
  [[nodiscard]] Status settle(const base::Key16& key, std::int64_t ref);
  // Last in a transaction that inserted: counts, and opens a new table when this one is full.
  [[nodiscard]] Status finish(std::int64_t now);
  // Drops tables whose newest key is older than `before`, but never the one in use.
  [[nodiscard]] Result<int> drop_older(std::int64_t before);
  // Keys after `after`, table by table, in the order of their bytes.
  [[nodiscard]] Result<store::KeyPage> page(const store::KeyCursor& after, std::size_t limit);
  // For verify: how many tables have it; and every key of one table until `take` fails.
  [[nodiscard]] Result<int> count_of(const base::Key16& key);
  [[nodiscard]] Status each(
      std::int64_t table, const std::function<Status(const base::Key16&, std::int64_t ref)>& take);
  [[nodiscard]] const std::vector<std::int64_t>& tables() const { return tables_; }  // newest first

 private:
  struct Texts {  // SQL of one table
    std::string insert = {}, find = {}, settle = {}, slice = {}, all = {};
  };
  [[nodiscard]] static const Texts& texts_of(std::int64_t number);
  [[nodiscard]] Result<std::optional<store::KeySeen>> find_in(std::int64_t number,
                                                              const base::Key16& key);
  [[nodiscard]] Result<std::optional<store::KeySeen>> find_older(const base::Key16& key);
  [[nodiscard]] Status open_table(std::int64_t number, std::int64_t now);
  [[nodiscard]] Status learn_a_slice();

  Connection& connection_;
  const std::int64_t per_table_;
  std::vector<std::int64_t> tables_;  // newest first
  std::int64_t count_ = 0, added_ = 0;
  bool busy_ = false;        // the last transaction brought many keys: the filter is worth its room
  store::KeyFilter filter_;  // of the keys in the older tables
  std::vector<std::int64_t> learned_;  // tables that are wholly in the filter
  std::int64_t learning_ = 0;          // the one that is being read into it, 0 = none
  base::Key16 learned_to_ = {};
};

}  // namespace aimeter::drivers::sqlite
