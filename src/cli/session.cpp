#include "cli/session.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <ostream>
#include <sstream>

#include "app/configured.h"
#include "base/files.h"
#include "base/ids.h"
#include "base/log.h"
#include "cli/lost_journals.h"
#include "drivers/builtin.h"
#include "ledger/recovery.h"

namespace aimeter::cli {
namespace {

constexpr std::string_view kDefaultConfig = "aimeter.toml";
constexpr std::string_view kSqlite = "sqlite:";

void warn_all(Frame& frame, const config::Settings& settings) {
  for (const std::string& warning : settings.warnings) frame.console().note("note: " + warning);
}

// Our levels are fewer than those of the reference.
base::LogLevel log_level_of(const config::Settings::Logging& logging) {
  if (!logging.enabled) return base::LogLevel::off;
  if (logging.level == "debug") return base::LogLevel::debug;
  if (logging.level == "warning") return base::LogLevel::warning;
  if (logging.level == "error" || logging.level == "critical") return base::LogLevel::error;
  return base::LogLevel::info;
}

}  // namespace

Result<ConfigText> read_config(const Frame& frame) {
  ConfigText text;
  const std::optional<std::string>& named = frame.globals().config;
  std::error_code ignored;
  if (!named && !std::filesystem::exists(kDefaultConfig, ignored)) return text;
  text.file = named.value_or(std::string(kDefaultConfig));
  std::ifstream in(text.file, std::ios::binary);
  if (!in || std::filesystem::is_directory(text.file, ignored)) {
    return bad_input("--config", text.file, "a file that can be read");
  }
  std::ostringstream all;
  all << in.rdbuf();
  text.toml = all.str();
  return text;
}

Result<config::Settings> settings_of(const Frame& frame) {
  AIMETER_TRY(const ConfigText text, read_config(frame));
  AIMETER_TRY(config::Settings settings,
              config::load(text.toml, text.file, config::process_environment()));
  if (frame.globals().store) settings.storage.url = *frame.globals().store;
  return settings;
}

Result<Exit> with_settings(Frame& frame,
                           const std::function<Result<Exit>(const config::Settings&)>& work) {
  const Result<config::Settings> settings = settings_of(frame);
  if (!settings) return frame.report(settings.error(), Exit::configuration);
  warn_all(frame, *settings);
  base::set_log_level(log_level_of(settings->logging));
  return work(*settings);
}

std::string journal_dir(const config::Settings& settings) {
  if (!settings.storage.journal_dir.empty()) return settings.storage.journal_dir;
  const std::string& url = settings.storage.url;
  if (!url.starts_with(kSqlite)) return {};
  return url.substr(kSqlite.size()) + ".aimeter";
}

Result<std::vector<ledger::LostJournal>> lost_journals(const Reading& reading) {
  return ledger::lost_journals(
      *reading.store, base::system_files(),
      {.journal_dir = journal_dir(reading.settings),
       .lease_ttl = std::chrono::seconds(reading.settings.waits.lease_ttl_s)});
}

Result<Exit> with_store(Frame& frame, const std::function<Result<Exit>(Reading&)>& work) {
  return with_settings(frame, [&](const config::Settings& settings) -> Result<Exit> {
    Reading reading{.settings = settings};
    AIMETER_TRY(reading.store, drivers::open_store(reading.settings.storage.url, {}));
    AIMETER_TRY(const ledger::RecoveredEngines recovered,
                ledger::recover_engines(*reading.store, base::system_files(),
                                        {.journal_dir = journal_dir(reading.settings)}, nullptr));
    if (recovered.settlements > 0 || recovered.orphans > 0) {
      frame.console().note(
          fmt::format("recovered {} settlements and {} orphans that {} stopped engines left",
                      recovered.settlements, recovered.orphans, recovered.engines));
    }
    AIMETER_TRY(const std::vector<ledger::LostJournal> all, lost_journals(reading));
    for (const ledger::LostJournal& lost : all) {
      frame.console().warn(ledger::words_of(lost) + " (`aimeter doctor`)");
    }
    return work(reading);
  });
}

Result<Exit> with_engine(Frame& frame, const std::function<Result<Exit>(Acting&)>& work,
                         Load load) {
  return with_settings(frame, [&](const config::Settings& settings) -> Result<Exit> {
    Result<OpenOptions> options = app::options_of(settings);
    if (!options) return frame.report(options.error(), Exit::configuration);
    if (load == Load::bulk) options->journal.far_behind = kFarBehindInBulk;
    AIMETER_TRY(Engine engine, open(settings.storage.url, *std::move(options)));
    Acting acting{.settings = settings, .engine = std::move(engine)};
    return work(acting);
  });
}

void TenantOption::add_to(CLI::App& app) {
  app.add_option("--tenant", tenant, "Only this tenant (all of them without it)")
      ->type_name("TENANT");
}

void TenantOption::add_changing_to(CLI::App& app) {
  app.add_option("--tenant", tenant, "The tenant to act on")->type_name("TENANT");
  app.add_flag("--all-tenants", all, "Act on every tenant");
}

Result<std::optional<TenantId>> TenantOption::reading() const {
  if (!tenant) return std::optional<TenantId>();
  if (tenant->empty()) return std::optional<TenantId>(TenantId{});  // single-tenant use
  AIMETER_TRY(TenantId id, TenantId::parse(*tenant));
  return std::optional<TenantId>(std::move(id));
}

Result<std::optional<TenantId>> TenantOption::changing(const config::Settings& settings) const {
  if (tenant && all) {
    return bad_input("--all-tenants", *tenant, "either --tenant or --all-tenants");
  }
  if (tenant) return reading();
  if (all) return std::optional<TenantId>();
  if (settings.tenancy.resolver == "null") return std::optional<TenantId>(TenantId{});
  return bad_input("--tenant", "", "the tenant to act on, or --all-tenants");
}

void BillableOption::add_to(CLI::App& app) {
  app.add_option("--billable-type", type, "Type of who pays, such as tenant or user")
      ->type_name("TYPE");
  app.add_option("--billable", id, "Id of who pays")->type_name("ID");
}

Result<std::optional<Billable>> BillableOption::get() const {
  if (type.empty() && id.empty()) return std::optional<Billable>();
  AIMETER_CHECK_OK(base::check_id("--billable-type", type));
  AIMETER_CHECK_OK(base::check_id("--billable", id));
  return std::optional<Billable>(Billable{type, id});
}

void print_json(Frame& frame, const std::string& document) {
  frame.console().out() << document << '\n';
}

}  // namespace aimeter::cli
