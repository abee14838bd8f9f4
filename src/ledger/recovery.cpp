#include "ledger/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>

#include "base/fault.h"
#include "journal/journal.h"
#include "ledger/frames.h"
#include "store/codec.h"

namespace aimeter::ledger {
namespace {

constexpr std::size_t kReplayBatch = 4'096;

// One dead engine's journal on its way into the store.
class Replay {
 public:
  Replay(store::Store& store, store::EngineId engine) : store_(store), engine_(engine) {}

  [[nodiscard]] Status begin() {
    AIMETER_TRY(applied_, store_.last_seq(engine_));
    return {};
  }
  [[nodiscard]] Status visit(const journal::Frame& frame) {
    switch (frame.type) {
      case journal::FrameType::begin: {
        AIMETER_TRY(store::Begin begin, store::decode_begin(frame.payload));
        open_[begin.hold] = std::move(begin);
        return {};
      }
      case journal::FrameType::release: {
        AIMETER_TRY(const Release release, decode_release(frame.payload));
        open_.erase(release.hold);
        return {};
      }
      case journal::FrameType::settle:
      case journal::FrameType::detach: {
        AIMETER_TRY(store::Settlement settlement, store::decode_settlement(frame.payload));
        if (settlement.hold_engine == engine_) open_.erase(settlement.hold);
        newest_ = settlement.seq;
        if (settlement.seq > applied_) batch_.push_back(std::move(settlement));
        return batch_.size() >= kReplayBatch ? flush() : Status{};
      }
      case journal::FrameType::close:
        return {};
    }
    return {};
  }
  // Safe with close_engine(), a commit with full sync; until then the journal is read again.
  [[nodiscard]] Status flush() {
    if (batch_.empty()) return {};
    AIMETER_TRY(const store::Applied done,
                store_.apply({engine_, 0}, applied_, batch_, store::Sync::relaxed));
    applied_ = done.last;
    settlements_ += batch_.size();
    batch_.clear();
    return {};
  }
  [[nodiscard]] std::vector<store::Orphan> orphans() {
    std::vector<store::Orphan> orphans;
    for (auto& [hold, begin] : open_) orphans.push_back({engine_, hold, std::move(begin)});
    return orphans;
  }
  [[nodiscard]] std::uint64_t settlements() const { return settlements_; }
  [[nodiscard]] store::Seq newest() const { return newest_; }

 private:
  store::Store& store_;
  store::EngineId engine_;
  store::Seq applied_ = 0, newest_ = 0;
  std::vector<store::Settlement> batch_;
  std::map<std::uint64_t, store::Begin> open_;
  std::uint64_t settlements_ = 0;
};

std::optional<store::EngineId> engine_of(const std::string& folder) {
  store::EngineId engine = 0;
  const char* end = folder.data() + folder.size();
  const auto parsed = std::from_chars(folder.data(), end, engine);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return engine;
}

// A folder that was carried into the store: up to which seq, and into which store.
struct Drained {
  store::Seq seq = 0;
  std::string store_id = {};  // hex
};

std::string drained_mark(const std::string& folder) { return folder + "/drained"; }

constexpr std::size_t kSeqDigits = 20, kIdDigits = 32;

std::string hex_of(const base::Key16& id) {
  return base::hex({reinterpret_cast<const char*>(id.data()), id.size()});
}

std::optional<Drained> read_drained(base::Files& files, const std::string& folder) {
  const auto file = files.open(drained_mark(folder), base::OpenMode::read);
  if (!file) return std::nullopt;
  const Result<std::string> text = (*file)->read_at(0, kSeqDigits + 1 + kIdDigits);
  if (!text || text->size() != kSeqDigits + 1 + kIdDigits) return std::nullopt;
  const std::optional<store::Seq> seq = engine_of(text->substr(0, kSeqDigits));
  if (!seq) return std::nullopt;
  return Drained{*seq, text->substr(kSeqDigits + 1)};
}

// The mark is safe before anything goes, and goes last: what is left of a folder must still say
// that it was drained.
[[nodiscard]] Status remove_folder(base::Files& files, const std::string& folder) {
  AIMETER_TRY(const std::vector<std::string> names, files.list(folder));
  const std::string mark = drained_mark(folder);
  {
    AIMETER_TRY(const auto marked, files.open(mark, base::OpenMode::read_write));
    AIMETER_CHECK_OK(marked->sync());
  }
  AIMETER_CHECK_OK(files.sync_folder(folder));
  for (const std::string& name : names) {
    const std::string path = folder + "/" + name;
    if (path != mark) AIMETER_CHECK_OK(files.remove(path));
  }
  AIMETER_CHECK_OK(files.sync_folder(folder));
  AIMETER_CHECK_OK(files.remove(mark));
  return files.remove(folder);
}

// The seqs that a journal holds, 0 for none.
struct Kept {
  store::Seq first = 0, last = 0;

