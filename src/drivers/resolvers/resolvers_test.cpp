#include "drivers/resolvers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/ids.h"
#include "time/manual_clock.h"

namespace aimeter::drivers {
namespace {

using tenancy::ApiScope;
using Map = std::map<std::string, std::string>;

const Instant kNow = std::chrono::sys_days(std::chrono::year(2026) / 3 / 15);

class Domains final : public tenancy::DomainLookup {
 public:
  [[nodiscard]] Result<std::optional<TenantId>> tenant_of_domain(
      std::string_view host) const override {
    if (host == "down.example.com") return fail(Code::unavailable, "store down");
    if (host == "acme.example.com" || host == "2001:db8::1") return TenantId{"7"};
    return std::nullopt;
  }
};

class Keys final : public tenancy::ApiKeyLookup {
 public:
  std::string add(std::string tenant, std::vector<ApiScope> scopes) {
    const tenancy::NewApiKey key = tenancy::make_api_key();
    records[key.id] = {.id = key.id,
                       .tenant = {std::move(tenant)},
                       .secret_sha256 = key.secret_sha256,
                       .scopes = std::move(scopes)};
    return key.text;
  }
  [[nodiscard]] Result<std::optional<tenancy::ApiKeyRecord>> find(
      std::string_view id) const override {
    const auto found = records.find(std::string(id));
    return found == records.end() ? std::nullopt : std::optional(found->second);
  }
  std::map<std::string, tenancy::ApiKeyRecord> records;
};

struct Given {  // one request
  std::string host = {}, path = {}, peer = {};
  Map headers = {}, query = {}, cookies = {};
};

Context context_of(const Given& given) {
  const auto lookup = [](Map map) {
    return [map = std::move(map)](std::string_view name) -> std::optional<std::string> {
      const auto found = map.find(std::string(name));
      if (found == map.end()) return std::nullopt;
      return found->second;
    };
  };
  Context context;
  context.host = given.host;
  context.path = given.path;
  context.peer = given.peer;
  context.header = lookup(given.headers);
  context.query = lookup(given.query);
  context.cookie = lookup(given.cookies);
  return context;
}

class Resolvers : public ::testing::Test {
 protected:
  [[nodiscard]] Result<std::unique_ptr<TenantResolver>> make(
      const tenancy::ResolverOptions& options) const {
    return make_resolver(options.resolver, {.options = options, .ports = ports});
  }
  // The tenant, "-" for none, or the code of the error.
  static std::string answer(const TenantResolver& resolver, const Given& given) {
    const auto tenant = resolver.resolve(context_of(given));
    if (!tenant) return std::string(name_of(tenant.error().code));
    return *tenant ? (*tenant)->text : "-";
  }
  struct Row {
    std::string_view says;
    Given given;
    std::string_view expected;
  };
  void expect_table(const tenancy::ResolverOptions& options, const std::vector<Row>& rows) const {
    const auto resolver = make(options);
    ASSERT_TRUE(resolver.has_value()) << resolver.error().message;
    for (const Row& row : rows) {
      SCOPED_TRACE(row.says);
      EXPECT_EQ(answer(**resolver, row.given), row.expected);
    }
  }

