// Package:       tenancy
// Units:         256 random bits in a secret
// Errors:        unauthenticated (not a key, unknown, wrong, revoked, expired), permission_denied
//                (a scope is missing). No error, log or record ever carries the secret.
// Thread safety: pure functions; a lookup is called from any thread.
// Ownership:     a lookup is borrowed.
//
// API keys: "aim_<id>_<secret>", 16 and 64 hex digits. The id finds the record, whose SHA-256 of
// the secret is compared in constant time. The text is shown once, when the key is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/result.h"
#include "aimeter/tenant.h"
#include "aimeter/time.h"
#include "base/hash.h"

namespace aimeter::tenancy {

enum class ApiScope { meter, read, gateway, act_as_tenant, admin };
[[nodiscard]] std::string_view name_of(ApiScope scope);
[[nodiscard]] Result<ApiScope> parse_api_scope(std::string_view field, std::string_view text);

struct ApiKeyRecord {  // what is stored
  std::string id = {};
  TenantId tenant = {};  // "" = the operator's key
  base::Digest secret_sha256 = {};
  std::vector<ApiScope> scopes = {};
  std::optional<Instant> expires_at = {}, revoked_at = {};
  [[nodiscard]] bool may(ApiScope scope) const;
};

struct NewApiKey {
  std::string text = {};  // to be shown once and then forgotten
  std::string id = {};
  base::Digest secret_sha256 = {};
};
[[nodiscard]] NewApiKey make_api_key();

struct ApiKeyText {
  std::string id = {}, secret = {};
};
[[nodiscard]] Result<ApiKeyText> parse_api_key(std::string_view text);
// True for everything that says it is one of our keys, well formed or not.
[[nodiscard]] bool looks_like_api_key(std::string_view text);

// Port: finds the record of a key id. Implemented by whoever has the store.
class ApiKeyLookup {
 public:
  virtual ~ApiKeyLookup() = default;
  [[nodiscard]] virtual Result<std::optional<ApiKeyRecord>> find(std::string_view id) const = 0;
};

// The record of a key that is known, right, not revoked and not expired at `now`.
[[nodiscard]] Result<ApiKeyRecord> authenticate(std::string_view text, const ApiKeyLookup& keys,
                                                Instant now);
[[nodiscard]] Status require_scope(const ApiKeyRecord& key, ApiScope scope);

// The key that a request carries: "Authorization: Bearer aim_...", or X-Api-Key. Nothing: it
// carries none of ours. Errors: unauthenticated, when it carries two different ones.
[[nodiscard]] Result<std::optional<std::string>> api_key_of(const Context& context);
// The credentials behind "Bearer", whatever they are.
[[nodiscard]] std::optional<std::string> bearer_of(const Context& context);

}  // namespace aimeter::tenancy
