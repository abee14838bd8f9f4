#include "tenancy/resolve.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <thread>

namespace aimeter {
struct HostTenant {
  int number = 0;
};
std::string tenant_id_of(const HostTenant& tenant) { return std::to_string(tenant.number); }

namespace tenancy {
namespace {

using State = Ambient::State;

TEST(TenantId, parse_keeps_every_byte_of_a_good_id) {
  for (const char* text :
       {"7", " acme ", "ACME", "../acme", "a'; DROP TABLE x;--", "Ünï", "аcme"}) {
    EXPECT_EQ(TenantId::parse(text).value().text, text);
  }
  EXPECT_NE(TenantId::parse("acme").value(), TenantId::parse("аcme").value()) << "a Cyrillic a";
  EXPECT_TRUE(TenantId::parse(std::string(191, 'x')).has_value());
}

TEST(TenantId, parse_refuses_what_is_no_id) {
  for (const std::string& text :
       {std::string(), std::string(192, 'x'), std::string("a\0b", 3), std::string("a\nb"),
        std::string("\xff"), std::string("\xc0\xaf")}) {
    const auto tenant = TenantId::parse(text);
    ASSERT_FALSE(tenant.has_value());
    EXPECT_EQ(tenant.error().code, Code::invalid_argument);
    EXPECT_TRUE(tenant.error().message.starts_with("tenant: \"")) << tenant.error().message;
    EXPECT_NE(tenant.error().message.find("1 to 191 bytes of UTF-8"), std::string::npos);
  }
}

TEST(TenantScope, nests_and_central_is_no_tenant) {
  EXPECT_EQ(TenantScope::current(), std::nullopt);
  EXPECT_EQ(ambient(), Ambient{});
  {
    const TenantScope outer("7");
    EXPECT_EQ(TenantScope::current(), TenantId{"7"});
    {
      const TenantScope inner(HostTenant{8});
      EXPECT_EQ(TenantScope::current(), TenantId{"8"});
      const TenantScope central = TenantScope::central();
      EXPECT_EQ(TenantScope::current(), std::nullopt);
      EXPECT_EQ(ambient(), Ambient{.state = State::central});
    }
    EXPECT_EQ(TenantScope::current(), TenantId{"7"});
  }
  EXPECT_EQ(TenantScope::current(), std::nullopt);
}

TEST(TenantScope, belongs_to_its_thread) {
  const TenantScope scope("7");
  std::optional<TenantId> seen = TenantId{"unset"};
  std::jthread([&] { seen = TenantScope::current(); }).join();
  EXPECT_EQ(seen, std::nullopt);
}

TEST(TenantScope, a_bad_id_never_means_no_tenant) {
  const TenantScope outer("7");
  for (const std::string& bad : {std::string(), std::string("a\nb"), std::string(192, 'x')}) {
    const TenantScope scope{std::string_view(bad)};
    EXPECT_EQ(ambient().state, State::bad);
    ASSERT_TRUE(TenantScope::current().has_value());
    EXPECT_FALSE(TenantId::parse(TenantScope::current()->text).has_value());
  }
}

TEST(TenantScopeDeath, ends_on_its_thread_and_in_order) {
  EXPECT_DEATH(
      {
        auto scope = std::make_unique<TenantScope>("7");
        std::jthread([&] { scope.reset(); }).join();
      },
      "broken invariant: thread_");
  EXPECT_DEATH(
      {
        auto outer = std::make_unique<TenantScope>("7");
        const TenantScope inner("8");
        outer.reset();
      },
      "broken invariant: depth_");
}

// A resolver that says what its test wants.
class Says final : public TenantResolver {
 public:
  explicit Says(Result<std::optional<TenantId>> answer) : answer_(std::move(answer)) {}
  [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context&) const override {
    return answer_;
  }

