#include "tenancy/resolve.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "base/ids.h"

namespace aimeter::tenancy {
namespace {

// The host's own resolver may throw; nothing crosses this border.
Result<TracingResolver::Found> ask(const TenantResolver& resolver, const Context& context) {
  try {
    if (const auto* tracing = dynamic_cast<const TracingResolver*>(&resolver)) {
      return tracing->trace(context);
    }
    AIMETER_TRY(std::optional<TenantId> tenant, resolver.resolve(context));
    return TracingResolver::Found{.tenant = std::move(tenant)};
  } catch (const std::exception& thrown) {
    return fail(Code::unavailable, fmt::format("tenant resolver: threw: {}", thrown.what()));
  }
}

}  // namespace

Result<OnMismatch> parse_on_mismatch(std::string_view field, std::string_view text) {
  if (text == "refuse") return OnMismatch::refuse;
  if (text == "explicit_wins") return OnMismatch::explicit_wins;
  return bad_input(field, text, "refuse or explicit_wins");
}

Tenancy::Rules Tenancy::rules_of(const ResolverOptions& options) {
  return {.resolver = options.resolver,
          .required = options.required.value_or(options.resolver != "null"),
          .on_mismatch = options.on_mismatch};
}

Tenancy::Tenancy(Rules rules, std::unique_ptr<TenantResolver> resolver)
    : rules_(std::move(rules)), resolver_(std::move(resolver)) {}

Result<Resolved> Tenancy::resolve(const Asked& asked) const {
  AIMETER_TRY(Resolved found, find(asked));
  if (!found.tenant.text.empty() || !rules_.required) return found;
  return fail(Code::unauthenticated,
              fmt::format("tenant: none was found by resolver \"{}\"; expected one in the request, "
                          "a TenantScope or for_tenant()",
                          rules_.resolver));
}

Result<Resolved> Tenancy::find(const Asked& asked) const {
  if (asked.explicit_tenant) {
    AIMETER_CHECK_OK(base::check_id("tenant", asked.explicit_tenant->text));
    Resolved found{.tenant = *asked.explicit_tenant, .found_by = "explicit"};
    AIMETER_CHECK_OK(check_mismatch(found, asked.ambient));
    return found;
  }
  const Ambient& ambient = asked.ambient;
  if (ambient.state == Ambient::State::tenant || ambient.state == Ambient::State::bad) {
    AIMETER_CHECK_OK(base::check_id("tenant scope", ambient.text));
  }
  Resolved found{.found_by = "none"};
  // Without a request a scope has said all there is to say.
  if (asked.context != nullptr || ambient.state == Ambient::State::none) {
    AIMETER_TRY(found, from_resolver(asked));
    AIMETER_CHECK_OK(check_mismatch(found, ambient));
  }
  if (!found.tenant.text.empty()) return found;
  if (ambient.state == Ambient::State::tenant) {
    return Resolved{.tenant = TenantId{ambient.text}, .found_by = "ambient"};
  }
  return found;
}

// Nothing found: tenant "", by "none".
Result<Resolved> Tenancy::from_resolver(const Asked& asked) const {
  static const Context kNoRequest;
  if (!resolver_) return Resolved{.found_by = "none"};
  AIMETER_TRY(TracingResolver::Found found,
              ask(*resolver_, asked.context != nullptr ? *asked.context : kNoRequest));
  if (!found.tenant) return Resolved{.found_by = "none"};
  AIMETER_CHECK_OK(base::check_id("tenant", found.tenant->text));
  return Resolved{
      .tenant = *std::move(found.tenant),
      .found_by = fmt::format("resolver:{}", found.by.empty() ? rules_.resolver : found.by)};
}

Status Tenancy::check_mismatch(const Resolved& found, const Ambient& ambient) const {
  if (ambient.state == Ambient::State::none || ambient.state == Ambient::State::central) return {};
  if (found.tenant.text.empty()) return {};
  if (ambient.state == Ambient::State::bad) return base::check_id("tenant scope", ambient.text);
  if (ambient.text == found.tenant.text) return {};
  if (rules_.on_mismatch == OnMismatch::explicit_wins) return {};
  return fail(
      Code::permission_denied,
      fmt::format("tenant: \"{}\" ({}) was named inside the scope of tenant \"{}\"; expected "
                  "the same, or tenancy.on_mismatch = \"explicit_wins\"",
                  found.tenant.text, found.found_by, ambient.text));
}

}  // namespace aimeter::tenancy
