// aimeter import: usage that happened elsewhere, each row exactly once.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <ostream>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "cli/import_laravel.h"
#include "cli/import_rows.h"
#include "cli/progress.h"
#include "cli/session.h"

namespace aimeter::cli {
namespace {

struct Options {
  std::string file = {}, format = {}, map = {}, starting_at = {};
  ImportOptions rows = {};
  BillableOption billable = {};
  bool enforce = false, history = false, dry_run = false;
};

constexpr std::size_t kBatchRows = 32'768;
constexpr std::size_t kRecordersMax = 16;      // threads
constexpr std::int64_t kComplaintsMost = 100;  // bad rows that are printed one by one
constexpr std::int64_t kSpreadMost = 10'000;

struct Tally {
  std::int64_t rows = 0, recorded = 0, duplicates = 0, refused = 0, bad = 0;
};

Result<std::string> sha256_of(std::ifstream& in) {
  base::Sha256 hash;
  std::string piece(1U << 20U, '\0');
  while (in) {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    hash.add(std::string_view(piece).substr(0, static_cast<std::size_t>(in.gcount())));
  }
  in.clear();
  in.seekg(0);
  return base::hex(base::view_of(hash.digest()));
}

class Import {
 public:
  Import(Frame& frame, const Options& options, std::string file_hash)
      : frame_(frame), options_(options), file_hash_(std::move(file_hash)) {}

  // `engine` null: a dry run.
  [[nodiscard]] Result<Exit> run(RowSource& source, const Engine* engine) {
    Progress progress(frame_.console(), "rows", std::nullopt);
    while (!frame_.console().interrupted()) {
      std::optional<RowSource::Row> row = source.next();
      if (!row) break;
      ++tally_.rows;
      if (!row->record) {
        complain(row->line, row->record.error());
      } else {
        row->record->idempotency_key = fmt::format("import:{}:{}", file_hash_, row->number);
        batch_[row->record->account.tenant.text].push_back({row->line, *std::move(row->record)});
        if (++batched_ >= kBatchRows) AIMETER_CHECK_OK(flush(engine));
      }
      progress.at(tally_.rows);
    }
    AIMETER_CHECK_OK(flush(engine));
    if (engine != nullptr) AIMETER_CHECK_OK(engine->drain());
    if (tally_.bad > kComplaintsMost) {
      frame_.console().warn(fmt::format("... and {} more bad rows", tally_.bad - kComplaintsMost));
    }
    if (!frame_.console().interrupted()) return tally_.bad > 0 ? Exit::partly : Exit::done;
    frame_.console().warn("interrupted; run it again, what is in is not recorded twice");
    return Exit::partly;
  }
  [[nodiscard]] const Tally& tally() const { return tally_; }

 private:
  struct Pending {
    std::size_t line = 0;
    UsageRecord record = {};
  };

  void complain(std::size_t line, const Error& error) {
    if (++tally_.bad <= kComplaintsMost) {
      const bool has_line = error.message.starts_with("line ");
      frame_.console().warn(has_line ? error.message
                                     : fmt::format("line {}: {}", line, error.message));
    }
  }

  // What a tenant has in this batch: its rows stay in their order, on one thread.
  struct Part {
    const std::string& tenant;
    std::vector<Pending>& rows;
    std::int64_t recorded = 0, duplicates = 0;
    std::vector<std::pair<std::size_t, Error>> failed = {};  // by line
  };

  [[nodiscard]] Status flush(const Engine* engine) {
    std::vector<Part> parts;
    if (engine != nullptr) {
      for (auto& [tenant, rows] : batch_) parts.push_back({tenant, rows});
      record_all(*engine, parts);
    }
    for (const Part& part : parts) {
      tally_.recorded += part.recorded;
      tally_.duplicates += part.duplicates;
      for (const auto& [line, error] : part.failed) AIMETER_CHECK_OK(count_failed(line, error));
    }
    batch_.clear();
    batched_ = 0;
    return {};
  }
  // Each tenant's rows wait for their own durability: side by side, so that many wait for the same
  // sync.
  void record_all(const Engine& engine, std::vector<Part>& parts) const {
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
      for (std::size_t i = next++; i < parts.size(); i = next++) record(engine, parts[i]);
    };
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < std::min(parts.size(), kRecordersMax); ++i) {
      threads.emplace_back(work);
    }
    work();
  }
  void record(const Engine& engine, Part& part) const {
    std::vector<UsageRecord> records;
    records.reserve(part.rows.size());
    for (Pending& each : part.rows) records.push_back(std::move(each.record));
    const RecordOptions how{.horizon = options_.history ? Horizon::history : Horizon::recent,
                            .enforce = options_.enforce ? Enforce::limits : Enforce::nothing};
    std::vector<Result<Settled>> results = engine.tenant(part.tenant).record_each(records, how);
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (results[i]) {
        ++(results[i]->duplicate ? part.duplicates : part.recorded);
      } else {
        part.failed.emplace_back(part.rows[i].line, std::move(results[i]).error());
      }
    }
  }
  [[nodiscard]] Status count_failed(std::size_t line, const Error& error) {
    switch (error.code) {
      case Code::quota_exceeded:
        ++tally_.refused;
        return {};
      case Code::unavailable:
      case Code::in_doubt:
      case Code::corrupt:
        return std::unexpected(error);  // the rest would fail the same way
      default:
        complain(line, error);
        return {};
    }
  }

  Frame& frame_;
  const Options& options_;
  std::string file_hash_;
  std::map<std::string, std::vector<Pending>> batch_;
  std::size_t batched_ = 0;
  Tally tally_;
};

