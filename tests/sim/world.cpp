#include "tests/sim/world.h"

#include <algorithm>
#include <limits>
#include <set>

#include "drivers/builtin.h"
#include "journal/journal.h"
#include "store/codec.h"

namespace aimeter::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kStart = std::chrono::sys_days(std::chrono::year(2026) / 3 / 10) + hours(12);
constexpr std::size_t kSlots = 4;
constexpr Duration kLeaseTtl = seconds(30), kHoldTtl = seconds(60);

}  // namespace

World::World(const Setup& given)
    : setup(given),
      trace(given.text),
      dice(given.seed),
      remote(dice.chance(600) && given.store == StoreKind::memory),
      server_clock(kStart),
      oracle({.store = store,
              .now = now,
              .lease_ttl = kLeaseTtl,
              .hold_ttl = kHoldTtl,
              .wallets = given.wallets}),
      callers(*this) {
  const std::size_t count = remote ? 2 + dice.below(2) : 1;
  for (std::size_t i = 0; i < count; ++i) machines.push_back(std::make_unique<Machine>(kStart));
  look_at_store();
  processes.resize(kSlots);
  callers.prepare();
  trace.line("a world", {{"machines", static_cast<std::int64_t>(count)},
                         {"remote", static_cast<std::int64_t>(remote)},
                         {"wallets", static_cast<std::int64_t>(setup.wallets)}});
}

void World::look_at_store() {
  if (setup.store == StoreKind::memory) {
    store = store::make_memory_store(remote ? static_cast<Clock&>(server_clock) : wall_of(0));
    return;
  }
  store.reset();
  onlooker = std::make_unique<disk::Process>(machines[0]->sqlite);
  auto opened = drivers::open_store(kStoreUrl, {.clock = &wall_of(0), .disk = onlooker->disk()});
  AIMETER_ASSERT(opened.has_value());
  store = *std::move(opened);
}

// A sync that fails, also that of another process, is told to everybody who has the log open.
bool World::operator_opens_again() {
  if (setup.store != StoreKind::sqlite || !machines[0]->disk_has_failed) return false;
  if (!machines[0]->disk_fails) look_at_store();
  return true;
}

World::~World() {
  for (auto& process : processes) {
    if (process) process->kill();
  }
  reap();
}

void World::perform(std::size_t number, const Step& step) {
  trace.begin_step(number);
  dice = Dice(step.seed);
  calm = step.calm;
  ++steps_done_;
  do_deed(step.deed);
  if (!on_the_way_.empty() && dice.chance(200)) arrive_late();
  reap();
  check_step();
}

void World::do_deed(Deed deed) {
  switch (deed) {
    case Deed::work:
      if (Process* const process = any_process({})) process->step(dice);
      return;
    case Deed::call:
      return callers.begin_call();
    case Deed::finish:
      return callers.finish();
    case Deed::record:
      return callers.record();
    case Deed::adjust:
      return callers.adjust();
    case Deed::detach:
      return callers.detach();
    case Deed::token:
      return callers.use_token();
    case Deed::retry:
      return callers.retry();
    case Deed::tick:
      return let_time_pass();
    case Deed::open:
      return open_one();
    case Deed::close:
      return close_one();
    case Deed::kill:
      return kill_one();
    case Deed::power:
      return power_loss();
    case Deed::pause:
      return pause_one();
    case Deed::cut:
      return cut_one();
    case Deed::wall:
      return jump_wall();
    case Deed::limit:
      return callers.change_limit();
    case Deed::terms_change:
      return callers.change_terms();
    case Deed::disk:
      return change_disk();
    case Deed::money:
      return callers.move_money();
  }
}

// ---------------------------------------------------------------- time

void World::pass(Duration time) {
  now += time;
  server_clock.advance(time);
  for (const auto& machine : machines) machine->clock.advance(time);
}

