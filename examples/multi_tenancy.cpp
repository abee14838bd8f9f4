// The examples of docs/guides/multi-tenancy.md, run once. Ends with 0 when every check holds; a
// test compares the blocks of the guide with this file.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "aimeter/aimeter.h"
#include "aimeter/testing.h"

namespace {

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::exit(1);
}
#define CHECK(condition) check(static_cast<bool>(condition), #condition)

using namespace aimeter::literals;
using aimeter::Code;
using aimeter::Context;
using aimeter::Result;
using aimeter::TenantId;
using aimeter::TenantScope;
using aimeter::Tokens;

}  // namespace

// ---------------------------------------------------------------- the host's own types

namespace app {

struct Tenant {
  int id = 0;
  std::string domain;
};
struct User {
  int id = 0;
};

std::string tenant_id_of(const Tenant& tenant) { return std::to_string(tenant.id); }
std::string user_id_of(const User& user) { return std::to_string(user.id); }
aimeter::Billable billable_of(const Tenant& tenant) {
  return {"tenant", std::to_string(tenant.id)};
}
aimeter::Billable billable_of(const User& user) { return {"user", std::to_string(user.id)}; }

struct Request {
  std::string host, path, peer;
  std::map<std::string, std::string> headers, query;
  const Tenant* tenant = nullptr;  // set by the host's own middleware
};

std::optional<std::string> find(const std::map<std::string, std::string>& map,
                                std::string_view name) {
  const auto found = map.find(std::string(name));
  if (found == map.end()) return std::nullopt;
  return found->second;
}

Context context_of(const Request& request) {
  Context context;
  context.host = request.host;
  context.path = request.path;
  context.peer = request.peer;
  context.header = [&request](std::string_view name) { return find(request.headers, name); };
  context.query = [&request](std::string_view name) { return find(request.query, name); };
  context.carry(request);
  return context;
}

// The client of a provider; here it answers at once.
struct OpenAi {
  std::string chat(std::string_view) const { return aimeter::testing::openai_answer(10, 20); }
};

// The domains of the host's own table.
std::optional<int> tenant_of_domain(std::string_view domain) {
  if (domain == "acme.example.com") return 7;
  return std::nullopt;
}

class DomainResolver : public aimeter::TenantResolver {
 public:
  Result<std::optional<TenantId>> resolve(const Context& context) const override {
    if (context.host == "www.example.com") return std::nullopt;  // central: nobody's tenant
    const std::optional<int> tenant = tenant_of_domain(context.host);
    if (!tenant) return aimeter::fail(Code::not_found, "no tenant for this host");
    return TenantId::parse(std::to_string(*tenant));
  }
};

class RequestResolver : public aimeter::TenantResolver {
 public:
  Result<std::optional<TenantId>> resolve(const Context& context) const override {
    const auto* request = context.request_as<Request>();
    if (request == nullptr || request->tenant == nullptr) return TenantScope::current();
    return TenantId::parse(tenant_id_of(*request->tenant));
  }
};

}  // namespace app

