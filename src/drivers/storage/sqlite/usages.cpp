#include <algorithm>
#include <limits>
#include <queue>

#include "drivers/storage/sqlite/sqlite_store.h"
#include "store/record.h"

// Pages of usage rows. The index leads with the account, so a page over several accounts merges one
// stream for each: it costs one look-up an account and then only the rows that it reads.
namespace aimeter::drivers::sqlite {
namespace {

constexpr std::int64_t kChunkFirst = 16, kChunkMax = 1'024;
constexpr std::int64_t kEndOfTime = std::numeric_limits<std::int64_t>::max();

struct Place {
  std::int64_t occurred_at = 0, id = 0;
  auto operator<=>(const Place&) const = default;
};

class Stream {  // the places of one account, oldest first
 public:
  Stream(std::int64_t tenant, std::int64_t account, Place after)
      : tenant_(tenant), account_(account), last_(after) {}

  [[nodiscard]] const Place& front() const { return chunk_[at_]; }
  // False: there are no more.
  [[nodiscard]] Result<bool> next(Connection& connection, std::int64_t before) {
    if (++at_ < chunk_.size()) return true;
    if (ended_) return false;
    chunk_.clear();
    at_ = 0;
    Query query(connection,
                "SELECT occurred_at, id FROM ai_usages_by_account WHERE tenant = ?1 AND account ="
                " ?2 AND (occurred_at, id) > (?3, ?4) AND occurred_at < ?5 ORDER BY occurred_at, id"
                " LIMIT ?6",
                tenant_, account_, last_.occurred_at, last_.id, before, size_);
    for (;;) {
      AIMETER_TRY(const bool more, query.step());
      if (!more) break;
      chunk_.push_back({query.integer(0), query.integer(1)});
    }
    ended_ = static_cast<std::int64_t>(chunk_.size()) < size_;
    size_ = std::min(size_ * 4, kChunkMax);
    if (chunk_.empty()) return false;
    last_ = chunk_.back();
    return true;
  }

 private:
  std::int64_t tenant_, account_, size_ = kChunkFirst;
  Place last_;
  std::vector<Place> chunk_ = {};
  std::size_t at_ = 0;
  bool ended_ = false;
};

Result<std::vector<Stream>> streams_of(Connection& connection, const UsageFilter& filter,
                                       Place after) {
  std::vector<Stream> streams;
  Query query(
      connection,
      "SELECT a.tenant, a.account FROM ai_accounts a WHERE (?1 IS NULL OR a.tenant = (SELECT"
      " tenant FROM ai_tenants WHERE name = ?1)) AND (?2 IS NULL OR (a.type = ?2 AND a.id ="
      " ?3))",
      filter.tenant ? std::optional(filter.tenant->text) : std::nullopt,
      filter.billable ? std::optional(filter.billable->type) : std::nullopt,
      filter.billable ? std::optional(filter.billable->id) : std::nullopt);
  for (;;) {
    AIMETER_TRY(const bool more, query.step());
    if (!more) return streams;
    streams.emplace_back(query.integer(0), query.integer(1), after);
  }
}

class Merge {
 public:
  Merge(Connection& connection, std::int64_t before) : connection_(connection), before_(before) {}

  [[nodiscard]] Status add(std::vector<Stream>&& streams) {
    streams_ = std::move(streams);
    for (std::uint32_t i = 0; i < streams_.size(); ++i) AIMETER_CHECK_OK(push(i));
    return {};
  }
  [[nodiscard]] bool empty() const { return heads_.empty(); }
  [[nodiscard]] Result<Place> pop() {
    const auto [place, index] = heads_.top();
    heads_.pop();
    AIMETER_CHECK_OK(push(index));
    return place;
  }

 private:
  using Head = std::pair<Place, std::uint32_t>;
  [[nodiscard]] Status push(std::uint32_t index) {
    AIMETER_TRY(const bool more, streams_[index].next(connection_, before_));
    if (more) heads_.emplace(streams_[index].front(), index);
    return {};
  }

  Connection& connection_;
  std::int64_t before_;
  std::vector<Stream> streams_ = {};
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads_ = {};
};

}  // namespace

Result<UsagePage> SqliteStore::usages(const UsageFilter& filter, std::string_view cursor,
                                      std::size_t limit) const {
  AIMETER_CHECK_OK(store::check_page(limit));
  AIMETER_TRY(const auto start, store::parse_cursor(cursor));
  Place after{std::numeric_limits<std::int64_t>::min(), 0};
  if (filter.from) after = {filter.from->time_since_epoch().count(), 0};
  if (start)
    after = std::max(after, Place{start->occurred_at.time_since_epoch().count(), start->id});
  const std::int64_t before = filter.to ? filter.to->time_since_epoch().count() : kEndOfTime;

  AIMETER_TRY(const Pool::Use use, pool_.take());
  AIMETER_TRY(auto streams, streams_of(*use, filter, after));
  Merge merge(*use, before);
  AIMETER_CHECK_OK(merge.add(std::move(streams)));
  Rows rows(*use);
  UsagePage page;
  while (!merge.empty()) {
    AIMETER_TRY(const Place place, merge.pop());
    AIMETER_TRY(const auto row, rows.read(place.id));
    if (!row || !store::matches(filter, row->settlement)) continue;
    if (page.records.size() == limit) {
      const UsageRecord& last = page.records.back();
      page.next = store::text_of(store::Cursor{last.occurred_at, last.id});
      break;
    }
    page.records.push_back(store::record_of(row->settlement, row->id));
  }
  return page;
}

}  // namespace aimeter::drivers::sqlite
