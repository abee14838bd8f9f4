#include "ledger/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

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
  [[nodiscard]] Status flush() {
    if (batch_.empty()) return {};
    AIMETER_TRY(const store::Applied done,
                store_.apply({engine_, 0}, applied_, batch_, store::Sync::full));
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

[[nodiscard]] Status remove_folder(base::Files& files, const std::string& folder) {
  AIMETER_TRY(const std::vector<std::string> names, files.list(folder));
  for (const std::string& name : names) AIMETER_CHECK_OK(files.remove(folder + "/" + name));
  return files.remove(folder);
}

}  // namespace

static std::string drained_mark(const std::string& folder) { return folder + "/drained"; }

Status write_drained(base::Files& files, const std::string& folder, store::Seq seq) {
  AIMETER_TRY(const std::unique_ptr<base::File> file,
              files.open(drained_mark(folder), base::OpenMode::create));
  const std::string text = fmt::format("{:020}\n", seq);
  AIMETER_CHECK_OK(file->write_at(0, text));
  return file->sync();
}

namespace {

// The seq up to which a folder was carried into the store, or nothing.
std::optional<store::Seq> drained_seq(base::Files& files, const std::string& folder) {
  const auto file = files.open(drained_mark(folder), base::OpenMode::read);
  if (!file) return std::nullopt;
  constexpr std::size_t kDigits = 20;
  const Result<std::string> text = (*file)->read_at(0, kDigits);
  if (!text || text->size() != kDigits) return std::nullopt;
  return engine_of(*text);
}

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
    AIMETER_TRY(const std::unique_ptr<base::FileLock> lock,
                journal::try_lock_folder(files_, folder));
    if (lock == nullptr) return {};  // alive: leave it alone
    const store::EngineState* state = state_of(engine);
    const std::optional<store::Seq> drained = drained_seq(files_, folder);
    if (state != nullptr && drained && state->closed_at && state->last_seq >= *drained) {
      const bool old = store_.now() - *state->closed_at >= options_.keep;
      return old ? remove_folder(files_, folder) : Status{};
    }
    if (state == nullptr) {
      return fail(
          Code::failed_precondition,
          fmt::format("{}: the store does not know engine {}; it was restored from an older "
                      "backup or the journal belongs to another store",
                      folder, engine));
    }
    return replay(engine, folder);
  }

  [[nodiscard]] Status replay(store::EngineId engine, const std::string& folder) {
    Replay replay(store_, engine);
    AIMETER_CHECK_OK(replay.begin());
    AIMETER_TRY(const journal::Recovered recovered,
                journal::recover(files_, folder,
                                 [&](const journal::Frame& frame) { return replay.visit(frame); }));
    AIMETER_CHECK_OK(replay.flush());
    std::vector<store::Orphan> orphans = replay.orphans();
    if (!orphans.empty()) {
      AIMETER_CHECK_OK(store_.change({store::PutOrphans{orphans}, "recovery"}));
    }
    AIMETER_CHECK_OK(store_.close_engine(engine));
    AIMETER_CHECK_OK(write_drained(files_, folder, replay.newest()));
    if (on_orphan_) {
      for (const store::Orphan& orphan : orphans) on_orphan_(orphan);
    }
    ++done_.engines;
    done_.settlements += replay.settlements();
    done_.orphans += orphans.size();
    (void)recovered;
    return {};
  }

  store::Store& store_;
  base::Files& files_;
  const RecoveryOptions& options_;
  const std::function<void(const store::Orphan&)>& on_orphan_;
  std::vector<store::EngineState> states_;
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
