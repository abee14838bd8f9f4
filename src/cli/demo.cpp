// aimeter demo: the main job in small, on a store of its own, checked against the memory model.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <ostream>

#include "base/hash.h"
#include "cli/demo_load.h"
#include "cli/session.h"
#include "cli/table.h"
#include "drivers/builtin.h"
#include "reports/report.h"

namespace aimeter::cli {
namespace {

struct Options {
  std::uint64_t seed = 1;
  std::int64_t threads = 8;
  bool endless = false;
};
constexpr std::int64_t kThreadsMost = 1'024;

// A folder that goes away with the demo.
class OwnFolder {
 public:
  OwnFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("aimeter-demo-" + base::hex(base::random_bytes(8)))) {
    std::filesystem::create_directories(path_);
  }
  ~OwnFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  OwnFolder(const OwnFolder&) = delete;
  OwnFolder& operator=(const OwnFolder&) = delete;
  [[nodiscard]] std::string dsn() const { return "sqlite:" + (path_ / "demo.db").string(); }

 private:
  std::filesystem::path path_;
};

// What a store says after the load; nothing here is counted by the demo itself, but `refused`.
struct Figures {
  std::int64_t allowed = 0, refused = 0, duplicates = 0, tokens = 0;
  std::string cost = {}, verify = {};
  std::int64_t limited_used = 0;
  reports::Report report = {};
  friend bool operator==(const Figures& a, const Figures& b) {
    return a.allowed == b.allowed && a.refused == b.refused && a.duplicates == b.duplicates &&
           a.tokens == b.tokens && a.cost == b.cost && a.verify == b.verify &&
           a.limited_used == b.limited_used;
  }
};

std::string json_of(const Figures& figures) {
  return fmt::format(
      R"({{"allowed":{},"refused":{},"duplicates":{},"tokens":{},"cost":"{}","currency":"usd",)"
      R"("verify":"{}"}})",
      figures.allowed, figures.refused, figures.duplicates, figures.tokens, figures.cost,
      figures.verify);
}

Result<std::int64_t> count_rows(const store::Store& store, bool duplicates) {
  UsageFilter filter;
  filter.with_duplicates = duplicates;
  std::int64_t rows = 0;
  std::string cursor;
  do {
    AIMETER_TRY(const UsagePage page, store.usages(filter, cursor, kPageMax));
    rows += static_cast<std::int64_t>(page.records.size());
    cursor = page.next;
  } while (!cursor.empty());
  return rows;
}

Result<Figures> read_figures(const store::Store& store, std::int64_t calls) {
  Figures figures;
  const Period::Span month = Period({}).at(store.now());
  reports::Query query{.group_by = {reports::GroupBy::tenant, reports::GroupBy::model}};
  // A demo that runs over midnight of a month's last day still finds its calls.
  query.filter.from = month.start - std::chrono::days(1);
  query.filter.to = month.end + std::chrono::days(1);
  AIMETER_TRY(figures.report, reports::report(store, query));
  const reports::Sums& totals = figures.report.totals.at(0);
  figures.allowed = totals.calls;
  figures.tokens = totals.total_tokens();
  figures.cost = reports::cost_text(totals.cost_nanos);
  AIMETER_TRY(const std::int64_t billed, count_rows(store, false));
  AIMETER_TRY(const std::int64_t all, count_rows(store, true));
  figures.duplicates = all - billed;
  figures.refused = calls - all;
  for (const reports::Group& group : figures.report.groups) {
    if (group.names.at(0) == kLimitedTenant) figures.limited_used += group.sums.total_tokens();
  }
  AIMETER_TRY(const store::Verified verified,
              store.verify([](std::int64_t, std::int64_t) { return true; }));
  figures.verify = verified.findings.empty() ? "clean"
                                             : fmt::format("{}: {}", verified.findings[0].check,
                                                           verified.findings[0].message);
  return figures;
}

// The load on one store, opened here and read after the engine has closed.
Result<Figures> run_on(std::unique_ptr<store::Store> store, OpenOptions options,
                       std::string_view dsn, std::uint64_t seed) {
  options.ports.store = store.get();
  const std::vector<DemoCall> calls = make_calls(seed);
  LoadCounts counts;
  {
    AIMETER_TRY(const Engine engine, open(dsn, std::move(options)));
    AIMETER_CHECK_OK(make_contracts(engine));
    counts = run_load(engine, calls, {});
    AIMETER_CHECK_OK(engine.drain());
  }
  if (counts.failed > 0) {
    return fail(Code::unavailable,
                fmt::format("{} calls failed, the first: {}", counts.failed, counts.first_failure));
  }
  AIMETER_TRY(Figures figures, read_figures(*store, counts.calls));
  const bool agree = figures.allowed == counts.allowed && figures.refused == counts.refused &&
                     figures.duplicates == counts.duplicates;
  if (!agree) {
    return fail(Code::corrupt,
                fmt::format("callers saw {} allowed, {} refused, {} duplicates; the store has {}",
                            counts.allowed, counts.refused, counts.duplicates, json_of(figures)));
  }
  return figures;
}

void print(Frame& frame, const Figures& figures) {
  Table table({{"tenant", Table::Align::left},
               {"model", Table::Align::left},
               {"calls", Table::Align::right},
               {"tokens", Table::Align::right},
               {"cached", Table::Align::right},
               {"cost", Table::Align::right}});
  for (const reports::Group& group : figures.report.groups) {
    table.add({group.names.at(0), group.names.at(1), std::to_string(group.sums.calls),
               std::to_string(group.sums.total_tokens()),
               std::to_string(group.sums.cached_input_tokens),
               reports::cost_text(group.sums.cost_nanos) + " usd"});
  }
  Console& console = frame.console();
  console.out() << table.text(console.options().columns);
  console.out() << fmt::format(
      "\n{} has a limit for {} of its {} calls: {} refused, {} tokens used, to the token\n"
      "{} sent every call twice with a key: {} answers were not billed again\n"
      "verify: {}\n\n",
      kLimitedTenant, kLimitedFit, kLimitedCalls, figures.refused, figures.limited_used,
      kRetryingTenant, figures.duplicates, figures.verify);
}

Result<Exit> run_once(Frame& frame, const Options& options) {
  OwnFolder folder;
  AIMETER_TRY(std::unique_ptr<store::Store> sqlite, drivers::open_store(folder.dsn(), {}));
  AIMETER_TRY(const Figures figures, run_on(std::move(sqlite), {}, folder.dsn(), options.seed));
  if (!frame.json()) print(frame, figures);
  AIMETER_TRY(const Figures model,
              run_on(store::make_memory_store(system_clock()), {}, "memory:", options.seed));
  print_json(frame, json_of(figures));
  if (!(figures == model)) {
    return fail(Code::corrupt, "the memory model has other figures: " + json_of(model));
  }
  return figures.verify == "clean" ? Exit::done : Exit::refused;
}

// Calls with keys of their own until Ctrl-C or death; each acknowledged one is a line "KEY ROW".
Result<Exit> run_endless(Frame& frame, const Options& options) {
  if (options.threads < 1 || options.threads > kThreadsMost) {
    return bad_input("--threads", std::to_string(options.threads),
                     fmt::format("1 to {}", kThreadsMost));
  }
  return with_engine(frame, [&](Acting& acting) -> Result<Exit> {
    const Status contracts = make_contracts(acting.engine);
    if (!contracts && contracts.error().code != Code::conflict) {
      return std::unexpected(contracts.error());
    }
    std::mutex mutex;
    LoadOptions how{.acknowledged = [&](const DemoCall& call, const Settled& settled) {
      if (call.key.empty() || settled.duplicate) return;
      const std::scoped_lock lock(mutex);
      frame.console().out() << call.key << ' ' << settled.record.id << std::endl;
    }};
    how.threads = static_cast<int>(options.threads);
    how.stop = frame.console().options().interrupted;
    for (std::uint64_t round = 0; !frame.console().interrupted(); ++round) {
      std::vector<DemoCall> calls = make_calls(options.seed * 1'000'003 + round);
      for (std::size_t i = 0; i < calls.size(); ++i) {
        if (calls[i].tenant != kRetryingTenant) {
          calls[i].key = fmt::format("call-{}-{}-{}", options.seed, round, i);
        }
      }
      (void)run_load(acting.engine, calls, how);
    }
    return Exit::done;
  });
}

}  // namespace

void add_demo(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add(
      {.name = "demo",
       .about = "The main job in small, on a store of its own, checked against the memory model",
       .examples = {"aimeter demo", "aimeter demo --seed 7 --json",
                    "aimeter demo --endless --store sqlite:load.db  # until Ctrl-C"}},
      [&frame, options] {
        return options->endless ? run_endless(frame, *options) : run_once(frame, *options);
      });
  app.add_option("--seed", options->seed, "The same seed gives the same figures (1)");
  app.add_option("--threads", options->threads, "So many callers at once, with --endless (8)")
      ->type_name("N");
  app.add_flag("--endless", options->endless,
               "Load on --store until Ctrl-C; prints each acknowledged key with its record");
}

}  // namespace aimeter::cli