namespace {

const app::OpenAi openai;
const app::Tenant acme{7, "acme.example.com"};
const app::Tenant globex{8, "globex.example.com"};
const app::User user{42};

aimeter::Engine open_engine(aimeter::OpenOptions options) {
  auto engine = aimeter::open("memory:", std::move(options));
  CHECK(engine);
  return *std::move(engine);
}

// ---------------------------------------------------------------- creating and registering

void register_a_resolver() {
  auto engine = aimeter::open(
      "memory:", {.tenant_resolver = "my_domains",
                  .tenant_resolvers = {
                      {"my_domains", [] { return std::make_unique<app::DomainResolver>(); }},
                      {"my_requests", [] { return std::make_unique<app::RequestResolver>(); }}}});
  CHECK(engine);

  const app::Request request{.host = "acme.example.com"};
  auto reply = engine->meter(request).call([&] { return openai.chat("Hello!"); });
  CHECK(reply && reply->record().account.tenant.text == "7");

  auto unknown = engine->meter(app::Request{.host = "evil.com"}).call([&] {
    return openai.chat("never asked");
  });
  CHECK(!unknown && unknown.error().code == Code::not_found);

  CHECK(!aimeter::open("memory:", {.tenant_resolver = "no_such"}));
}

void the_hosts_own_request() {
  auto engine =
      open_engine({.tenant_resolver = "my_requests",
                   .tenant_resolvers = {
                       {"my_requests", [] { return std::make_unique<app::RequestResolver>(); }}}});
  auto reply = engine.meter(app::Request{.tenant = &acme}).call([&] { return openai.chat(""); });
  CHECK(reply && reply->record().account.tenant.text == "7");
}

// ---------------------------------------------------------------- explicit and automatic

void explicit_tenant() {
  auto engine = open_engine({});
  auto reply = engine.meter()
                   .for_user(user)
                   .for_tenant(acme)
                   .billable(acme)
                   .using_provider("openai", "gpt-4o-mini")
                   .call([&] { return openai.chat("Hello!"); });
  CHECK(reply && reply->record().account.tenant.text == "7");
  CHECK(reply->record().account.billable == app::billable_of(acme));
  CHECK(reply->record().user_id == "42");

  auto plain = engine.meter().for_tenant("7").for_user("42").call([&] { return openai.chat(""); });
  CHECK(plain);
}

void ambient_tenant() {
  auto engine = open_engine({.tenant_resolver = "current"});
  {
    const TenantScope scope(acme);  // this thread, until the end of the block
    auto reply = engine.meter().call([&] { return openai.chat(""); });
    CHECK(reply && reply->record().account.tenant.text == "7");
    CHECK(TenantScope::current() == TenantId{"7"});

    const TenantScope central = TenantScope::central();  // nobody, inside a tenant's scope
    CHECK(!TenantScope::current());
  }
  auto reply =
      engine.run_as(globex, [&] { return engine.meter().call([&] { return openai.chat(""); }); });
  CHECK(reply && reply->record().account.tenant.text == "8");

  auto nobody = engine.meter().call([&] { return openai.chat("never asked"); });
  CHECK(!nobody && nobody.error().code == Code::unauthenticated);
}

void mismatch() {
  auto engine = open_engine({});
  const TenantScope scope(acme);
  auto refused = engine.meter().for_tenant(globex).call([&] { return openai.chat(""); });
  CHECK(!refused && refused.error().code == Code::permission_denied);
}

// ---------------------------------------------------------------- integrations

void by_subdomain() {
  auto engine = open_engine(
      {.tenant_resolver = "subdomain",
       .tenancy = {.central_domains = {"www.example.com"}, .base_domains = {"example.com"}}});
  auto reply = engine.meter(app::Request{.host = "ACME.example.com:8443"}).call([&] {
    return openai.chat("");
  });
  CHECK(reply && reply->record().account.tenant.text == "acme");
}

void by_path() {
  auto engine = open_engine({.tenant_resolver = "path", .tenancy = {.path_prefix = "/t"}});
  auto reply = engine.meter(app::Request{.path = "/t/acme/chat?stream=1"}).call([&] {
    return openai.chat("");
  });
  CHECK(reply && reply->record().account.tenant.text == "acme");
}

void by_header() {
  auto engine =
      open_engine({.tenant_resolver = "header", .tenancy = {.trusted_proxies = {"10.0.0.0/8"}}});
  app::Request request{.peer = "10.1.2.3", .headers = {{"X-Tenant", "acme"}}};
  CHECK(engine.meter(request).call([&] { return openai.chat(""); }));

  request.peer = "203.0.113.9";  // somebody else: refused, not passed over
  auto refused = engine.meter(request).call([&] { return openai.chat("never asked"); });
  CHECK(!refused && refused.error().code == Code::permission_denied);
}

void by_request_data() {
  auto engine = open_engine({.tenant_resolver = "request_data"});
  const app::Request request{.query = {{"tenant", "acme"}}};
  auto reply = engine.meter(request).call([&] { return openai.chat(""); });
  CHECK(reply && reply->record().account.tenant.text == "acme");
}

void an_object_of_the_hosts() {
  auto engine = open_engine({.tenant_resolver = "current"});
  const app::Tenant* current = &acme;  // tenant() of the host's tenancy package
  auto reply = engine.run_as(*current, [&] {
    return engine.meter().for_user(user).call([&] { return openai.chat(""); });
  });
  CHECK(reply && reply->record().account.tenant.text == "7");
}

// ---------------------------------------------------------------- queries, plans

void queries() {
  auto engine = open_engine({});
  for (const app::Tenant* tenant : {&acme, &acme, &globex}) {
    CHECK(engine.meter()
              .for_tenant(*tenant)
              .for_user(user)
              .using_provider("openai", "gpt-4o-mini")
              .feature("chat")
              .call([&] { return openai.chat(""); }));
  }
  auto all = engine.tenant(acme).usages().get();
  CHECK(all && all->size() == 2);

  auto some = engine.tenant("7").usages().by_user("42").by_model("gpt-4o-mini").sum();
  CHECK(some && some->total_tokens.count == 60);

  const aimeter::Period month(
      {.type = aimeter::Period::Type::monthly, .timezone = "Europe/Berlin"});
  auto now = month.at(aimeter::system_clock().now());
  CHECK(engine.tenant("7").usages().by_feature("chat").in_period(now).get()->size() == 2);

  CHECK(engine.tenant("9").usages().get()->empty());
  CHECK(engine.admin().tenants()->size() == 2);
  CHECK(aimeter::testing::leaks_between(engine, "7", "8").empty());
}

void plans() {
  auto engine = open_engine({});
  CHECK(engine.admin().create_plan({.name = "Enterprise Plan",
                                    .slug = "enterprise",
                                    .monthly_token_limit = Tokens{10'000'000}}));
  CHECK(engine.tenant(acme).create_plan(
      {.name = "Acme only", .slug = "small", .monthly_token_limit = Tokens{50}}));

  auto subscription =
      engine.tenant(acme).subscribe({.billable = app::billable_of(acme), .plan = "enterprise"});
  CHECK(subscription);
  CHECK(engine.tenant(acme).active_plan(app::billable_of(acme))->slug == "enterprise");

  CHECK(engine.tenant(acme).migrate_plan(app::billable_of(acme),
                                         {.to = "small", .expect_from = "enterprise"}));
  CHECK(engine.meter().for_tenant(acme).call([&] { return openai.chat(""); }));
  CHECK(engine.tenant(acme).check_limit(acme)->remaining_tokens == Tokens{20});

  auto refused = engine.meter().for_tenant(acme).expecting({.tokens = Tokens{21}}).call([&] {
    return openai.chat("never asked");
  });
  CHECK(!refused && refused.error().code == Code::quota_exceeded);

  auto elsewhere =
      engine.tenant(globex).subscribe({.billable = app::billable_of(globex), .plan = "small"});
  CHECK(!elsewhere && elsewhere.error().code == Code::not_found);
}

}  // namespace

int main() {
  register_a_resolver();
  the_hosts_own_request();
  explicit_tenant();
  ambient_tenant();
  mismatch();
  by_subdomain();
  by_path();
  by_header();
  by_request_data();
  an_object_of_the_hosts();
  queries();
  plans();
  std::puts("all examples hold");
  return 0;
}