void World::let_time_pass() {
  const std::size_t how = dice.below(100);
  Duration time = milliseconds(dice.between(1, 300));
  if (how >= 60) time = milliseconds(dice.between(500, 3'000));
  if (how >= 85) time = milliseconds(dice.between(5'000, 20'000));
  if (how >= 96) time = milliseconds(dice.between(29'000, 40'000));
  if (how >= 99) time = milliseconds(dice.between(85'000, 200'000));
  trace.line("time passes", {{"us", time.count()}});
  pass(time);
}

void World::jump_wall() {
  const bool server = remote && dice.chance(300);
  time::ManualClock& clock = server ? server_clock : machines[dice.below(machines.size())]->clock;
  constexpr Duration kJumps[] = {hours(1),    -hours(1),   hours(24 * 40), -hours(24 * 40),
                                 seconds(3),  -seconds(3), seconds(1),     -seconds(1),
                                 Duration(0), Duration(0), Duration(0),    Duration(0)};
  const Duration off = kJumps[dice.below(std::size(kJumps))];
  trace.line("wall clock jumps",
             {{"server", static_cast<std::int64_t>(server)}, {"us", off.count()}});
  clock.set_wall(kStart + now + off);
}

// ---------------------------------------------------------------- processes

Process* World::any_process(const std::function<bool(const Process&)>& good) {
  std::vector<Process*> found;
  for (const auto& process : processes) {
    if (process && process->awake() && (!good || good(*process))) found.push_back(process.get());
  }
  return found.empty() ? nullptr : found[dice.below(found.size())];
}

void World::open_one() {
  std::vector<std::size_t> free;
  for (std::size_t slot = 0; slot < processes.size(); ++slot) {
    if (!processes[slot]) free.push_back(slot);
  }
  if (free.empty()) {  // one that cannot write any more is opened anew
    Process* const failed =
        any_process([](const Process& process) { return process.idle() && process.failed(); });
    if (failed != nullptr) failed->kill();
    return;
  }
  open_slot(free[dice.below(free.size())]);
}

void World::open_slot(std::size_t slot) {
  const auto process = std::make_shared<Process>(*this, slot, next_process_++);
  processes[slot] = process;
  trace.line("a process opens", {{"process", static_cast<std::int64_t>(process->number)},
                                 {"slot", static_cast<std::int64_t>(slot)}});
  const bool disk_failed = machines[process->machine]->disk_fails;
  const Status opened = process->open();
  if (opened) {
    trace.line("engine", {{"number", static_cast<std::int64_t>(process->engine)},
                          {"durability", static_cast<std::int64_t>(process->options.durability)}});
    oracle.opened(process->engine);
    machines[process->machine]->engines.push_back(process->engine);
    return;
  }
  trace.line("not opened", {{"code", static_cast<std::int64_t>(opened.error().code)}});
  const Code code = opened.error().code;
  const bool disk_fails = disk_failed || machines[process->machine]->disk_fails;
  const bool fair = code == Code::unavailable || code == Code::in_doubt ||
                    (code == Code::corrupt && disk_fails) || code == Code::conflict;
  if (!fair) oracle.fail("an engine does not open: " + opened.error().message);
  process->kill();
}

void World::close_one() {
  Process* const process = any_process([](const Process& one) { return one.idle(); });
  if (process == nullptr) return;
  close_slot(process->slot);
}

void World::kill_one() {
  if (Process* const process = any_process({})) process->kill();
}

void World::power_loss() { power_loss_of(dice.below(machines.size())); }

void World::power_loss_of(std::size_t machine) {
  trace.line("power loss", {{"machine", static_cast<std::int64_t>(machine)}});
  std::set<store::EngineId> running;
  for (std::size_t slot = 0; slot < processes.size(); ++slot) {
    const std::shared_ptr<Process> process = processes[slot];
    if (!process || process->machine != machine) continue;
    running.insert(process->engine);
    process->kill();
  }
  for (const store::EngineId engine : machines[machine]->engines) {
    const auto was = running.contains(engine) ? Oracle::Was::running : Oracle::Was::dead;
    oracle.lost_power(engine, was);
  }
  base::MemoryFiles& disk = machines[machine]->disk;
  switch (dice.below(3)) {
    case 0:
      disk.crash();
      break;
    case 1:
      disk.crash(dice.below(3'000));
      break;
    default: {
      Dice sectors(dice.next());
      disk.crash_keeping_sectors([&](std::uint64_t) { return sectors.chance(500); });
      break;
    }
  }
  disk.fail_writes_after(-1);
  disk.fail_syncs_after(-1);
  disk.set_free_bytes(std::numeric_limits<std::int64_t>::max());
  machines[machine]->disk_fails = false;
  if (setup.store != StoreKind::sqlite) return;
  look_at_store();
  oracle.store_lost_power(machines[machine]->engines);
}

// Its boot clock goes on while it sleeps. A store on it sleeps as well: time just passes.
void World::suspend_one() {
  const std::size_t machine = dice.below(machines.size());
  const Duration time = seconds(dice.between(20, 7'200));
  trace.line("a machine sleeps",
             {{"machine", static_cast<std::int64_t>(machine)}, {"us", time.count()}});
  if (!remote) return pass(time);
  for (const auto& process : processes) {
    if (process && process->machine == machine) process->paused_until = now + time;
  }
}

void World::pause_one() {
  if (dice.chance(200)) return suspend_one();
  Process* const process = any_process({});
  if (process == nullptr) return;
  const Duration time = milliseconds(dice.between(1'000, 200'000));
  process->paused_until = now + time;
  trace.line("process stops",
             {{"process", static_cast<std::int64_t>(process->number)}, {"us", time.count()}});
}

void World::cut_one() {
  Process* const process = any_process({});
  if (process == nullptr) return;
  const Duration time = milliseconds(dice.between(100, dice.chance(200) ? 200'000 : 8'000));
  process->cut_until = now + time;
  trace.line("store cut off",
             {{"process", static_cast<std::int64_t>(process->number)}, {"us", time.count()}});
}

void World::change_disk() {
  Machine& machine = *machines[dice.below(machines.size())];
  const bool was_well = !machine.disk_fails;
  machine.disk.fail_writes_after(-1);
  machine.disk.fail_syncs_after(-1);
  machine.disk.set_free_bytes(std::numeric_limits<std::int64_t>::max());
  machine.disk_fails = was_well;
  machine.disk_has_failed |= was_well;
  trace.line("disk", {{"fails", static_cast<std::int64_t>(was_well)}});
  if (!was_well) {
    if (setup.store == StoreKind::sqlite) look_at_store();  // the operator's saw it fail
    return;
  }
  const int good = static_cast<int>(dice.below(6));
  switch (dice.below(3)) {
    case 0:
      return machine.disk.fail_writes_after(good);
    case 1:
      return machine.disk.fail_syncs_after(good);
    default:
      return machine.disk.set_free_bytes(dice.below(20'000));
  }
}

void World::reap() {
  for (std::size_t i = 0; i < dying.size();) {
    if (!dying[i]->idle()) {
      ++i;
      continue;
    }
    const std::shared_ptr<Process> process = dying[i];
    dying.erase(dying.begin() + static_cast<std::ptrdiff_t>(i));
    process->reap();
  }
}

// ---------------------------------------------------------------- the network

void World::run_others() {
  ++depth_;
  trace.enter();
  const std::size_t count = 1 + dice.below(6);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t what = dice.below(100);
    if (what < 55) {
      if (Process* const process = any_process({})) process->step(dice);
    } else if (what < 68) {
      callers.finish();
    } else if (what < 76) {
      const bool money = setup.wallets != Wallets::none && dice.chance(300);
      if (money) {
        callers.move_money();
      } else {
        callers.begin_call();
      }
    } else if (what < 78) {
      callers.detach();
    } else if (what < 80) {
      callers.use_token();
    } else if (what < 95) {
      let_time_pass();
    } else if (what < 98) {
      kill_one();
    } else if (what < 99) {
      power_loss();
    } else {
      open_one();
    }
  }
  trace.leave();
  --depth_;
}

void World::arrive_late() {
  const std::function<void()> arrives = std::move(on_the_way_.front());
  on_the_way_.pop_front();
  trace.line("a late call arrives");
  oracle.arriving(true);
  arrives();
  oracle.arriving(false);
}

// ---------------------------------------------------------------- what must be true

void World::check_step() {
  oracle.check();
  if (steps_done_ % setup.verify_every == 0) oracle.verify();
}

}  // namespace aimeter::sim