  void see(const journal::Frame& frame) {
    if (!journal::is_numbered(frame.type)) return;
    store::Seq seq = 0;
    std::memcpy(&seq, frame.payload.data(), sizeof seq);  // little-endian, as journal.h says
    if (first == 0) first = seq;
    last = seq;
  }
};

}  // namespace

Status write_drained(base::Files& files, const std::string& folder, store::Seq seq,
                     const base::Key16& store_id) {
  AIMETER_TRY(const std::unique_ptr<base::File> file,
              files.open(drained_mark(folder), base::OpenMode::create));
  // Not synced before the folder goes: without it the folder is read once more, and nothing of it
  // is applied.
  return file->write_at(0, fmt::format("{:020} {}\n", seq, hex_of(store_id)));
}

namespace {

class Recovery {
 public:
  Recovery(store::Store& store, base::Files& files, const RecoveryOptions& options,
           const std::function<void(const store::Orphan&)>& on_orphan)
      : store_(store), files_(files), options_(options), on_orphan_(on_orphan) {}

  [[nodiscard]] Result<RecoveredEngines> run() {
    AIMETER_TRY(const std::vector<std::string> names, files_.list(options_.journal_dir));
    std::vector<store::EngineId> engines;
    for (const std::string& name : names) {
      if (const auto engine = engine_of(name)) engines.push_back(*engine);
    }
    std::ranges::sort(engines);
    if (engines.empty()) return done_;
    AIMETER_TRY(states_, store_.engines());
    AIMETER_TRY(store_id_, store_.store_id());
    for (const store::EngineId engine : engines) AIMETER_CHECK_OK(recover_one(engine));
    return done_;
  }

 private:
  [[nodiscard]] const store::EngineState* state_of(store::EngineId engine) const {
    const auto at = std::ranges::find(states_, engine,
                                      [](const store::EngineState& s) { return s.ref.engine; });
    return at == states_.end() ? nullptr : &*at;
  }

  [[nodiscard]] Status recover_one(store::EngineId engine) {
    const std::string folder = fmt::format("{}/{}", options_.journal_dir, engine);
    AIMETER_TRY(const bool begun, journal::is_begun(files_, folder));
    if (!begun) return {};
    Result<std::unique_ptr<base::FileLock>> locked = journal::try_lock_folder(files_, folder);
    // Another process opens as well, and has removed a folder that was old.
    if (!locked && locked.error().code == Code::not_found) return {};
    AIMETER_TRY(const std::unique_ptr<base::FileLock> lock, std::move(locked));
    if (lock == nullptr) return {};  // alive: leave it alone
    const store::EngineState* state = state_of(engine);
    const std::optional<Drained> drained = read_drained(files_, folder);
    if (drained && drained->store_id != hex_of(store_id_)) return another_store(folder);
    if (state != nullptr && drained && state->closed_at && state->last_seq >= drained->seq) {
      const bool old = store_.now() - *state->closed_at >= options_.keep;
      if (old) (void)remove_folder(files_, folder);  // not now: whoever opens next tries again
      return {};
    }
    // Everything is read once before anything is applied: damage changes nothing.
    Kept kept;
    AIMETER_TRY(const journal::Recovered found,
                journal::recover(files_, folder, [&](const journal::Frame& frame) {
                  kept.see(frame);
                  return Status{};
                }));
    if (found.engine == 0 && !drained) return {};  // no segment was ever written
    if (found.engine != 0 && found.store_id != store_id_) return another_store(folder);
    AIMETER_CHECK_OK(check_reach({engine, state != nullptr ? state->last_seq : 0},
                                 drained ? drained->seq : 0, kept, folder));
    if (state == nullptr) {
      // The store was restored from a backup that is older than this engine.
      const store::EngineCard card{.journal = options_.journal_dir, .number = engine};
      if (const auto known = store_.open_engine(card); !known) {
        return std::unexpected(known.error());
      }
    }
    return replay(engine, folder);
  }

