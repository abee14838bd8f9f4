// The end of a run: everything is well again, nothing is forgotten.
#include <algorithm>
#include <charconv>
#include <limits>

#include "journal/journal.h"
#include "store/codec.h"
#include "tests/sim/world.h"

namespace aimeter::sim {
namespace {

constexpr Instant kStart =
    std::chrono::sys_days(std::chrono::year(2026) / 3 / 10) + std::chrono::hours(12);
// Calls of one key follow each other.
constexpr int kEndingRoundsMax = 40;
// A detached hold was perhaps handed out while the clock was 40 days ahead.
constexpr Duration kHoldsAreOver = std::chrono::days(41);
// An engine that saw a clock step, and be set right, grants nothing for lease_ttl.
constexpr Duration kClockIsBelieved = std::chrono::seconds(31);
constexpr Duration kQuietRound = std::chrono::milliseconds(250);
constexpr int kIdleRounds = 60;  // leases that nobody used for ten seconds go back

// Every settlement that a journal still has is in the store, under the same number.
Status check_journals(base::Files& files, Oracle& oracle) {
  AIMETER_TRY(const std::vector<std::string> names, files.list("/usage.db.aimeter"));
  for (const std::string& name : names) {
    const std::string folder = "/usage.db.aimeter/" + name;
    store::EngineId engine = 0;
    std::from_chars(name.data(), name.data() + name.size(), engine);
    std::uint64_t first_frame = 0;
    store::Seq last = 0;
    const auto visit = [&](const journal::Frame& frame) -> Status {
      if (first_frame == 0) first_frame = frame.number;
      if (!journal::is_numbered(frame.type)) return {};
      AIMETER_TRY(const store::Settlement written, store::decode_settlement(frame.payload));
      last = written.seq;
      if (frame.type != journal::FrameType::settle) return {};
      oracle.check_journalled(store::row_id(engine, written.seq), written);
      return {};
    };
    AIMETER_TRY(const journal::Recovered found, journal::recover(files, folder, visit));
    (void)found;
    // Segments go from the front: without one numbered frame, and without the first frame, what
    // was there is not known.
    if (last != 0 || first_frame == 1) oracle.check_journal_end(engine, last);
  }
  return {};
}

}  // namespace

void World::make_all_well() {
  healing = true;
  trace.line("all is well again");
  server_clock.set_wall(kStart + now);
  for (const auto& machine : machines) {
    machine->clock.set_wall(kStart + now);
    machine->disk.fail_writes_after(-1);
    machine->disk.fail_syncs_after(-1);
    machine->disk.set_free_bytes(std::numeric_limits<std::int64_t>::max());
    machine->disk_fails = false;
  }
  for (const auto& process : processes) {
    if (!process) continue;
    process->paused_until = process->cut_until = Duration{};
  }
  end_failed();
  if (setup.store == StoreKind::sqlite) look_at_store();
  while (!on_the_way_.empty()) arrive_late();
}

// They can only be opened anew.
void World::end_failed() {
  for (std::size_t slot = 0; slot < processes.size(); ++slot) {
    const std::shared_ptr<Process> process = processes[slot];
    if (process && process->failed()) process->kill();
  }
  reap();
}

void World::run_quietly(int rounds) {
  for (int round = 0; round < rounds && !failed(); ++round) {
    for (std::size_t slot = 0; slot < processes.size(); ++slot) {
      const std::shared_ptr<Process> process = processes[slot];
      if (process) process->step_all();
    }
    pass(kQuietRound);
    oracle.check();
  }
}

void World::end_all() {
  for (std::size_t slot = 0; slot < processes.size(); ++slot) {
    if (processes[slot]) close_slot(slot);
  }
  oracle.check();
}

void World::close_slot(std::size_t slot) {
  const std::shared_ptr<Process> process = processes[slot];
  trace.line("process closes", {{"process", static_cast<std::int64_t>(process->number)}});
  oracle.closing(process->engine);
  process->close();
  reap();
}

// Those whose token somebody has are ended, the others expire.
void World::end_detached() {
  if (processes[0] && !failed()) callers.end_tokens(*processes[0]);
  run_quietly(kIdleRounds);
  if (failed() || !oracle.holds_left()) return;
  pass(kHoldsAreOver);
  run_quietly(kIdleRounds);
}

// An engine that hears only now of a sync that failed has leases of wallets until it is gone.
void World::end_wallets() {
  run_quietly(kIdleRounds);
  const auto is_well = [](const auto& process) { return !process || !process->failed(); };
  if (!failed() && processes[0] && std::ranges::all_of(processes, is_well)) {
    callers.check_withdrawals(*processes[0]);
  }
}

void World::heal_and_end() {
  if (failed()) return;
  calm = true;
  make_all_well();
  run_quietly(24);
  for (int round = 0; round < kEndingRoundsMax && callers.running() && !failed(); ++round) {
    callers.release_all();
    run_quietly(4);
  }
  callers.poll_records();
  end_failed();  // some hear only now of a sync that failed
  // Whoever opens next finds what the dead have left; one of each machine does.
  for (std::size_t slot = 0; slot < processes.size() && !failed(); ++slot) {
    if (!processes[slot] || (slot >= machines.size() && !processes[slot]->doubted)) continue;
    close_slot(slot);
  }
  for (std::size_t machine = 0; machine < machines.size() && !failed(); ++machine) {
    open_slot(machine);
  }
  pass(kClockIsBelieved);
  end_detached();
  if (failed()) return;
  if (processes[0]) callers.end_doubts(*processes[0]);
  oracle.check_idle();
  for (std::size_t slot = 0; slot < processes.size() && !failed(); ++slot) {
    if (processes[slot] && !processes[slot]->failed()) callers.check_room(*processes[slot]);
  }
  if (setup.wallets != Wallets::none) end_wallets();
  end_all();
  for (std::size_t machine = 0; machine < machines.size() && !failed(); ++machine) {
    open_slot(machine);
  }
  end_all();
  if (failed()) return;
  oracle.check_end();
  for (const auto& machine : machines) {
    if (const Status checked = check_journals(machine->disk, oracle); !checked) {
      oracle.fail("a journal cannot be read in the end: " + checked.error().message);
    }
  }
}

}  // namespace aimeter::sim
