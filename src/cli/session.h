// Package:       cli
// Units:         none
// Errors:        configuration errors end the command with exit 3, an unavailable store with 4.
// Thread safety: belongs to the command's thread.
// Ownership:     Reading owns its store, Acting its engine; both end with the command.
//
// What a command works on: the configuration in force, and the store (to read) or an engine (to
// change). Whoever opens a store first carries what dead engines left into it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "aimeter/engine.h"
#include "cli/frame.h"
#include "config/settings.h"
#include "store/store.h"

namespace aimeter::cli {

struct ConfigText {
  std::string file = {};  // name for messages; "" = none
  std::string toml = {};
};
// The file that --config names, else ./aimeter.toml if it is there.
[[nodiscard]] Result<ConfigText> read_config(const Frame& frame);
// With --store in place of storage.url. Errors: every bad key.
[[nodiscard]] Result<config::Settings> settings_of(const Frame& frame);
// Every command that asks for more than its arguments begins with this: a configuration that cannot
// be used ends it with exit 3 and every bad key.
[[nodiscard]] Result<Exit> with_settings(
    Frame& frame, const std::function<Result<Exit>(const config::Settings&)>& work);
// FILE.aimeter, or journal.dir.
[[nodiscard]] std::string journal_dir(const config::Settings& settings);

struct Reading {
  config::Settings settings = {};
  std::unique_ptr<store::Store> store = {};
};
// Opens the store, recovers dead engines, runs `work`.
[[nodiscard]] Result<Exit> with_store(Frame& frame,
                                      const std::function<Result<Exit>(Reading&)>& work);

struct Acting {
  config::Settings settings = {};
  Engine engine;
};
// Nobody waits for a single row of an import: more may wait while the store is busy, and neither
// waits for the other. Settlements; 50 MB at most.
constexpr std::uint64_t kFarBehindInBulk = 32'768;
enum class Load : std::uint8_t { calls, bulk };
[[nodiscard]] Result<Exit> with_engine(Frame& frame,
                                       const std::function<Result<Exit>(Acting&)>& work,
                                       Load load = Load::calls);

// --tenant of a reading command: absent = all.
struct TenantOption {
  std::optional<std::string> tenant = {};
  bool all = false;
  void add_to(CLI::App& app);           // --tenant
  void add_changing_to(CLI::App& app);  // --tenant, --all-tenants
  [[nodiscard]] Result<std::optional<TenantId>> reading() const;
  // Whom a changing command acts on. Empty: all. Errors: invalid_argument when nobody was named and
  // there is a resolver.
  [[nodiscard]] Result<std::optional<TenantId>> changing(const config::Settings& settings) const;
};

// --billable-type and --billable.
struct BillableOption {
  std::string type = {}, id = {};
  void add_to(CLI::App& app);
  [[nodiscard]] Result<std::optional<Billable>> get() const;  // both or none
};

// Prints one JSON document.
void print_json(Frame& frame, const std::string& document);

}  // namespace aimeter::cli
