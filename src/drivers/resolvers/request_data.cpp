#include <array>

#include "tenancy/resolve.h"

namespace aimeter::drivers {
namespace {

// Header, then query, then cookie: the first that is there. Whoever sends the request chooses, so
// this is for hosts that have checked already that the user belongs to the tenant.
class Driver final : public TenantResolver {
 public:
  explicit Driver(const tenancy::ResolverOptions& options)
      : header_(options.header), query_(options.query), cookie_(options.cookie) {}

  [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context& context) const override {
    std::optional<std::string> text = context.header(header_);
    if (!text) text = context.query(query_);
    if (!text) text = context.cookie(cookie_);
    if (!text) return std::nullopt;
    AIMETER_TRY(TenantId tenant, TenantId::parse(*text));
    return tenant;
  }

 private:
  std::string header_, query_, cookie_;
};

}  // namespace

Result<std::unique_ptr<TenantResolver>> make_resolver_request_data(
    const tenancy::ResolverSetup& setup) {
  const tenancy::ResolverOptions& options = setup.options;
  if (options.header.empty()) return bad_input("tenancy.header", "", "a header's name");
  if (options.query.empty()) return bad_input("tenancy.query", "", "a parameter's name");
  if (options.cookie.empty()) return bad_input("tenancy.cookie", "", "a cookie's name");
  return std::make_unique<Driver>(options);
}

}  // namespace aimeter::drivers
