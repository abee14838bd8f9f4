#include <algorithm>

#include "drivers/builtin.h"
#include "tests/sim/world.h"

namespace aimeter::sim {
namespace {

constexpr int kDepthMax = 3;  // of others running while somebody waits

struct Share {
  std::size_t until = 0;  // permille
  Fate fate = Fate::plain;
};
constexpr Share kReads[] = {{10, Fate::refused}, {60, Fate::slow}, {90, Fate::slow_answer}};
constexpr Share kLocalWrites[] = {{12, Fate::refused}, {50, Fate::slow}, {80, Fate::slow_answer}};
constexpr Share kRemoteWrites[] = {{10, Fate::refused},      {50, Fate::slow},
                                   {80, Fate::slow_answer},  {90, Fate::lost},
                                   {105, Fate::lost_answer}, {112, Fate::late}};

template <std::size_t kCount>
Fate draw(const Share (&shares)[kCount], std::size_t at) {
  for (const Share& share : shares) {
    if (at < share.until) return share.fate;
  }
  return Fate::plain;
}

ledger::Options engine_options(Dice& dice, bool remote) {
  constexpr ledger::Durability kAll[] = {ledger::Durability::journal, ledger::Durability::journal,
                                         ledger::Durability::journal, ledger::Durability::store,
                                         ledger::Durability::memory};
  ledger::Options options;
  options.durability = kAll[dice.below(std::size(kAll))];
  options.journal_dir = "/usage.db.aimeter";
  options.host = remote ? "far" : "here";
  options.segment_bytes = dice.chance(500) ? 4'096 : 16'384;
  options.batch_size = 1 + dice.below(12);
  options.tail_max = dice.chance(300) ? 4 : 10'000;
  options.hold_ttl = std::chrono::seconds(60);
  options.keep_segments = std::chrono::minutes(5);
  return options;
}

}  // namespace

Process::Process(World& w, std::size_t slot_number, std::uint64_t process_number)
    : world(w),
      slot(slot_number),
      machine(slot_number % w.machines.size()),
      number(process_number),
      options(engine_options(w.dice, w.remote)),
      files(w.machines[machine]->disk),
      workers([&w](base::Wait time) { w.pass(time); }),
      network(*this) {
  options.wallets.overdraft = w.setup.wallets == Wallets::overdraft;
}

Process::~Process() = default;

Fate Process::fate(Kind kind) {
  if (gone_ || world.now < cut_until) return Fate::refused;
  if (world.calm || world.healing) return Fate::plain;
  const std::size_t at = world.dice.below(1'000);
  Fate fate = kind == Kind::read ? draw(kReads, at)
              : world.remote     ? draw(kRemoteWrites, at)
                                 : draw(kLocalWrites, at);
  const bool may_be_late = kind == Kind::apply || kind == Kind::money;
  if (fate == Fate::late && !may_be_late) fate = Fate::lost;
  const bool slow = fate == Fate::slow || fate == Fate::slow_answer;
  if (slow && world.depth_ >= kDepthMax) fate = Fate::plain;
  doubted = doubted || fate == Fate::lost || fate == Fate::lost_answer;
  if (fate != Fate::plain) {
    world.trace.line("the store's line", {{"process", static_cast<std::int64_t>(number)},
                                          {"fate", static_cast<std::int64_t>(fate)}});
  }
  return fate;
}

void Process::meanwhile() { world.run_others(); }

void Process::later(std::function<void()> arrives) {
  world.on_the_way_.emplace_back(
      [self = shared_from_this(), sent = std::move(arrives)] { sent(); });
}

void Process::applied_there() { world.oracle.see_rows(); }

void Process::leased_there(std::span<const store::LeaseAsk> asks,
                           std::span<const store::LeaseGrant> grants) {
  for (std::size_t i = 0; i < grants.size(); ++i) {
    world.trace.line("leased", {{"process", static_cast<std::int64_t>(number)},
                                {"kind", static_cast<std::int64_t>(asks[i].key.kind)},
                                {"asked", asks[i].ask},
                                {"granted", grants[i].granted}});
  }
  world.oracle.leased(asks, grants);
}

// No two renewals, and no renewal and what came before it, are of one moment.
Duration Process::sending() {
  world.pass(Duration(1));
  return world.now;
}

void Process::renewed_there(store::EngineId id) {
  world.trace.line("renewed", {{"engine", static_cast<std::int64_t>(id)}});
  world.oracle.renewed_there(id);
}

void Process::taken_back(int engines) {
  if (engines != 0) world.trace.line("leases taken back", {{"engines", engines}});
}

void Process::run(Lane lane, const std::function<void()>& work) {
  ++frames_;
  if (lane == Lane::taken) ++lanes_;
  work();
  if (lane == Lane::taken) --lanes_;
  --frames_;
}

Status Process::connect() {
  if (world.setup.store == StoreKind::memory) {
    network.connect(*world.store);
    return {};
  }
  connections = std::make_unique<disk::Process>(world.machines[machine]->sqlite);
  AIMETER_TRY(own_store, drivers::open_store(kStoreUrl, {.clock = &world.wall_of(machine),
                                                         .disk = connections->disk()}));
  network.connect(*own_store);
  return {};
}

Status Process::open() {
  AIMETER_CHECK_OK(connect());
  Result<std::unique_ptr<ledger::Ledger>> opened = aimeter::fail(Code::unavailable, "");
  run(Lane::taken, [&] {
    const ledger::Deps deps{network, files, workers, world.wall_of(machine)};
    ledger::Sinks sinks{
        .orphan =
            [this](const store::Orphan& orphan) {
              world.trace.line("orphan", {{"engine", static_cast<std::int64_t>(orphan.engine)},
                                          {"hold", static_cast<std::int64_t>(orphan.hold)}});
              world.oracle.orphan(orphan);
            },
        .expired = [this](const store::EndedHold& hold) { world.oracle.expired(hold); }};
    opened = ledger::Ledger::open(deps, options, std::move(sinks));
  });
  if (!opened) return std::unexpected(opened.error());
  owned_ = *std::move(opened);
  ledger = owned_.get();
  if (gone_) return aimeter::fail(Code::unavailable, "the process is gone");
  engine = ledger->health().engine;
  serving = true;
  return {};
}

void Process::kill() {
  if (gone_) return;
  gone_ = true;
  serving = false;
  files.gone();
  if (connections != nullptr) connections->kill();
  world.trace.line("process gone", {{"process", static_cast<std::int64_t>(number)},
                                    {"engine", static_cast<std::int64_t>(engine)}});
  world.callers.process_ended(*this);
  if (engine != 0) world.oracle.lost_process(engine);
  const auto own =
      std::ranges::find_if(world.processes, [&](const auto& other) { return other.get() == this; });
  if (own != world.processes.end()) world.dying.push_back(std::move(*own));
}

void Process::close() {
  serving = false;
  workers.begin_closing();
  run(Lane::taken, [&] { owned_.reset(); });
  ledger = nullptr;
  kill();
}

void Process::reap() {
  if (owned_ == nullptr) return;
  static_cast<ledger::EngineLedger&>(*owned_).abandon();
  owned_.reset();
  ledger = nullptr;
}

bool Process::failed() const {
  const ledger::Ledger::Health health = ledger->health();
  // Only a disk that fails may make it so: a store is not corrupt for another reason here.
  return health.journal.has_value() || (corrupt_ && world.machines[machine]->disk_has_failed);
}

bool Process::awake() const { return serving && !gone_ && world.now >= paused_until; }

bool Process::step(Dice& choice) {
  std::vector<std::size_t> may;
  for (std::size_t at = 0; at < workers.count(); ++at) {
    const bool needs_lane = workers.name(at) != "aim-journal";
    if (workers.may_step(at) && (!needs_lane || lane_free())) may.push_back(at);
  }
  if (may.empty()) return false;
  const std::size_t at = may[choice.below(may.size())];
  const Lane lane = workers.name(at) == "aim-journal" ? Lane::free : Lane::taken;
  world.trace.line(workers.name(at), {{"process", static_cast<std::int64_t>(number)}});
  const bool writes = lane == Lane::free;
  const std::vector<std::size_t> unwritten =
      writes ? world.oracle.unwritten(engine) : std::vector<std::size_t>{};
  run(lane, [&] { (void)workers.step(at); });
  if (writes && !gone_ && !ledger->health().journal) world.oracle.written(unwritten);
  return true;
}

void Process::step_all() {
  for (std::size_t at = 0; at < workers.count(); ++at) {
    run(Lane::taken, [&] { (void)workers.step(at); });
    if (gone_) return;
  }
}

}  // namespace aimeter::sim