void print(Frame& frame, const Tally& tally, Duration took) {
  print_json(frame,
             fmt::format(R"({{"rows":{},"recorded":{},"duplicates":{},"refused":{},"bad":{},)"
                         R"("seconds":{}.{:03}}})",
                         tally.rows, tally.recorded, tally.duplicates, tally.refused, tally.bad,
                         took.count() / 1'000'000, took.count() / 1'000 % 1'000));
}

Result<ImportOptions> row_options(const Options& options) {
  ImportOptions rows = options.rows;
  AIMETER_TRY(rows.map, parse_map(options.map));
  AIMETER_CHECK_OK(Period::check({.timezone = rows.timezone}));
  if (!options.starting_at.empty()) {
    AIMETER_TRY(rows.starting_at,
                parse_instant("--starting-at", options.starting_at, rows.timezone));
  }
  if (rows.spread_tenants < 0 || rows.spread_tenants > kSpreadMost) {
    return bad_input("--spread-tenants", std::to_string(rows.spread_tenants),
                     fmt::format("0 to {}", kSpreadMost));
  }
  if (!rows.tenant.empty()) AIMETER_CHECK_OK(TenantId::parse(rows.tenant));
  AIMETER_TRY(const std::optional<Billable> billable, options.billable.get());
  if (billable) rows.billable = *billable;
  return rows;
}

Result<Exit> run(Frame& frame, const Options& options) {
  if (options.file.empty()) return bad_input("FILE", "", "the file to import");
  AIMETER_TRY(const ImportOptions rows, row_options(options));
  const bool jsonl =
      options.format == "jsonl" || (options.format.empty() && options.file.ends_with(".jsonl"));
  if (!options.format.empty() && options.format != "csv" && options.format != "jsonl") {
    return bad_input("--format", options.format, "csv or jsonl");
  }
  std::error_code ignored;
  std::ifstream in(options.file, std::ios::binary);
  if (!in || std::filesystem::is_directory(options.file, ignored)) {
    return bad_input("FILE", options.file, "a file that can be read");
  }
  AIMETER_TRY(std::string hash, sha256_of(in));
  AIMETER_TRY(const std::unique_ptr<RowSource> source,
              jsonl ? jsonl_rows(in, rows) : csv_rows(in, rows));
  Import import(frame, options, std::move(hash));
  const Duration began = system_clock().boot();
  Result<Exit> exit = Exit::done;
  if (options.dry_run) {
    exit = import.run(*source, nullptr);
  } else {
    exit = with_engine(
        frame, [&](Acting& acting) { return import.run(*source, &acting.engine); }, Load::bulk);
  }
  if (exit && *exit != Exit::configuration) {
    print(frame, import.tally(), system_clock().boot() - began);
  }
  return exit;
}

}  // namespace

void add_import(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app = frame.add(
      {.name = "import",
       .about = "Records usage from a file, each row exactly once; running it again adds nothing",
       .examples = {"aimeter import usage.csv --provider openai --model gpt-4o-mini --tenant acme",
                    "aimeter import trace.csv --provider trace --model fixed --history "
                    "--map occurred_at=TIMESTAMP,input_tokens=ContextTokens",
                    "aimeter import old.jsonl --dry-run"}},
      [&frame, options] { return run(frame, *options); });
  app.add_option("FILE", options->file, "CSV with a header line, or JSON Lines");
  app.add_option("--format", options->format, "csv or jsonl (by the file's name without it)");
  app.add_option("--provider", options->rows.provider, "Of rows that name none");
  app.add_option("--model", options->rows.model, "Of rows that name none");
  app.add_option("--tenant", options->rows.tenant, "Of rows that name none");
  options->billable.add_to(app);
  app.add_option("--map", options->map, "Which column is which field")
      ->type_name("FIELD=COLUMN,...");
  app.add_option("--timezone", options->rows.timezone, "Of times without an offset (UTC)");
  app.add_option("--starting-at", options->starting_at, "The time that offset_ms counts from");
  app.add_option("--spread-tenants", options->rows.spread_tenants,
                 "Row i belongs to tenant t00, t01 ... of i mod N")
      ->type_name("N");
  app.add_flag("--enforce", options->enforce, "As live calls against the limits of their time");
  app.add_flag("--history", options->history, "Also rows older than storage.max_lateness_days");
  app.add_flag("--dry-run", options->dry_run, "Reads and checks everything, records nothing");
  add_import_laravel(frame, app);
}

}  // namespace aimeter::cli
