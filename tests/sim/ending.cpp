// The end of a run: everything is well again, nothing is forgotten.
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
constexpr Duration kQuietRound = std::chrono::milliseconds(250);

// Every settlement that a journal still has is in the store, under the same number.
Status check_journals(base::Files& files, Oracle& oracle) {
  AIMETER_TRY(const std::vector<std::string> names, files.list("/usage.db.aimeter"));
  for (const std::string& name : names) {
    const std::string folder = "/usage.db.aimeter/" + name;
    store::EngineId engine = 0;
    std::from_chars(name.data(), name.data() + name.size(), engine);
    const auto visit = [&](const journal::Frame& frame) -> Status {
      if (frame.type != journal::FrameType::settle) return {};
      AIMETER_TRY(const store::Settlement written, store::decode_settlement(frame.payload));
      oracle.check_journalled(store::row_id(engine, written.seq), written);
      return {};
    };
    AIMETER_TRY(const journal::Recovered found, journal::recover(files, folder, visit));
    (void)found;
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
  for (std::size_t slot = 0; slot < processes.size(); ++slot) {
    const std::shared_ptr<Process> process = processes[slot];
    const bool failed = process && process->ledger->health().journal.has_value();
    if (failed) process->kill();  // it can only be opened anew
  }
  reap();
  while (!on_the_way_.empty()) arrive_late();
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
  // Whoever opens next finds what the dead have left; one of each machine does.
  for (std::size_t slot = 0; slot < processes.size() && !failed(); ++slot) {
    if (!processes[slot] || (slot >= machines.size() && !processes[slot]->doubted)) continue;
    close_slot(slot);
  }
  for (std::size_t machine = 0; machine < machines.size() && !failed(); ++machine) {
    open_slot(machine);
  }
  run_quietly(24);
  for (std::size_t machine = 0; machine < machines.size() && !failed(); ++machine) {
    if (processes[machine]) callers.check_room(*processes[machine]);
  }
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
