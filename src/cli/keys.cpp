// aimeter keys: API keys of tenants and of the operator. A secret is shown once.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <ostream>

#include "base/ids.h"
#include "cli/session.h"
#include "cli/table.h"
#include "tenancy/api_key.h"

namespace aimeter::cli {
namespace {

struct Options {
  TenantOption tenant = {};
  std::string name = {}, scopes = "meter", expires = {}, id = {};
};

Result<std::vector<std::string>> scopes_of(const std::string& text) {
  std::vector<std::string> scopes;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string name = text.substr(begin, end - begin);
    AIMETER_TRY(const tenancy::ApiScope scope, tenancy::parse_api_scope("--scopes", name));
    if (std::ranges::find(scopes, name) == scopes.end()) {
      scopes.emplace_back(tenancy::name_of(scope));
    }
    begin = end + 1;
  }
  return scopes;
}

Result<Exit> create(Frame& frame, const Options& options) {
  store::ApiKeyRow row{.name = options.name};
  AIMETER_TRY(row.scopes, scopes_of(options.scopes));
  if (!options.expires.empty()) {
    AIMETER_TRY(row.expires_at, parse_instant("--expires", options.expires));
  }
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.changing(reading.settings));
    if (!tenant) return bad_input("--all-tenants", "", "one --tenant; a key belongs to one");
    const tenancy::NewApiKey key = tenancy::make_api_key();
    row.id = key.id;
    row.tenant = tenant->text;
    row.secret_sha256 = key.secret_sha256;
    row.created_at = reading.store->now();
    if (row.expires_at && *row.expires_at <= row.created_at) {
      return bad_input("--expires", options.expires, "a time that is still to come");
    }
    AIMETER_CHECK_OK(reading.store->change({store::PutApiKey{row}, "cli"}));
    if (frame.json()) {
      boost::json::array scopes;
      for (const std::string& scope : row.scopes) scopes.emplace_back(scope);
      print_json(frame, boost::json::serialize(boost::json::object{{"id", row.id},
                                                                   {"key", key.text},
                                                                   {"tenant", row.tenant},
                                                                   {"scopes", std::move(scopes)}}));
    } else {
      frame.console().out() << key.text << '\n';
      frame.console().note("this key is shown only now; it cannot be read again");
    }
    return Exit::done;
  });
}

Result<Exit> list(Frame& frame, const Options& options) {
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.reading());
    AIMETER_TRY(const std::vector<store::ApiKeyRow> keys, reading.store->api_keys(tenant));
    boost::json::array all;
    Table table({{"id", Table::Align::left},
                 {"tenant", Table::Align::left},
                 {"name", Table::Align::left},
                 {"scopes", Table::Align::left},
                 {"created", Table::Align::left},
                 {"state", Table::Align::left}});
    for (const store::ApiKeyRow& key : keys) {
      const bool expired = key.expires_at && *key.expires_at <= reading.store->now();
      const char* state = key.revoked_at ? "revoked" : expired ? "expired" : "active";
      std::string scopes;
      for (const std::string& scope : key.scopes) scopes += (scopes.empty() ? "" : ",") + scope;
      all.push_back(boost::json::object{{"id", key.id},
                                        {"tenant", key.tenant},
                                        {"name", key.name},
                                        {"scopes", scopes},
                                        {"created_at", text_of(key.created_at)},
                                        {"state", state}});
      table.add({key.id, key.tenant, key.name, scopes, text_of(key.created_at), state});
    }
    if (frame.json()) {
      print_json(frame, boost::json::serialize(all));
    } else {
      frame.console().out() << table.text(frame.console().options().columns);
    }
    return Exit::done;
  });
}

Result<Exit> revoke(Frame& frame, const Options& options) {
  AIMETER_CHECK_OK(base::check_id("ID", options.id));
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.changing(reading.settings));
    if (!tenant) return bad_input("--all-tenants", "", "one --tenant; a key belongs to one");
    AIMETER_CHECK_OK(
        reading.store->change({store::RevokeApiKey{.tenant = *tenant, .id = options.id}, "cli"}));
    frame.console().note("revoked " + options.id);
    return Exit::done;
  });
}

}  // namespace

void add_keys(Frame& frame) {
  CLI::App& group = frame.add_group({.name = "keys",
                                     .about = "API keys: create, list, revoke",
                                     .examples = {"aimeter keys list --tenant acme"}});
  auto options = std::make_shared<Options>();
  CLI::App& creating = frame.add_under(
      group,
      {.name = "create",
       .about = "Makes a key and shows it once",
       .examples = {"aimeter keys create --tenant acme --scopes meter,read --name backend"}},
      [&frame, options] { return create(frame, *options); });
  options->tenant.add_changing_to(creating);
  creating.add_option("--name", options->name, "What it is for")->type_name("TEXT");
  creating.add_option("--scopes", options->scopes, "meter, read, gateway, act_as_tenant, admin")
      ->type_name("SCOPE,...");
  creating.add_option("--expires", options->expires, "Until when it is good")->type_name("TIME");
  CLI::App& listing = frame.add_under(group,
                                      {.name = "list",
                                       .about = "Keys without their secrets",
                                       .examples = {"aimeter keys list --json"}},
                                      [&frame, options] { return list(frame, *options); });
  options->tenant.add_to(listing);
  CLI::App& revoking = frame.add_under(group,
                                       {.name = "revoke",
                                        .about = "Ends a key at once",
                                        .examples = {"aimeter keys revoke --tenant acme KEYID"}},
                                       [&frame, options] { return revoke(frame, *options); });
  options->tenant.add_changing_to(revoking);
  revoking.add_option("ID", options->id, "The key's id, the middle part of aim_ID_SECRET")
      ->required();
}

}  // namespace aimeter::cli
