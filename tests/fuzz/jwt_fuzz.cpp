// Tokens of a JWT, by the first byte: as they came; header and claims (a line each) signed by us,
// so that what stands behind the signature is reached; or settings of a resolver.
// Package: drivers
// Parser: src/drivers/resolvers/jwt.cpp
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>
#include <string>

#include "base/hash.h"
#include "base/json.h"
#include "drivers/resolvers.h"
#include "tests/fuzz/input.h"
#include "time/manual_clock.h"

namespace aimeter::fuzz {
namespace {

constexpr std::int64_t kNow = 1'773'532'800;  // 2026-03-15
const std::string kSecret(64, 's');
const std::string kIssuer = "https://id.example", kAudience = "aimeter";

std::string pem_of(EVP_PKEY* generated) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(generated, EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PUBKEY(bio.get(), key.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

using Resolver = std::unique_ptr<TenantResolver>;
Result<Resolver> make(const tenancy::JwtOptions& jwt) {
  static const time::ManualClock kClock{Instant(std::chrono::seconds(kNow))};
  const tenancy::ResolverOptions options{.resolver = "jwt", .jwt = jwt};
  return drivers::make_resolver("jwt", {.options = options, .ports = {.clock = &kClock}});
}
Resolver made(const tenancy::JwtOptions& jwt) {
  Result<Resolver> resolver = make(jwt);
  AIMETER_ASSERT(resolver.has_value());
  return *std::move(resolver);
}

Result<std::optional<TenantId>> resolve(const TenantResolver& resolver, const std::string& token) {
  Context context;
  context.header = [&](std::string_view name) -> std::optional<std::string> {
    if (name != "Authorization") return std::nullopt;
    return "Bearer " + token;
  };
  return resolver.resolve(context);
}

// Nobody but us has a key: none of these can be right.
void expect_refused(const std::string& token) {
  static const Resolver kResolvers[] = {
      made({.key = kSecret, .algorithms = {"HS256", "HS384", "HS512"}}),
      made({.key = pem_of(EVP_RSA_gen(2'048)), .algorithms = {"RS256", "RS384", "RS512"}}),
      made({.key = pem_of(EVP_EC_gen("P-256")), .algorithms = {"ES256"}}),
      made({.key = pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")),
            .algorithms = {"EdDSA"}})};
  for (const Resolver& resolver : kResolvers) {
    const auto tenant = resolve(*resolver, token);
    AIMETER_ASSERT(!tenant.has_value() || !tenant->has_value());
    if (!tenant) AIMETER_ASSERT(tenant.error().code == Code::unauthenticated);
  }
}

std::string signed_token(std::string_view header, std::string_view claims) {
  const std::string text = base::base64url(header) + "." + base::base64url(claims);
  std::string made(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  HMAC(EVP_sha256(), kSecret.data(), static_cast<int>(kSecret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       reinterpret_cast<unsigned char*>(made.data()), &size);
  made.resize(size);
  return text + "." + base::base64url(made);
}

bool is_text(const base::Json* value, std::string_view text) {
  return value != nullptr && value->kind() == base::Json::Kind::string && value->string() == text;
}

// A tenant comes out only where every claim says so.
void expect_rightful(std::string_view header, std::string_view claims) {
  static const Resolver kResolver =
      made({.key = kSecret, .issuer = kIssuer, .audience = kAudience, .algorithms = {"HS256"}});
  const auto tenant = resolve(*kResolver, signed_token(header, claims));
  if (!tenant) {
    AIMETER_ASSERT(tenant.error().code == Code::unauthenticated ||
                   tenant.error().code == Code::invalid_argument);
    return;
  }
  AIMETER_ASSERT(tenant->has_value());
  const auto head = base::Json::parse("header", header);
  const auto body = base::Json::parse("claims", claims);
  AIMETER_ASSERT(head && body);
  AIMETER_ASSERT(is_text(head->find("alg"), "HS256"));
  AIMETER_ASSERT(is_text(body->find("iss"), kIssuer));
  AIMETER_ASSERT(body->find("aud") != nullptr);
  AIMETER_ASSERT(body->find("exp") != nullptr);
  const auto expires = body->find("exp")->integer("exp");
  AIMETER_ASSERT(!expires || *expires + 60 > kNow);  // "1773536400.5" is no integer
  const base::Json* claim = body->find("tenant_id");
  AIMETER_ASSERT(is_text(claim, (*tenant)->text) || claim->literal() == (*tenant)->text ||
                 claim->literal() == "-0");
}

// An algorithm a line, then an empty line, then the key.
void expect_settings(Input& input) {
  tenancy::JwtOptions options;
  while (!input.empty()) {
    const std::string_view name = input.until('\n');
    if (name.empty()) break;
    options.algorithms.emplace_back(name);
  }
  options.key = std::string(input.rest());
  const Result<Resolver> resolver = make(options);
  if (resolver) return;
  AIMETER_ASSERT(resolver.error().code == Code::invalid_argument);
  const bool named = std::ranges::any_of(options.algorithms, [&](const std::string& name) {
    return name.find(options.key) != std::string::npos;  // then a message may show that name
  });
  AIMETER_ASSERT(options.key.size() < 16 || named ||
                 resolver.error().message.find(options.key) == std::string::npos);
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.byte() % 4;
  if (choice == 0) {
    fuzz::expect_refused(std::string(input.rest()));
  } else if (choice == 3) {
    fuzz::expect_settings(input);
  } else {
    const std::string_view header = input.until('\n');
    fuzz::expect_rightful(header, input.rest());
  }
  return 0;
}
