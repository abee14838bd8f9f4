#include "ledger/lost_journal.h"

#include <fmt/format.h>

#include <algorithm>

namespace aimeter::ledger {
namespace {

[[nodiscard]] Result<bool> has_segments(base::Files& files, const std::string& folder) {
  AIMETER_TRY(const std::vector<std::string> names, files.list(folder));
  return std::ranges::any_of(names, [](const std::string& name) { return name.ends_with(".seg"); });
}

}  // namespace

Result<std::vector<LostJournal>> lost_journals(const store::Store& store, base::Files& files,
                                               const LostOptions& options) {
  std::vector<LostJournal> lost;
  AIMETER_TRY(std::vector<store::EngineState> engines, store.engines());
  const Instant now = store.now();
  for (store::EngineState& engine : engines) {
    if (engine.closed_at || engine.card.journal.empty()) continue;
    const bool running = now - engine.renewed_at <= options.lease_ttl;
    if (running && engine.last_seq == 0) continue;  // its folder is made after its number
    // Where it said, and where we look: the whole may have been moved.
    const std::string said = fmt::format("{}/{}", engine.card.journal, engine.ref.engine);
    const std::string ours = fmt::format("{}/{}", options.journal_dir, engine.ref.engine);
    AIMETER_TRY(const bool there, has_segments(files, said));
    AIMETER_TRY(const bool here, has_segments(files, ours));
    if (!there && !here) lost.push_back({std::move(engine), said, running});
  }
  return lost;
}

std::string words_of(const LostJournal& lost) {
  const store::EngineState& engine = lost.engine;
  const std::string until = engine.last_seq == 0
                                ? "the store has no settlement of it"
                                : fmt::format("the store has its settlements up to {}, applied {}",
                                              engine.last_seq, text_of(engine.applied_at));
  return fmt::format(
      "the journal of engine {} is gone from {}: {}; what it acknowledged after that, until it "
      "was last heard of {}, may be missing{}",
      engine.ref.engine, lost.folder, until, text_of(engine.renewed_at),
      lost.running ? "; it still runs, and what it takes now is not safe: restart it" : "");
}

}  // namespace aimeter::ledger