  Domains domains;
  Keys keys;
  time::ManualClock clock{kNow};
  tenancy::ResolverPorts ports{.domains = &domains, .keys = &keys, .clock = &clock};
};

TEST_F(Resolvers, null_never_finds_one) {
  expect_table(
      {.resolver = "null"},
      {{"an empty request", {}, "-"},
       {"a full request", {.host = "acme.example.com", .headers = {{"X-Tenant", "7"}}}, "-"}});
}

TEST_F(Resolvers, domain_table) {
  expect_table(
      {.resolver = "domain", .central_domains = {"App.example.com."}},
      {{"a known domain", {.host = "acme.example.com"}, "7"},
       {"port, dot and capitals", {.host = "ACME.Example.com.:8443"}, "7"},
       {"an IPv6 literal", {.host = "[2001:DB8:0::1]:443"}, "7"},
       {"an unknown domain is not_found, never no tenant", {.host = "evil.com"}, "not_found"},
       {"a longer name", {.host = "acme.example.com.evil.com"}, "not_found"},
       {"a deeper name", {.host = "x.acme.example.com"}, "not_found"},
       {"the central domain", {.host = "app.example.com:80"}, "-"},
       {"no host", {}, "-"},
       {"no host name", {.host = "acme.example.com/../"}, "invalid_argument"},
       {"two hosts", {.host = "acme.example.com,evil.com"}, "invalid_argument"},
       {"X-Forwarded-Host is not asked",
        {.host = "evil.com", .headers = {{"X-Forwarded-Host", "acme.example.com"}}},
        "not_found"},
       {"a store that is down refuses", {.host = "down.example.com"}, "unavailable"}});
}

TEST_F(Resolvers, subdomain_table) {
  expect_table({.resolver = "subdomain",
                .base_domains = {"example.com", "EU.example.com"},
                .central_domains = {"www.example.com"}},
               {{"the name in front", {.host = "acme.example.com"}, "acme"},
                {"port, dot and capitals", {.host = "ACME.example.com.:8443"}, "acme"},
                {"the longer base goes first", {.host = "acme.eu.example.com"}, "acme"},
                {"the base itself", {.host = "example.com"}, "-"},
                {"the longer base itself is no tenant eu", {.host = "eu.example.com"}, "-"},
                {"a central domain", {.host = "www.example.com"}, "-"},
                {"no host", {}, "-"},
                {"a deeper name", {.host = "a.b.example.com"}, "not_found"},
                {"a name that only ends like the base", {.host = "evilexample.com"}, "not_found"},
                {"the base in front", {.host = "example.com.evil.com"}, "not_found"},
                {"another host", {.host = "evil.com"}, "not_found"},
                {"an address", {.host = "10.0.0.7"}, "not_found"},
                {"an IPv6 address", {.host = "[::1]"}, "not_found"},
                {"nothing in front of the dot", {.host = ".example.com"}, "invalid_argument"}});
}

TEST_F(Resolvers, path_segment_table) {
  expect_table({.resolver = "path"},
               {{"the first segment", {.path = "/acme/ai/chat"}, "acme"},
                {"alone", {.path = "/acme"}, "acme"},
                {"with a final slash", {.path = "/acme/"}, "acme"},
                {"in front of a query", {.path = "/acme?tenant=evil"}, "acme"},
                {"in front of a fragment", {.path = "/acme#x"}, "acme"},
                {"decoded once", {.path = "/%41cme%2520x/chat"}, "Acme%20x"},
                {"no path", {}, "-"},
                {"the root", {.path = "/"}, "-"},
                {"only a query", {.path = "/?x"}, "-"},
                {"an empty segment", {.path = "//acme"}, "invalid_argument"},
                {"a dot", {.path = "/./acme"}, "invalid_argument"},
                {"two dots", {.path = "/../acme"}, "invalid_argument"},
                {"two dots, encoded", {.path = "/%2e%2E/acme"}, "invalid_argument"},
                {"a slash, encoded", {.path = "/a%2fb"}, "invalid_argument"},
                {"a backslash", {.path = "/a\\b"}, "invalid_argument"},
                {"NUL, encoded", {.path = "/a%00b"}, "invalid_argument"},
                {"a line break, encoded", {.path = "/a%0ab"}, "invalid_argument"},
                {"half a code", {.path = "/a%4"}, "invalid_argument"},
                {"no code", {.path = "/a%zz"}, "invalid_argument"},
                {"bytes that are no UTF-8", {.path = "/%ff"}, "invalid_argument"},
                {"UTF-8, encoded", {.path = "/%C3%BC"}, "ü"},
                {"192 bytes", {.path = "/" + std::string(192, 'x')}, "invalid_argument"},
                {"no slash in front", {.path = "acme/chat"}, "invalid_argument"},
                {"a URL", {.path = "http://acme/"}, "invalid_argument"}});
}

TEST_F(Resolvers, path_settings_table) {
  expect_table({.resolver = "path", .path_segment = 3},
               {{"the third", {.path = "/api/v1/acme/chat"}, "acme"},
                {"too short", {.path = "/api/v1"}, "-"},
                {"too short with a final slash", {.path = "/api/v1/"}, "-"},
                {"a dot on the way", {.path = "/api/../acme"}, "invalid_argument"}});
  expect_table({.resolver = "path", .path_segment = 9, .path_prefix = "/t"},
               {{"behind the prefix", {.path = "/t/acme/chat"}, "acme"},
                {"the prefix in another spelling", {.path = "/%74/acme"}, "acme"},
                {"another prefix", {.path = "/u/acme"}, "-"},
                {"a longer segment is another", {.path = "/tt/acme"}, "-"},
                {"nothing behind it", {.path = "/t/"}, "-"},
                {"an empty segment behind it", {.path = "/t//acme"}, "invalid_argument"}});
}

TEST_F(Resolvers, query_table) {
  expect_table(
      {.resolver = "query"},
      {{"the parameter", {.query = {{"tenant", "7"}}}, "7"},
       {"none", {}, "-"},
       {"an empty one is no tenant and no call", {.query = {{"tenant", ""}}}, "invalid_argument"},
       {"a header is not asked", {.headers = {{"X-Tenant", "7"}}}, "-"},
       {"quotes are bytes like others", {.query = {{"tenant", "a' OR '1'='1"}}}, "a' OR '1'='1"}});
  expect_table({.resolver = "query", .query = "team"},
               {{"another name", {.query = {{"team", "7"}, {"tenant", "8"}}}, "7"}});
}

TEST_F(Resolvers, request_data_table) {
  expect_table(
      {.resolver = "request_data"},
      {{"the header", {.headers = {{"X-Tenant", "7"}}}, "7"},
       {"the query", {.query = {{"tenant", "7"}}}, "7"},
       {"the cookie", {.cookies = {{"tenant", "7"}}}, "7"},
       {"the header first",
        {.headers = {{"X-Tenant", "7"}}, .query = {{"tenant", "8"}}, .cookies = {{"tenant", "9"}}},
        "7"},
       {"then the query", {.query = {{"tenant", "8"}}, .cookies = {{"tenant", "9"}}}, "8"},
       {"a bad header is not passed over",
        {.headers = {{"X-Tenant", ""}}, .query = {{"tenant", "8"}}},
        "invalid_argument"},
       {"none", {}, "-"}});
}

TEST_F(Resolvers, header_table) {
  const std::string acting = keys.add("", {ApiScope::act_as_tenant});
  const std::string plain = keys.add("", {ApiScope::meter, ApiScope::admin});
  const std::string own = keys.add("7", {ApiScope::act_as_tenant});
  const auto with_key = [](std::string key, std::string tenant) {
    return Given{.peer = "203.0.113.9",
                 .headers = {{"X-Tenant", std::move(tenant)},
                             {"Authorization", "Bearer " + std::move(key)}}};
  };
  expect_table(
      {.resolver = "header", .trusted_proxies = {"10.0.0.0/8", "::1"}},
      {{"from a trusted proxy", {.peer = "10.1.2.3", .headers = {{"X-Tenant", "7"}}}, "7"},
       {"mapped into IPv6", {.peer = "::ffff:10.1.2.3", .headers = {{"X-Tenant", "7"}}}, "7"},
       {"from IPv6", {.peer = "::1", .headers = {{"X-Tenant", "7"}}}, "7"},
       {"from elsewhere: refused, not passed over",
        {.peer = "203.0.113.9", .headers = {{"X-Tenant", "7"}}},
        "permission_denied"},
       {"from nowhere", {.headers = {{"X-Tenant", "7"}}}, "permission_denied"},
       {"from a peer that is no address",
        {.peer = "10.1.2.3, 203.0.113.9", .headers = {{"X-Tenant", "7"}}},
        "permission_denied"},
       {"X-Forwarded-For is not asked",
        {.peer = "203.0.113.9", .headers = {{"X-Tenant", "7"}, {"X-Forwarded-For", "10.1.2.3"}}},
        "permission_denied"},
       {"no header", {.peer = "203.0.113.9"}, "-"},
       {"a bad id from a trusted proxy",
        {.peer = "10.1.2.3", .headers = {{"X-Tenant", "a\nb"}}},
        "invalid_argument"},
       {"with the operator's acting key", with_key(acting, "7"), "7"},
       {"with a key that may not", with_key(plain, "7"), "permission_denied"},
       {"with a tenant's acting key, its own", with_key(own, "7"), "7"},
       {"with a tenant's acting key, another's", with_key(own, "8"), "permission_denied"},
       {"with an unknown key", with_key(tenancy::make_api_key().text, "7"), "unauthenticated"},
       {"with half a key", with_key("aim_1", "7"), "unauthenticated"}});
  expect_table({.resolver = "header", .header = "X-Team"},
               {{"nobody is trusted by default",
                 {.peer = "127.0.0.1", .headers = {{"X-Team", "7"}}},
                 "permission_denied"}});
}

TEST_F(Resolvers, api_key_table) {
  const std::string seven = keys.add("7", {ApiScope::meter});
  const std::string operators = keys.add("", {ApiScope::admin});
  const std::string revoked = keys.add("7", {ApiScope::meter});
  const std::string expired = keys.add("7", {ApiScope::meter});
  keys.records[tenancy::parse_api_key(revoked)->id].revoked_at = kNow;
  keys.records[tenancy::parse_api_key(expired)->id].expires_at = kNow;
  const auto bearer = [](const std::string& key) {
    return Given{.headers = {{"Authorization", "Bearer " + key}}};
  };
  expect_table({.resolver = "api_key"},
               {{"the key's tenant", bearer(seven), "7"},
                {"in X-Api-Key", {.headers = {{"X-Api-Key", seven}}}, "7"},
                {"the operator's key has no tenant", bearer(operators), "-"},
                {"no key", {}, "-"},
                {"somebody else's token", bearer("eyJhbGciOiJIUzI1NiJ9.e30.x"), "-"},
                {"a revoked key", bearer(revoked), "unauthenticated"},
                {"an expired key", bearer(expired), "unauthenticated"},
                {"the secret of another key", bearer(seven.substr(0, 21) + expired.substr(21)),
                 "unauthenticated"},
                {"a key cut short", bearer(seven.substr(0, 84)), "unauthenticated"},
                {"two different keys",
                 {.headers = {{"Authorization", "Bearer " + seven}, {"X-Api-Key", expired}}},
                 "unauthenticated"}});
}

TEST_F(Resolvers, current_is_the_scope_of_the_thread) {
  const auto resolver = make({.resolver = "current"}).value();
  EXPECT_EQ(answer(*resolver, {}), "-");
  const TenantScope scope("7");
  EXPECT_EQ(answer(*resolver, {}), "7");
  const TenantScope central = TenantScope::central();
  EXPECT_EQ(answer(*resolver, {}), "-");
}

TEST_F(Resolvers, chain_takes_the_first_and_stops_at_an_error) {
  const std::string seven = keys.add("7", {ApiScope::meter});
  const std::string acting = keys.add("", {ApiScope::act_as_tenant});
  const auto given = [](const std::string& key, const std::string& tenant) {
    return Given{.headers = {{"X-Api-Key", key}, {"X-Tenant", tenant}}};
  };
  expect_table(
      {.resolver = "chain", .chain = {"api_key", "header"}},
      {{"the first that finds one", given(seven, "8"), "7"},
       {"the operator's key lets the header speak", given(acting, "8"), "8"},
       {"a bad key is never overruled by a header", given("aim_x", "8"), "unauthenticated"},
       {"nobody finds one", {}, "-"}});
}

TEST_F(Resolvers, chain_says_who_found_it) {
  const std::string acting = keys.add("", {ApiScope::act_as_tenant});
  const tenancy::ResolverOptions options{.resolver = "chain", .chain = {"api_key", "header"}};
  const tenancy::Tenancy all(tenancy::Tenancy::rules_of(options), make(options).value());
  const Context context = context_of({.headers = {{"X-Api-Key", acting}, {"X-Tenant", "8"}}});
  EXPECT_EQ(all.resolve({.context = &context}).value(),
            (tenancy::Resolved{.tenant = {"8"}, .found_by = "resolver:header"}));
}

TEST_F(Resolvers, chain_may_contain_the_hosts_own) {
  class Own final : public TenantResolver {
   public:
    [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context&) const override {
      return TenantId{"own"};
    }
  };
  const tenancy::ResolverOptions options{.resolver = "chain", .chain = {"query", "mine"}};
  const tenancy::ResolverSetup setup{
      .options = options, .ports = ports, .make = [&](std::string_view name) {
        using Made = Result<std::unique_ptr<TenantResolver>>;
        if (name == "mine") return Made(std::make_unique<Own>());
        return make_resolver(name, {.options = options, .ports = ports});
      }};
  const auto resolver = make_resolver("chain", setup).value();
  EXPECT_EQ(answer(*resolver, {.query = {{"tenant", "7"}}}), "7");
  EXPECT_EQ(answer(*resolver, {}), "own");
}

TEST_F(Resolvers, bad_settings_are_found_when_it_is_made) {
  struct Setting {
    std::string_view says;
    tenancy::ResolverOptions options;
    std::string_view message;
  };
  for (const Setting& row : std::vector<Setting>{
           {"an unknown name", {.resolver = "no_such"}, "tenancy.resolver: \"no_such\""},
           {"no name", {.resolver = ""}, "tenancy.resolver: \"\""},
           {"a central domain that is none",
            {.resolver = "domain", .central_domains = {"a b"}},
            "tenancy.central_domains: \"a b\""},
           {"no base domain", {.resolver = "subdomain"}, "tenancy.base_domains: \"\""},
           {"an address as base",
            {.resolver = "subdomain", .base_domains = {"10.0.0.7"}},
            "tenancy.base_domains: \"10.0.0.7\""},
           {"segment 0", {.resolver = "path", .path_segment = 0}, "tenancy.path_segment: \"0\""},
           {"segment 33", {.resolver = "path", .path_segment = 33}, "tenancy.path_segment: \"33\""},
           {"a prefix without a slash",
            {.resolver = "path", .path_prefix = "t"},
            "tenancy.path_prefix: \"t\""},
           {"a prefix of dots",
            {.resolver = "path", .path_prefix = "/.."},
            "tenancy.path_prefix: \"/..\""},
           {"a network that is none",
            {.resolver = "header", .trusted_proxies = {"proxy"}},
            "tenancy.trusted_proxies: \"proxy\""},
           {"an empty header", {.resolver = "header", .header = ""}, "tenancy.header: \"\""},
           {"an empty parameter", {.resolver = "query", .query = ""}, "tenancy.query: \"\""},
           {"an empty cookie", {.resolver = "request_data", .cookie = ""}, "tenancy.cookie: \"\""},
           {"an empty chain", {.resolver = "chain"}, "tenancy.chain: \"\""},
           {"a chain in itself",
            {.resolver = "chain", .chain = {"chain"}},
            "tenancy.chain: \"chain\""},
           {"an unknown link",
            {.resolver = "chain", .chain = {"no_such"}},
            "tenancy.resolver: \"no_such\""}}) {
    SCOPED_TRACE(row.says);
    const auto resolver = make(row.options);
    ASSERT_FALSE(resolver.has_value());
    EXPECT_EQ(resolver.error().code, Code::invalid_argument);
    EXPECT_TRUE(resolver.error().message.starts_with(row.message)) << resolver.error().message;
    EXPECT_NE(resolver.error().message.find("expected"), std::string::npos);
  }
}

TEST_F(Resolvers, a_missing_port_is_found_when_it_is_made) {
  ports = {};
  for (const char* name : {"domain", "api_key", "jwt"}) {
    const auto resolver = make({.resolver = name});
    ASSERT_FALSE(resolver.has_value()) << name;
    EXPECT_EQ(resolver.error().code, Code::failed_precondition);
    EXPECT_NE(resolver.error().message.find(name), std::string::npos);
  }
}

// ---------------------------------------------------------------- the contract of every resolver

std::vector<std::string> hostile_texts() {
  return {"",
          std::string(1, '\0'),
          std::string("7\0", 2),
          "../../etc/passwd",
          "%00",
          "%2e%2e%2f",
          "a' OR '1'='1",
          "\"; DROP TABLE ai_usages; --",
          "\xff\xfe",
          "\xc0\xaf",
          "\xed\xa0\x80",
          "a\r\nX-Tenant: 8",
          "\xe2\x80\xae"
          "7",
          "аcme",
          " 7 ",
          std::string(192, 'x'),
          std::string(70'000, '.'),
          std::string(70'000, '/'),
          std::string(1U << 20U, 'A'),
          "[",
          "[]",
          "[::1",
          ":",
          "://",
          "Bearer ",
          "Bearer .",
          "Bearer ..",
          "Bearer ....",
          "Bearer " + std::string(1U << 20U, '.'),
          "Bearer eyJhbGciOiJub25lIn0.e30.",
          "Bearer aim_",
          "Bearer aim_0123456789abcdef_" + std::string(64, '0'),
          "{{7*7}}",
          "${jndi:ldap://x}",
          "*",
          "null",
          "0",
          "-1",
          "1e3"};
}

std::vector<Given> hostile_requests() {
  std::vector<Given> all = {{}};
  for (const std::string& text : hostile_texts()) {
    const Map headers{{"X-Tenant", text}, {"Authorization", text}, {"X-Api-Key", text}};
    all.push_back({.host = text});
    all.push_back({.path = text});
    all.push_back({.path = "/" + text});
    all.push_back({.peer = text, .headers = {{"X-Tenant", "7"}}});
    all.push_back({.peer = "10.0.0.7", .headers = headers});
    all.push_back({.query = {{"tenant", text}}});
    all.push_back({.cookies = {{"tenant", text}}});
    all.push_back({.host = text,
                   .path = text,
                   .peer = text,
                   .headers = headers,
                   .query = {{"tenant", text}},
                   .cookies = {{"tenant", text}}});
  }
  return all;
}

tenancy::ResolverOptions usable_options(std::string_view name) {
  tenancy::ResolverOptions options{.resolver = std::string(name),
                                   .trusted_proxies = {"10.0.0.0/8"},
                                   .base_domains = {"example.com"},
                                   .central_domains = {"app.example.com"},
                                   .chain = {"api_key", "jwt", "domain", "header"}};
  options.jwt.key = std::string(32, 'k');
  options.jwt.algorithms = {"HS256"};
  return options;
}

// A valid tenant, nothing, or a refusal that names what is wrong in a line of bounded length; the
// same each time, from any thread, and never an exception.
TEST_F(Resolvers, contract_of_every_built_in) {
  const std::vector<Given> requests = hostile_requests();
  for (const std::string_view name : resolver_names()) {
    SCOPED_TRACE(name);
    const auto resolver = make(usable_options(name));
    ASSERT_TRUE(resolver.has_value()) << resolver.error().message;
    for (const Given& given : requests) {
      const Context context = context_of(given);
      const auto tenant = (*resolver)->resolve(context);
      if (tenant && *tenant) {
        EXPECT_TRUE(base::check_id("tenant", (*tenant)->text).has_value());
      }
      if (!tenant) {
        EXPECT_FALSE(tenant.error().message.empty());
        EXPECT_LT(tenant.error().message.size(), 600u);
        EXPECT_EQ(tenant.error().message.find('\n'), std::string::npos);
        EXPECT_TRUE(base::is_utf8(tenant.error().message)) << tenant.error().message;
        EXPECT_NE(http_status(tenant.error()), 500) << tenant.error().message;
      }
      const auto again = (*resolver)->resolve(context);
      ASSERT_EQ(again.has_value(), tenant.has_value());
      if (again) {
        EXPECT_EQ(*again, *tenant);
      }
    }
    EXPECT_EQ(answer(**resolver, {}), "-") << "an empty request names nobody";
  }
}

TEST_F(Resolvers, contract_any_thread) {
  const std::string seven = keys.add("7", {ApiScope::meter});
  for (const std::string_view name : resolver_names()) {
    SCOPED_TRACE(name);
    const auto resolver = make(usable_options(name)).value();
    const Given given{.host = "acme.example.com",
                      .path = "/7/chat",
                      .peer = "10.0.0.7",
                      .headers = {{"X-Tenant", "7"}, {"X-Api-Key", seven}},
                      .query = {{"tenant", "7"}}};
    const std::string expected = answer(*resolver, given);
    std::vector<std::string> seen(4);
    {
      std::vector<std::jthread> threads;
      for (std::string& one : seen) {
        threads.emplace_back([&] {
          for (int i = 0; i < 50; ++i) one = answer(*resolver, given);
        });
      }
    }
    EXPECT_EQ(seen, std::vector<std::string>(4, expected));
  }
}

TEST_F(Resolvers, all_names_of_the_documentation_are_there) {
  EXPECT_EQ(resolver_names(), (std::vector<std::string_view>{
                                  "null", "domain", "subdomain", "path", "request_data", "header",
                                  "query", "jwt", "api_key", "current", "chain"}));
}

}  // namespace
}  // namespace aimeter::drivers
