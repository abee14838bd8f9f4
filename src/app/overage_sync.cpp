#include "app/overage_sync.h"

#include <algorithm>

namespace aimeter::app {
namespace {

using store::BatchRow;
using How = store::EndBatch::How;

constexpr std::string_view kActor = "overage sync";
constexpr int kAttemptsInOneRun = 2;  // one that is found to have charged nothing, and the next

// The newest contract of the account that knows the billing service.
std::optional<Subscription> known_there(const store::AccountState& state) {
  std::optional<Subscription> newest;
  for (const Subscription& one : state.contract.subscriptions) {
    const auto id = one.meta.find("stripe_customer_id");
    if (id == one.meta.end() || id->second.empty()) continue;
    if (!newest || newest->started_at <= one.started_at) newest = one;
  }
  return newest;
}

How how_of(const Error& error, const OverageBatch& batch) {
  switch (error.code) {
    case Code::in_doubt:
    case Code::conflict:  // somebody used this key: until it is looked up, it may have charged
      return How::doubtful;
    case Code::unavailable:
    case Code::rate_limited:
      return batch.sent_at ? How::doubtful : How::untouched;
    default:
      return How::refused;
  }
}

bool stops_all(Code code) {
  return code == Code::unauthenticated || code == Code::permission_denied;
}

class Run {
 public:
  Run(store::Store& store, BillingDriver& driver, const SyncOptions& options)
      : store_(store), driver_(driver), options_(options) {}

  Result<SyncReport> run() {
    AIMETER_CHECK_OK(freeze());
    AIMETER_TRY(std::vector<BatchRow> rows,
                store_.overage_batches({.tenant = options_.tenant, .to_send_only = true}));
    const std::size_t sent = std::min(rows.size(), options_.limit);
    report_.waiting = static_cast<std::int64_t>(rows.size() - sent);
    rows.resize(sent);
    std::int64_t done = 0;
    for (const BatchRow& row : rows) {
      if (options_.progress && !options_.progress(done, static_cast<std::int64_t>(sent))) {
        report_.interrupted = true;
        break;
      }
      AIMETER_CHECK_OK(send(row));
      ++done;
      if (!report_.failures.empty() && stops_all(report_.failures.back().error.code)) break;
    }
    if (options_.progress) options_.progress(done, static_cast<std::int64_t>(sent));
    report_.waiting += static_cast<std::int64_t>(sent) - done;
    return std::move(report_);
  }

 private:
  Status freeze() {
    for (;;) {
      AIMETER_TRY(const store::Changed changed,
                  change(store::FreezeOverages{.tenant = options_.tenant, .by = options_.by}));
      report_.frozen += changed.rows;
      if (!changed.more) return {};
    }
  }

  Result<store::Changed> change(store::ChangeBody body) {
    return store_.change({.body = std::move(body), .actor = std::string(kActor)});
  }

  Result<Meta> ids_for(const Account& account) {
    AIMETER_TRY(const store::AccountState state, store_.load_account(account, store_.now()));
    if (const auto known = known_there(state)) return known->meta;
    if (options_.ids == SyncOptions::Ids::stored) return Meta{};
    AIMETER_TRY(Meta ids, driver_.ids_of(account));
    if (!ids.empty()) AIMETER_CHECK_OK(change(store::PutBillingIds{account, ids}));
    return ids;
  }

  Status send(const BatchRow& row) {
    for (int attempt = 0; attempt < kAttemptsInOneRun; ++attempt) {
      Result<Meta> ids = ids_for(row.batch.account);
      if (!ids) return note(row, ids.error());
      const Result<store::Changed> claimed =
          change(store::ClaimBatch{row.batch.id, options_.sender, *std::move(ids)});
      if (!claimed) {
        if (claimed.error().code != Code::failed_precondition)
          return std::unexpected(claimed.error());
        return {};  // somebody else was quicker: it is theirs
      }
      const OverageBatch& batch = claimed->batches.at(0).batch;
      const Result<Receipt> receipt = driver_.charge_overage(batch.account, batch);
      store::EndBatch ended{.id = batch.id, .sender = options_.sender, .attempt = batch.attempt};
      if (receipt) {
        ended.text = receipt->id;
        AIMETER_CHECK_OK(change(ended));
        report_.charged += 1;
        report_.units[batch.amount.currency] += batch.units;
        return {};
      }
      ended.how = how_of(receipt.error(), batch);
      ended.text = receipt.error().message;
      AIMETER_CHECK_OK(change(ended));
      const bool looked_up = ended.how == How::refused && batch.sent_at.has_value() &&
                             receipt.error().code == Code::not_found;
      if (!looked_up) return note(row, receipt.error());
    }
    return {};
  }

  Status note(const BatchRow& row, const Error& error) {
    report_.failures.push_back({row.batch.id, row.batch.account, error});
    return {};
  }

  store::Store& store_;
  BillingDriver& driver_;
  const SyncOptions& options_;
  SyncReport report_;
};

}  // namespace

Result<SyncReport> sync_overages(store::Store& store, BillingDriver& driver,
                                 const SyncOptions& options) {
  if (options.sender.empty()) return bad_input("sender", "", "a name of this run");
  return Run(store, driver, options).run();
}

Result<std::vector<BatchRow>> batches_to_come(const store::Store& store,
                                              const store::OverageFilter& filter,
                                              store::FreezeOverages::By by) {
  std::map<store::Cell, store::CellSums> cells;
  store::OverageFilter open = filter;
  open.open_only = true;
  std::string cursor;
  do {
    AIMETER_TRY(const store::OveragePage page, store.overages(open, cursor, kPageMax));
    for (const store::OverageLine& line : page.lines) add(cells[cell_of(line)], line);
    cursor = page.next;
  } while (!cursor.empty());
  AIMETER_TRY(const std::vector<BatchRow> before,
              store.overage_batches({.tenant = filter.tenant, .billable = filter.billable}));
  for (const BatchRow& row : before) {
    const auto cell = cells.find(cell_of(row));
    if (cell != cells.end()) add(cell->second, row);
  }
  AIMETER_TRY(const base::Key16 id, store.store_id());
  std::vector<BatchRow> to_come;
  for (const auto& [cell, sums] : cells) {
    AIMETER_TRY(std::optional<BatchRow> next, store::next_batch(cell, sums, by, id));
    if (next) to_come.push_back(*std::move(next));
  }
  return to_come;
}

}  // namespace aimeter::app
