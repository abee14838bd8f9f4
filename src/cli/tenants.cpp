// aimeter tenants: who is known, and which domains are theirs.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <ostream>

#include "base/ids.h"
#include "cli/session.h"
#include "cli/table.h"
#include "tenancy/host.h"

namespace aimeter::cli {
namespace {

Result<Exit> list(Frame& frame) {
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const std::vector<TenantId> tenants, reading.store->tenants());
    if (frame.json()) {
      boost::json::array names;
      for (const TenantId& tenant : tenants) names.emplace_back(tenant.text);
      print_json(frame, boost::json::serialize(names));
      return Exit::done;
    }
    for (const TenantId& tenant : tenants) frame.console().out() << tenant.text << '\n';
    return Exit::done;
  });
}

struct Named {
  std::string tenant = {}, domain = {};
};

Result<Exit> add(Frame& frame, const Named& named) {
  AIMETER_TRY(const TenantId tenant, TenantId::parse(named.tenant));
  std::string host;
  if (!named.domain.empty()) {
    AIMETER_TRY(host, tenancy::parse_host("--domain", named.domain));
  }
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_CHECK_OK(reading.store->change({store::PutTenant{tenant}, "cli"}));
    if (!host.empty()) {
      AIMETER_CHECK_OK(reading.store->change({store::PutDomain{host, tenant}, "cli"}));
    }
    frame.console().note("added " + tenant.text);
    return Exit::done;
  });
}

}  // namespace

void add_tenants(Frame& frame) {
  CLI::App& group = frame.add_group({.name = "tenants",
                                     .about = "Tenants and their domains",
                                     .examples = {"aimeter tenants list"}});
  frame.add_under(group,
                  {.name = "list",
                   .about = "Every tenant that the store knows",
                   .examples = {"aimeter tenants list --json"}},
                  [&frame] { return list(frame); });
  auto named = std::make_shared<Named>();
  CLI::App& adding =
      frame.add_under(group,
                      {.name = "add",
                       .about = "Makes a tenant known, with a domain of its own if there is one",
                       .examples = {"aimeter tenants add acme --domain acme.example.com"}},
                      [&frame, named] { return add(frame, *named); });
  adding.add_option("TENANT", named->tenant, "Its id")->required();
  adding.add_option("--domain", named->domain, "A host that means this tenant")->type_name("HOST");
}

}  // namespace aimeter::cli
