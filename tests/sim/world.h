// Package:       sim
// Units:         true time as a Duration since the world began; wall clocks may say otherwise.
// Errors:        none: what is wrong goes to the Oracle.
// Thread safety: none: one thread does everything.
// Ownership:     owns machines, store, processes, callers and oracle.
//
// Machines with a disk and a clock, processes with an engine each, one store, callers, and an
// operator. perform() does one step of a history; everything else follows from it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/memory_files.h"
#include "ledger/engine_ledger.h"
#include "tests/disk/machine.h"
#include "tests/sim/callers.h"
#include "tests/sim/dice.h"
#include "tests/sim/history.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"
#include "tests/sim/process_files.h"
#include "tests/sim/step_choice.h"
#include "tests/sim/trace.h"
#include "time/manual_clock.h"

namespace aimeter::sim {

class World;

constexpr const char* kStoreUrl = "sqlite:/usage.db";

struct Machine {
  base::MemoryFiles disk;
  disk::Machine sqlite{disk};  // what connections to files on that disk share
  time::ManualClock clock;
  bool disk_fails = false, disk_has_failed = false;  // now, ever
  std::vector<store::EngineId> engines = {};         // that ever ran here
  explicit Machine(Instant wall) : clock(wall) {}
};

// One process: an engine, its workers, its way to the store.
class Process final : public Line, public std::enable_shared_from_this<Process> {
 public:
  Process(World& world, std::size_t slot, std::uint64_t number);
  ~Process() override;

  [[nodiscard]] Fate fate(Kind kind) override;
  void meanwhile() override;
  [[nodiscard]] bool gone() const override { return gone_; }
  void later(std::function<void()> arrives) override;
  void applied_there() override;
  void leased_there(std::span<const store::LeaseAsk> asks,
                    std::span<const store::LeaseGrant> grants) override;
  [[nodiscard]] Duration sending() override;
  void renewed_there(store::EngineId engine) override;
  void taken_back(int engines) override;
  void renewed_here(Duration sent) override { renewed_sent = sent; }
  void store_is_corrupt() override { corrupt_ = true; }

  // Opens the engine. Error: nothing is open.
  [[nodiscard]] Status open();
  void kill();   // its memory is gone at once; reap() when no frame of it runs
  void close();  // clean
  [[nodiscard]] bool awake() const;
  // Runs `work` as code of this process. `lane`: it may take the engine's lane, so nothing else
  // that may do so runs meanwhile.
  enum class Lane : std::uint8_t { free, taken };
  void run(Lane lane, const std::function<void()>& work);
  [[nodiscard]] bool lane_free() const { return lanes_ == 0; }
  [[nodiscard]] bool idle() const { return frames_ == 0; }
  // It grants nothing any more until it is opened anew.
  [[nodiscard]] bool failed() const;
  // One step of one worker, by choice; false: none may step.
  bool step(Dice& dice);
  void step_all();  // each once
  void reap();

  World& world;
  const std::size_t slot, machine;
  const std::uint64_t number;  // of this process among all
  ledger::Options options;
  ProcessFiles files;
  std::unique_ptr<disk::Process> connections;  // to the file of the store, where that is SQLite's
  std::unique_ptr<store::Store> own_store;     // likewise
  StepChoice workers;
  Network network;
  ledger::Ledger* ledger = nullptr;  // as long as it runs, also while it closes
  store::EngineId engine = 0;
  Duration paused_until = {}, cut_until = {};
  Duration renewed_sent = -std::chrono::hours(1);
  bool serving = false;
  bool doubted = false;  // a write of it got no answer: what it leased may be more than it knows

 private:
  [[nodiscard]] Status connect();
  std::unique_ptr<ledger::Ledger> owned_;
  bool gone_ = false, corrupt_ = false;
  int frames_ = 0, lanes_ = 0;
};

enum class StoreKind : std::uint8_t { memory, sqlite };

struct Setup {
  std::uint64_t seed = 1;
  StoreKind store = StoreKind::memory;
  Wallets wallets = Wallets::none;
  Trace::Text text = Trace::Text::none;
  std::size_t verify_every = 1;  // steps
};

class World {
 public:
  explicit World(const Setup& setup);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void perform(std::size_t number, const Step& step);
  // Everything is well again, all that runs ends, what must be true in the end is checked.
  void heal_and_end();
  [[nodiscard]] bool failed() const { return oracle.failure().has_value(); }

  void pass(Duration time);
  // A few things of others while an engine waits.
  void run_others();
  [[nodiscard]] Process* any_process(const std::function<bool(const Process&)>& good);
  void run_quietly(int rounds);  // every worker in turn, some time between
  [[nodiscard]] Clock& wall_of(std::size_t machine) { return machines[machine]->clock; }
  // After a change that was refused. False: it should not have been.
  [[nodiscard]] bool operator_opens_again();

  Setup setup;
  Trace trace;
  Dice dice;  // of the step that runs
  bool calm = false;
  bool healing = false;
  bool remote = false;  // the store is a server with a clock of its own, answers can be lost
  Duration now = {};
  time::ManualClock server_clock;
  std::vector<std::unique_ptr<Machine>> machines;
  std::unique_ptr<disk::Process> onlooker;          // whose connections `store` has, with SQLite
  std::unique_ptr<store::Store> store;              // as the oracle and the operator see it
  std::vector<std::shared_ptr<Process>> processes;  // one a slot; null: down
  std::vector<std::shared_ptr<Process>> dying;      // gone, with frames that still run
  Oracle oracle;
  Callers callers;

 private:
  void do_deed(Deed deed);
  void open_one();
  void open_slot(std::size_t slot);
  void close_one();
  void close_slot(std::size_t slot);
  void kill_one();
  void power_loss();
  void power_loss_of(std::size_t machine);
  void look_at_store();
  void pause_one();
  void suspend_one();
  void cut_one();
  void jump_wall();
  void change_disk();
  void let_time_pass();
  void arrive_late();
  void reap();
  void check_step();
  void make_all_well();
  void end_failed();
  void end_all();
  void end_detached();
  void end_wallets();

  std::deque<std::function<void()>> on_the_way_;
  std::uint64_t next_process_ = 1;
  std::size_t steps_done_ = 0;
  int depth_ = 0;
  friend class Process;
};

}  // namespace aimeter::sim
