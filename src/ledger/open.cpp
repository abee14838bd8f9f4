// Opening and closing: dead engines first, then our own number, journal and workers.
#include <fmt/format.h>

#include "ledger/engine_ledger.h"
#include "ledger/recovery.h"

namespace aimeter::ledger {
namespace {

// What was settled meanwhile goes into one transaction. Who waits for the store wakes it.
constexpr Duration kProjectorIdle = std::chrono::milliseconds(100);
// Begin and release frames do not wake the writer: they go with the next group, or after this.
constexpr Duration kWriterIdle = std::chrono::milliseconds(1);
constexpr Duration kCloseWait = std::chrono::seconds(30);

[[nodiscard]] Status check_options(const Options& options) {
  if (options.journal_dir.empty() && options.durability != Durability::memory) {
    return fail(Code::invalid_argument,
                "storage.durability: a store without a journal knows only memory");
  }
  if (options.lease_ttl < 2 * options.heartbeat) {
    return fail(Code::invalid_argument, "lease_ttl: it must be at least two heartbeats");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(const Deps& deps, Options options, Sinks sinks) {
  AIMETER_CHECK_OK(check_options(options));
  auto ledger = std::make_unique<EngineLedger>(deps, std::move(options), std::move(sinks));
  AIMETER_CHECK_OK(ledger->start());
  return ledger;
}

Status EngineLedger::prepare_folder() {
  if (options_.journal_dir.empty()) return {};
  AIMETER_CHECK_OK(deps_.files.make_folder(options_.journal_dir));
  AIMETER_TRY(const bool network, deps_.files.is_network(options_.journal_dir));
  if (!network) return {};
  return fail(Code::failed_precondition,
              options_.journal_dir +
                  ": a journal must not be on a network file system (its locks and syncs are not "
                  "to be trusted there); set journal.dir to a local folder");
}

Status EngineLedger::start() {
  AIMETER_CHECK_OK(prepare_folder());
  const RecoveryOptions recovery{.journal_dir = options_.journal_dir,
                                 .keep = options_.keep_segments};
  AIMETER_CHECK_OK(recover_engines(deps_.store, deps_.files, recovery, sinks_.orphan));
  // The card names the journal's parent: an engine's own folder is its number.
  AIMETER_TRY(const store::EngineRef ref,
              deps_.store.open_engine({.host = options_.host, .journal = options_.journal_dir}));
  engine_ = ref.engine;
  epoch_.store(ref.epoch);
  book_.new_epoch(ref.epoch);
  AIMETER_TRY(const std::uint64_t catalogue, deps_.store.catalogue());
  catalogue_.store(catalogue);
  AIMETER_CHECK_OK(read_hold_keys());
  if (!options_.journal_dir.empty()) {
    AIMETER_TRY(store_id_, deps_.store.store_id());
    folder_ = fmt::format("{}/{}", options_.journal_dir, engine_);
    AIMETER_TRY(journal_,
                journal::create(deps_.files, {.folder = folder_,
                                              .engine = engine_,
                                              .store_id = store_id_,
                                              .segment_bytes = options_.segment_bytes,
                                              .sync = options_.durability == Durability::journal}));
    deps_.workers.start("aim-journal", writer_, kWriterIdle);
  }
  settled_from_ = deps_.clock.boot() + options_.lease_ttl;
  heartbeat();
  deps_.workers.start("aim-project", projector_, kProjectorIdle);
  deps_.workers.start("aim-control", control_, options_.heartbeat / 4);
  started_ = true;
  return {};
}

EngineLedger::~EngineLedger() {
  if (!started_) return;
  if (born_.forked()) {  // the parent's threads are not here, its files are not ours
    (void)journal_.release();
    return;
  }
  deps_.workers.stop(control_);
  for (Request& request : queue_) parked_.push_back(std::move(request));
  for (Request& request : parked_) {
    request.done(fail(Code::unavailable, "the engine closes"));
  }
  const Duration until = deps_.clock.boot() + kCloseWait;
  const auto failed = [this] { return journal_ != nullptr && journal_->failed(); };
  while (!failed() && !drain() && deps_.clock.boot() < until) continue;
  deps_.workers.stop(projector_);
  if (journal_ != nullptr) {
    deps_.workers.stop(writer_);
    run_done(~std::uint64_t{0});
  }
  const store::Seq newest = tail_.newest();
  const bool drained = applied_.passed() >= newest;
  // What is not drained, or fails below, is recovered by whoever opens the store next.
  if (drained && running_.load() == 0) {
    (void)close_cleanly(newest);
  }
}

void EngineLedger::abandon() {
  deps_.workers.stop(control_);
  deps_.workers.stop(projector_);
  if (journal_ != nullptr) deps_.workers.stop(writer_);
  started_ = false;
}

Status EngineLedger::close_cleanly(store::Seq newest) {
  if (journal_ != nullptr) AIMETER_CHECK_OK(journal_->close());
  AIMETER_CHECK_OK(deps_.store.close_engine(engine_));
  if (journal_ != nullptr) AIMETER_CHECK_OK(write_drained(deps_.files, folder_, newest, store_id_));
  return {};
}

}  // namespace aimeter::ledger
