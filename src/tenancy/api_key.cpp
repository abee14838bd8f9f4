#include "tenancy/api_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace aimeter::tenancy {
namespace {

constexpr std::string_view kPrefix = "aim_";
constexpr std::size_t kIdBytes = 8;
constexpr std::size_t kSecretBytes = 32;

constexpr std::array kScopes = {
    std::pair{ApiScope::meter, std::string_view("meter")},
    std::pair{ApiScope::read, std::string_view("read")},
    std::pair{ApiScope::gateway, std::string_view("gateway")},
    std::pair{ApiScope::act_as_tenant, std::string_view("act_as_tenant")},
    std::pair{ApiScope::admin, std::string_view("admin")},
};

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool equal_without_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// One answer for unknown and wrong: an id cannot be probed for.
std::unexpected<Error> not_known() {
  return fail(Code::unauthenticated,
              "api key: not known; expected a key that was made with `keys`");
}

}  // namespace

std::string_view name_of(ApiScope scope) {
  const auto& row = kScopes.at(static_cast<std::size_t>(scope));
  AIMETER_ASSERT(row.first == scope);
  return row.second;
}

Result<ApiScope> parse_api_scope(std::string_view field, std::string_view text) {
  for (const auto& [scope, name] : kScopes) {
    if (name == text) return scope;
  }
  return bad_input(field, text, "meter, read, gateway, act_as_tenant or admin");
}

bool ApiKeyRecord::may(ApiScope scope) const {
  return std::ranges::find(scopes, scope) != scopes.end();
}

NewApiKey make_api_key() {
  NewApiKey key{.id = base::hex(base::random_bytes(kIdBytes))};
  const std::string secret = base::hex(base::random_bytes(kSecretBytes));
  key.text = fmt::format("{}{}_{}", kPrefix, key.id, secret);
  key.secret_sha256 = base::sha256(secret);
  return key;
}

bool looks_like_api_key(std::string_view text) { return text.starts_with(kPrefix); }

Result<ApiKeyText> parse_api_key(std::string_view text) {
  constexpr std::size_t kIdDigits = 2 * kIdBytes, kSecretDigits = 2 * kSecretBytes;
  const bool shape = looks_like_api_key(text) &&
                     text.size() == kPrefix.size() + kIdDigits + 1 + kSecretDigits &&
                     text[kPrefix.size() + kIdDigits] == '_';
  if (shape) {
    const std::string_view id = text.substr(kPrefix.size(), kIdDigits);
    const std::string_view secret = text.substr(text.size() - kSecretDigits);
    if (is_hex(id) && is_hex(secret)) return ApiKeyText{std::string(id), std::string(secret)};
  }
  return fail(Code::unauthenticated,
              "api key: not well formed; expected \"aim_\", 16 hex digits, \"_\", 64 hex digits");
}

Result<ApiKeyRecord> authenticate(std::string_view text, const ApiKeyLookup& keys, Instant now) {
  AIMETER_TRY(const ApiKeyText key, parse_api_key(text));
  AIMETER_TRY(std::optional<ApiKeyRecord> record, keys.find(key.id));
  // An unknown id is compared too, so that it takes as long as a wrong secret.
  const base::Digest given = base::sha256(key.secret);
  const base::Digest stored = record ? record->secret_sha256 : base::Digest{};
  const bool same = base::equal_in_constant_time(base::view_of(given), base::view_of(stored));
  if (!same || !record) return not_known();
  if (record->revoked_at && *record->revoked_at <= now) {
    return fail(Code::unauthenticated,
                fmt::format("api key {}: revoked at {}", record->id, text_of(*record->revoked_at)));
  }
  if (record->expires_at && *record->expires_at <= now) {
    return fail(Code::unauthenticated,
                fmt::format("api key {}: expired at {}", record->id, text_of(*record->expires_at)));
  }
  return *std::move(record);
}

Status require_scope(const ApiKeyRecord& key, ApiScope scope) {
  if (key.may(scope)) return {};
  return fail(Code::permission_denied,
              fmt::format("api key {}: has no scope {}", key.id, name_of(scope)));
}

std::optional<std::string> bearer_of(const Context& context) {
  constexpr std::string_view kBearer = "Bearer ";  // RFC 6750 section 2.1; RFC 9110: any case
  const std::optional<std::string> header = context.header("Authorization");
  if (!header || header->size() < kBearer.size()) return std::nullopt;
  if (!equal_without_case(header->substr(0, kBearer.size()), kBearer)) return std::nullopt;
  const std::size_t begin = header->find_first_not_of(' ', kBearer.size());
  return begin == std::string::npos ? std::string() : header->substr(begin);
}

Result<std::optional<std::string>> api_key_of(const Context& context) {
  std::optional<std::string> bearer = bearer_of(context);
  if (bearer && !looks_like_api_key(*bearer)) bearer.reset();
  std::optional<std::string> own = context.header("X-Api-Key");
  if (own && !looks_like_api_key(*own)) own.reset();
  if (bearer && own && *bearer != *own) {
    return fail(Code::unauthenticated,
                "api key: Authorization and X-Api-Key carry different keys; expected one");
  }
  return bearer ? std::move(bearer) : std::move(own);
}

}  // namespace aimeter::tenancy