  struct InStore {
    store::EngineId engine = 0;
    store::Seq last = 0;
  };
  // That the journal reaches from what the store has to what it is known to have had.
  [[nodiscard]] static Status check_reach(InStore there, store::Seq drained, const Kept& kept,
                                          const std::string& folder) {
    store::Seq missing_from = 0, missing_to = 0;
    const store::Seq known = std::max(there.last, kept.last);
    if (kept.first > there.last + 1) {
      missing_from = there.last + 1;
      missing_to = kept.first - 1;
    } else if (drained > known) {
      missing_from = known + 1;
      missing_to = drained;
    }
    if (missing_from == 0) return {};
    return fail(Code::failed_precondition,
                fmt::format("{}: the store has the settlements of engine {} up to {}, and {} to {} "
                            "({} of them) are not in this journal any more: restore a newer "
                            "backup, or move the folder away and lose what it holds",
                            folder, there.engine, there.last, missing_from, missing_to,
                            missing_to - missing_from + 1));
  }

  [[nodiscard]] static Status another_store(const std::string& folder) {
    return fail(Code::failed_precondition,
                fmt::format("{}: this journal belongs to another store; move the folder away, or "
                            "open the store that it belongs to",
                            folder));
  }

  [[nodiscard]] Status replay(store::EngineId engine, const std::string& folder) {
    Replay replay(store_, engine);
    AIMETER_CHECK_OK(replay.begin());
    AIMETER_CHECK_OK(journal::recover(
        files_, folder, [&](const journal::Frame& frame) { return replay.visit(frame); }));
    AIMETER_CHECK_OK(replay.flush());
    std::vector<store::Orphan> orphans = replay.orphans();
    if (!orphans.empty()) {
      AIMETER_CHECK_OK(store_.change({store::PutOrphans{orphans}, "recovery"}));
    }
    AIMETER_FAULT_POINT("ledger.recovery_applied");
    AIMETER_CHECK_OK(store_.close_engine(engine));
    AIMETER_FAULT_POINT("ledger.recovery_closed");
    AIMETER_CHECK_OK(write_drained(files_, folder, replay.newest(), store_id_));
    if (on_orphan_) {
      for (const store::Orphan& orphan : orphans) on_orphan_(orphan);
    }
    ++done_.engines;
    done_.settlements += replay.settlements();
    done_.orphans += orphans.size();
    return {};
  }

  store::Store& store_;
  base::Files& files_;
  const RecoveryOptions& options_;
  const std::function<void(const store::Orphan&)>& on_orphan_;
  std::vector<store::EngineState> states_;
  base::Key16 store_id_ = {};
  RecoveredEngines done_;
};

}  // namespace

Result<RecoveredEngines> recover_engines(
    store::Store& store, base::Files& files, const RecoveryOptions& options,
    const std::function<void(const store::Orphan&)>& on_orphan) {
  if (options.journal_dir.empty()) return RecoveredEngines{};
  return Recovery(store, files, options, on_orphan).run();
}

}  // namespace aimeter::ledger
