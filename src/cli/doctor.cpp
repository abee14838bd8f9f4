// aimeter doctor: is this machine fit, and is the store well?
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <ostream>

#include "base/files.h"
#include "cli/lost_journals.h"
#include "cli/session.h"
#include "journal/journal.h"

namespace aimeter::cli {
namespace {

enum class Grade { good, note, bad };
struct Options {
  bool accept_loss = false;
};
struct Check {
  Grade grade = Grade::good;
  std::string name = {}, says = {};
};

constexpr int kSyncs = 20;
// One fdatasync bounds what a single caller gets; above this a single caller is slow.
constexpr Duration kSlowSync = std::chrono::milliseconds(20);

Result<Check> disk_sync(const std::string& folder) {
  base::Files& files = base::system_files();
  AIMETER_CHECK_OK(files.make_folder(folder));
  const std::string path = folder + "/doctor.tmp";
  std::vector<Duration> times;
  {
    AIMETER_TRY(const std::unique_ptr<base::File> file, files.open(path, base::OpenMode::create));
    for (int i = 0; i < kSyncs; ++i) {
      const Duration began = system_clock().boot();
      AIMETER_CHECK_OK(file->write_at(static_cast<std::uint64_t>(i) * 512, std::string(512, 'x')));
      AIMETER_CHECK_OK(file->sync());
      times.push_back(system_clock().boot() - began);
    }
  }
  AIMETER_CHECK_OK(files.remove(path));
  std::ranges::sort(times);
  const Duration median = times[times.size() / 2];
  return Check{median > kSlowSync ? Grade::note : Grade::good, "disk sync",
               fmt::format("median {} us, worst {} us of {} writes with fdatasync in {}",
                           median.count(), times.back().count(), kSyncs, folder)};
}

using Lost = std::vector<ledger::LostJournal>;

Result<std::vector<Check>> engines(const Reading& reading, const Lost& gone) {
  std::vector<Check> checks;
  AIMETER_TRY(const std::vector<store::EngineState> all, reading.store->engines());
  const Instant now = reading.store->now();
  int live = 0;
  for (const store::EngineState& engine : all) {
    if (engine.closed_at) continue;
    const auto same = [&](const auto& lost) { return lost.engine.ref.engine == engine.ref.engine; };
    if (std::ranges::any_of(gone, same)) continue;  // said by checks_of()
    const Duration silent = now - engine.renewed_at;
    const bool lost = silent > std::chrono::seconds(reading.settings.waits.lease_ttl_s);
    live += lost ? 0 : 1;
    checks.push_back({lost ? Grade::bad : Grade::good, "engine",
                      fmt::format("{} on {}, last heard of {} s ago, settled {}, applied {}",
                                  engine.ref.engine, engine.card.host, silent.count() / 1'000'000,
                                  engine.last_seq, text_of(engine.applied_at))});
  }
  checks.push_back({Grade::good, "engines", fmt::format("{} live, {} ever", live, all.size())});
  return checks;
}

Result<std::vector<Check>> journals(const Reading& reading) {
  std::vector<Check> checks;
  const std::string dir = journal_dir(reading.settings);
  if (dir.empty()) return checks;
  base::Files& files = base::system_files();
  AIMETER_TRY(const std::vector<std::string> names, files.list(dir));
  int held = 0, idle = 0;
  for (const std::string& name : names) {
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string folder = dir + "/" + name;
    if (const auto begun = journal::is_begun(files, folder); !begun || !*begun) continue;
    const auto lock = journal::try_lock_folder(files, folder);
    if (!lock) continue;
    ++(*lock == nullptr ? held : idle);
  }
  checks.push_back({Grade::good, "journals",
                    fmt::format("{} in use by running engines, {} kept of stopped ones, in {}",
                                held, idle, dir)});
  AIMETER_TRY(const bool network, files.is_network(dir));
  if (network) {
    checks.push_back({Grade::bad, "file system", dir + " is on a network file system"});
  }
  return checks;
}

Result<std::vector<Check>> store_state(const Reading& reading) {
  std::vector<Check> checks;
  AIMETER_TRY(const auto migrations, reading.store->migrations());
  checks.push_back(
      {Grade::good, "version",
       fmt::format("schema {}, all applied", migrations.empty() ? 0 : migrations.back().number)});
  AIMETER_TRY(const auto dead, reading.store->dead());
  if (!dead.empty()) {
    checks.push_back({Grade::bad, "dead settlements",
                      fmt::format("{}, the first: {}", dead.size(), dead[0].reason)});
  }
  AIMETER_TRY(const auto orphans, reading.store->orphans());
  if (!orphans.empty()) {
    checks.push_back(
        {Grade::note, "orphans",
         fmt::format("{} calls were running when their engine stopped", orphans.size())});
  }
  const Duration skew = reading.store->now() - system_clock().now();
  const bool off = skew > std::chrono::milliseconds(reading.settings.storage.max_clock_skew_ms);
  checks.push_back({off ? Grade::bad : Grade::good, "clock",
                    fmt::format("{} us off the store's", skew.count())});
  return checks;
}

std::vector<Check> checks_of(const Lost& gone) {
  std::vector<Check> checks;
  for (const ledger::LostJournal& lost : gone) {
    checks.push_back(
        {Grade::bad, "journal lost",
         ledger::words_of(lost) + (lost.running ? ""
                                                : ". Put the folder back, or bear the loss with "
                                                  "`aimeter doctor --accept-loss`")});
  }
  return checks;
}

// Closes the engines whose journals are gone: what they leased goes back, nothing waits for them.
Result<Exit> accept_loss(Frame& frame, Reading& reading, const Lost& gone) {
  std::vector<std::string> closed;
  for (const ledger::LostJournal& lost : gone) {
    if (lost.running) {
      return fail(Code::failed_precondition, ledger::words_of(lost));
    }
    closed.push_back(std::to_string(lost.engine.ref.engine));
  }
  if (!closed.empty()) {
    AIMETER_CHECK_OK(frame.console().confirm(fmt::format(
        "Give up what only the lost journals of engine {} held?", fmt::join(closed, ", "))));
  }
  for (const ledger::LostJournal& lost : gone) {
    AIMETER_CHECK_OK(reading.store->close_engine(lost.engine.ref.engine));
  }
  if (frame.json()) {
    print_json(frame, fmt::format(R"({{"closed":[{}]}})", fmt::join(closed, ",")));
  } else {
    frame.console().out() << (closed.empty() ? std::string("no journal is lost\n")
                                             : fmt::format("engine {} closed without its journal\n",
                                                           fmt::join(closed, ", ")));
  }
  return Exit::done;
}

void append(std::vector<Check>& all, std::vector<Check> more) {
  for (Check& check : more) all.push_back(std::move(check));
}

void print(Frame& frame, const std::vector<Check>& all) {
  boost::json::array rows;
  Console& console = frame.console();
  for (const Check& check : all) {
    const char* grade = check.grade == Grade::good   ? "good"
                        : check.grade == Grade::note ? "note"
                                                     : "bad";
    rows.push_back(
        boost::json::object{{"grade", grade}, {"check", check.name}, {"says", check.says}});
    const Style style = check.grade == Grade::good   ? Style::green
                        : check.grade == Grade::note ? Style::yellow
                                                     : Style::red;
    if (frame.json()) continue;
    console.out() << fmt::format("{}  {:<18} {}\n",
                                 console.paint(style, fmt::format("{:<4}", grade)), check.name,
                                 check.says);
  }
  if (frame.json()) print_json(frame, boost::json::serialize(rows));
}

Result<Exit> run(Frame& frame, const Options& options) {
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const Lost gone, lost_journals(reading));
    if (options.accept_loss) return accept_loss(frame, reading, gone);
    std::vector<Check> all;
    const std::string dir = journal_dir(reading.settings);
    if (!dir.empty()) {
      AIMETER_TRY(Check sync, disk_sync(dir));
      all.push_back(std::move(sync));
    }
    AIMETER_TRY(std::vector<Check> state, store_state(reading));
    append(all, std::move(state));
    AIMETER_TRY(std::vector<Check> running, engines(reading, gone));
    append(all, std::move(running));
    AIMETER_TRY(std::vector<Check> kept, journals(reading));
    append(all, std::move(kept));
    append(all, checks_of(gone));
    print(frame, all);
    const bool bad = std::ranges::any_of(all, [](const Check& c) { return c.grade == Grade::bad; });
    return bad ? Exit::refused : Exit::done;
  });
}

}  // namespace

void add_doctor(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add(
      {.name = "doctor",
       .about = "Disk sync time, clock, locks, version, engines, their backlog and their journals",
       .examples = {"aimeter doctor", "aimeter doctor --json", "aimeter doctor --accept-loss"}},
      [&frame, options] { return run(frame, *options); });
  app.add_flag("--accept-loss", options->accept_loss,
               "Gives up what only lost journals held: their engines are closed");
}

}  // namespace aimeter::cli