 private:
  Result<std::optional<TenantId>> answer_;
};
class Throws final : public TenantResolver {
 public:
  [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context&) const override {
    throw std::runtime_error("no database");
  }
};

enum class Finds { null, nothing, nine, empty, not_found, throws };
std::unique_ptr<TenantResolver> resolver_that(Finds finds) {
  switch (finds) {
    case Finds::null:
      return nullptr;
    case Finds::nothing:
      return std::make_unique<Says>(std::nullopt);
    case Finds::nine:
      return std::make_unique<Says>(TenantId{"9"});
    case Finds::empty:
      return std::make_unique<Says>(TenantId{});
    case Finds::not_found:
      return std::make_unique<Says>(fail(Code::not_found, "unknown host"));
    case Finds::throws:
      return std::make_unique<Throws>();
  }
  return nullptr;
}

enum class Request { none, given };
struct Row {
  std::string_view says;
  std::string_view explicit_tenant;  // "-" = none
  Ambient ambient;
  Request request;
  Finds finds;
  OnMismatch on_mismatch;
  std::string_view found;  // "TENANT by HOW", or the code of the error
};

constexpr auto kRefuse = OnMismatch::refuse;
constexpr auto kWins = OnMismatch::explicit_wins;
const Ambient kNone, kCentral{State::central}, kSeven{State::tenant, "7"}, kBad{State::bad, "a\nb"},
    kEmpty{State::bad, ""};

const Row kRows[] = {
    {"null resolver: a call may have no tenant", "-", kNone, Request::none, Finds::null, kRefuse,
     " by none"},
    {"a resolver makes the tenant required", "-", kNone, Request::given, Finds::nothing, kRefuse,
     "unauthenticated"},
    {"required, without a request too", "-", kNone, Request::none, Finds::nothing, kRefuse,
     "unauthenticated"},
    {"the resolver's tenant", "-", kNone, Request::given, Finds::nine, kRefuse,
     "9 by resolver:test"},
    {"a resolver that needs no request", "-", kNone, Request::none, Finds::nine, kRefuse,
     "9 by resolver:test"},
    {"the explicit tenant goes before the resolver", "8", kNone, Request::given, Finds::nine,
     kRefuse, "8 by explicit"},
    {"... and before a resolver that would fail", "8", kNone, Request::given, Finds::not_found,
     kRefuse, "8 by explicit"},
    {"a resolver that fails refuses the call", "-", kNone, Request::given, Finds::not_found,
     kRefuse, "not_found"},
    {"... in a scope too", "-", kSeven, Request::given, Finds::not_found, kRefuse, "not_found"},
    {"a resolver that throws refuses the call", "-", kNone, Request::given, Finds::throws, kRefuse,
     "unavailable"},
    {"an empty id of a resolver is no tenant and no call", "-", kNone, Request::given, Finds::empty,
     kRefuse, "invalid_argument"},
    {"the scope's tenant", "-", kSeven, Request::none, Finds::null, kRefuse, "7 by ambient"},
    {"a scope needs no resolver when there is no request", "-", kSeven, Request::none, Finds::nine,
     kRefuse, "7 by ambient"},
    {"the scope when the request names none", "-", kSeven, Request::given, Finds::nothing, kRefuse,
     "7 by ambient"},
    {"the request names another tenant than the scope", "-", kSeven, Request::given, Finds::nine,
     kRefuse, "permission_denied"},
    {"... explicit_wins", "-", kSeven, Request::given, Finds::nine, kWins, "9 by resolver:test"},
    {"explicit inside its own scope", "7", kSeven, Request::none, Finds::null, kRefuse,
     "7 by explicit"},
    {"explicit inside another tenant's scope is refused", "8", kSeven, Request::none, Finds::null,
     kRefuse, "permission_denied"},
    {"... explicit_wins", "8", kSeven, Request::none, Finds::null, kWins, "8 by explicit"},
    {"explicit inside central", "8", kCentral, Request::none, Finds::nothing, kRefuse,
     "8 by explicit"},
    {"central without a tenant, none required", "-", kCentral, Request::none, Finds::null, kRefuse,
     " by none"},
    {"central without a tenant, one required", "-", kCentral, Request::none, Finds::nine, kRefuse,
     "unauthenticated"},
    {"central with a request", "-", kCentral, Request::given, Finds::nine, kRefuse,
     "9 by resolver:test"},
    {"a bad scope refuses", "-", kBad, Request::none, Finds::null, kRefuse, "invalid_argument"},
    {"an empty scope refuses", "-", kEmpty, Request::none, Finds::null, kRefuse,
     "invalid_argument"},
    {"a bad scope refuses whatever the request says", "-", kBad, Request::given, Finds::nine, kWins,
     "invalid_argument"},
    {"a bad scope refuses an explicit tenant", "8", kBad, Request::none, Finds::null, kWins,
     "invalid_argument"},
    {"a bad explicit tenant", "a\nb", kNone, Request::none, Finds::null, kRefuse,
     "invalid_argument"},
    {"an empty explicit tenant", "", kNone, Request::none, Finds::null, kRefuse,
     "invalid_argument"},
};

TEST(Tenancy, resolve_table) {
  const Context context;
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.says);
    const ResolverOptions options{.resolver = row.finds == Finds::null ? "null" : "test",
                                  .on_mismatch = row.on_mismatch};
    const Tenancy tenancy(Tenancy::rules_of(options), resolver_that(row.finds));
    Asked asked{.ambient = row.ambient};
    if (row.explicit_tenant != "-")
      asked.explicit_tenant = TenantId{std::string(row.explicit_tenant)};
    if (row.request == Request::given) asked.context = &context;
    const auto found = tenancy.resolve(asked);
    EXPECT_EQ(found ? found->tenant.text + " by " + found->found_by
                    : std::string(name_of(found.error().code)),
              row.found)
        << (found ? "" : found.error().message);
  }
}

TEST(Tenancy, errors_name_both_tenants_and_the_resolver) {
  const Tenancy null_tenancy(Tenancy::rules_of({}), nullptr);
  EXPECT_EQ(
      null_tenancy.resolve({.explicit_tenant = TenantId{"8"}, .ambient = kSeven}).error().message,
      "tenant: \"8\" (explicit) was named inside the scope of tenant \"7\"; expected the same, "
      "or tenancy.on_mismatch = \"explicit_wins\"");
  const Tenancy domain(Tenancy::rules_of({.resolver = "domain"}), resolver_that(Finds::nothing));
  EXPECT_EQ(domain.resolve({}).error().message,
            "tenant: none was found by resolver \"domain\"; expected one in the request, a "
            "TenantScope or for_tenant()");
}

TEST(Tenancy, required_follows_the_resolver_unless_it_is_set) {
  EXPECT_FALSE(Tenancy::rules_of({}).required);
  EXPECT_TRUE(Tenancy::rules_of({.resolver = "domain"}).required);
  EXPECT_FALSE(Tenancy::rules_of({.resolver = "domain", .required = false}).required);
  EXPECT_TRUE(Tenancy::rules_of({.required = true}).required);
  const Tenancy free(Tenancy::rules_of({.resolver = "domain", .required = false}),
                     resolver_that(Finds::nothing));
  EXPECT_EQ(free.resolve({}).value(), (Resolved{.tenant = {}, .found_by = "none"}));
}

TEST(Tenancy, on_mismatch_by_name) {
  EXPECT_EQ(parse_on_mismatch("tenancy.on_mismatch", "refuse").value(), OnMismatch::refuse);
  EXPECT_EQ(parse_on_mismatch("tenancy.on_mismatch", "explicit_wins").value(),
            OnMismatch::explicit_wins);
  EXPECT_EQ(parse_on_mismatch("tenancy.on_mismatch", "").error().message,
            "tenancy.on_mismatch: \"\" is not accepted; expected refuse or explicit_wins");
}

}  // namespace
}  // namespace tenancy
}  // namespace aimeter
