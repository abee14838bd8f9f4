#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "drivers/resolvers.h"
#include "time/manual_clock.h"

namespace aimeter::drivers {
namespace {

using Key = std::shared_ptr<EVP_PKEY>;

const Instant kNow = std::chrono::sys_days(std::chrono::year(2026) / 3 / 15);  // 1773532800
const std::string kSecret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kGood = R"({"tenant_id":"7","exp":1773536400})";

Key key_of(EVP_PKEY* key) {
  EXPECT_NE(key, nullptr);
  return Key(key, EVP_PKEY_free);
}
const Key& rsa() {
  static const Key key = key_of(EVP_RSA_gen(2048));
  return key;
}
const Key& p256() {
  static const Key key = key_of(EVP_EC_gen("P-256"));
  return key;
}
const Key& ed25519() {
  static const Key key = key_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  return key;
}

std::string pem_of(const Key& key) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PUBKEY(bio.get(), key.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string sign(const Key& key, const EVP_MD* digest, std::string_view text) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  std::size_t size = 0;
  EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key.get());
  EVP_DigestSign(context.get(), nullptr, &size, bytes_of(text), text.size());
  std::string signature(size, '\0');
  EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                 bytes_of(text), text.size());
  signature.resize(size);
  return signature;
}

std::string sign_es256(std::string_view text) {
  const std::string der = sign(p256(), EVP_sha256(), text);
  const unsigned char* at = bytes_of(der);
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())), ECDSA_SIG_free);
  std::string raw(64, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out, 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out + 32, 32);
  return raw;
}

std::string hmac(const EVP_MD* digest, std::string_view secret, std::string_view text) {
  std::string made(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  HMAC(digest, secret.data(), static_cast<int>(secret.size()), bytes_of(text), text.size(),
       reinterpret_cast<unsigned char*>(made.data()), &size);
  made.resize(size);
  return made;
}

std::string signature_of(std::string_view algorithm, std::string_view text) {
  if (algorithm == "HS256") return hmac(EVP_sha256(), kSecret, text);
  if (algorithm == "HS384") return hmac(EVP_sha384(), kSecret, text);
  if (algorithm == "HS512") return hmac(EVP_sha512(), kSecret, text);
  if (algorithm == "RS256") return sign(rsa(), EVP_sha256(), text);
  if (algorithm == "RS384") return sign(rsa(), EVP_sha384(), text);
  if (algorithm == "RS512") return sign(rsa(), EVP_sha512(), text);
  if (algorithm == "ES256") return sign_es256(text);
  return sign(ed25519(), nullptr, text);
}

std::string key_for(std::string_view algorithm) {
  if (algorithm.starts_with("HS")) return kSecret;
  if (algorithm.starts_with("RS")) return pem_of(rsa());
  return pem_of(algorithm == "ES256" ? p256() : ed25519());
}

std::string signed_part(std::string_view header, std::string_view claims) {
  return base::base64url(header) + "." + base::base64url(claims);
}
std::string token(std::string_view algorithm, std::string_view claims) {
  const std::string text = signed_part(fmt::format(R"({{"alg":"{}"}})", algorithm), claims);
  return text + "." + base::base64url(signature_of(algorithm, text));
}
// Rightly signed by HS256, whatever its header says.
std::string with_header(std::string_view header, std::string_view claims) {
  const std::string text = signed_part(header, claims);
  return text + "." + base::base64url(signature_of("HS256", text));
}

class Jwt : public ::testing::Test {
 protected:
  [[nodiscard]] Result<std::unique_ptr<TenantResolver>> make(const tenancy::JwtOptions& jwt) const {
    const tenancy::ResolverOptions options{.resolver = "jwt", .jwt = jwt};
    return make_resolver("jwt", {.options = options, .ports = {.clock = &clock}});
  }
  // The tenant, "-" for none, or the error's message.
  [[nodiscard]] std::string answer(const tenancy::JwtOptions& jwt,
                                   const std::string& bearer) const {
    const auto resolver = make(jwt);
    if (!resolver) return "not made: " + resolver.error().message;
    Context context;
    context.header = [&](std::string_view name) -> std::optional<std::string> {
      if (name != "Authorization") return std::nullopt;
      return "Bearer " + bearer;
    };
    const auto tenant = (*resolver)->resolve(context);
    if (tenant) return *tenant ? (*tenant)->text : "-";
    if (!bearer.empty()) {
      EXPECT_EQ(tenant.error().message.find(bearer), std::string::npos) << "a token in an error";
    }
    return fmt::format("{} {}", name_of(tenant.error().code), tenant.error().message);
  }
  static tenancy::JwtOptions hs256() { return {.key = kSecret, .algorithms = {"HS256"}}; }

  time::ManualClock clock{kNow};
};

TEST_F(Jwt, every_algorithm_verifies_and_only_with_its_key) {
  for (const char* algorithm :
       {"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "EdDSA"}) {
    SCOPED_TRACE(algorithm);
    const tenancy::JwtOptions options{.key = key_for(algorithm), .algorithms = {algorithm}};
    const std::string good = token(algorithm, kGood);
    EXPECT_EQ(answer(options, good), "7");
    std::string other = good;
    other[good.find('.') + 5] = other[good.find('.') + 5] == 'A' ? 'B' : 'A';
    EXPECT_EQ(answer(options, other), "unauthenticated jwt: the signature does not fit");
    const std::string claims = token(algorithm, R"({"tenant_id":"8","exp":1773536400})");
    const std::string mixed = claims.substr(0, claims.rfind('.')) + good.substr(good.rfind('.'));
    EXPECT_EQ(answer(options, mixed), "unauthenticated jwt: the signature does not fit");
    EXPECT_EQ(answer(options, good.substr(0, good.rfind('.') + 1)),
              "unauthenticated jwt: the signature does not fit");
  }
}

TEST_F(Jwt, alg_none_is_refused) {
  for (const char* none : {"none", "None", "NONE", ""}) {
    const std::string text = signed_part(fmt::format(R"({{"alg":"{}"}})", none), kGood);
    const std::string expected =
        fmt::format("unauthenticated jwt alg: \"{}\" is not accepted; expected HS256", none);
    EXPECT_EQ(answer(hs256(), text + "."), expected);
    EXPECT_EQ(answer(hs256(), with_header(fmt::format(R"({{"alg":"{}"}})", none), kGood)),
              expected);
  }
  const auto resolver = make({.key = kSecret, .algorithms = {"none"}});
  ASSERT_FALSE(resolver.has_value());
  EXPECT_TRUE(resolver.error().message.starts_with("tenancy.jwt.algorithms: \"none\""));
}

// The public key of RS256 is no secret: a token signed with it as one must not be taken.
TEST_F(Jwt, rs_hs_confusion_is_refused) {
  const std::string pem = pem_of(rsa());
  const std::string text = signed_part(R"({"alg":"HS256"})", kGood);
  const std::string forged = text + "." + base::base64url(hmac(EVP_sha256(), pem, text));
  EXPECT_EQ(answer({.key = pem, .algorithms = {"RS256"}}, forged),
            "unauthenticated jwt alg: \"HS256\" is not accepted; expected RS256");
  EXPECT_EQ(
      answer({.key = pem, .algorithms = {"HS256"}}, forged),
      "not made: tenancy.jwt.key_file: \"(a PEM key)\" is not accepted; expected a secret for "
      "HS256");
  EXPECT_EQ(
      answer({.key = pem, .algorithms = {"RS256", "HS256"}}, forged),
      "not made: tenancy.jwt.algorithms: \"HS256\" is not accepted; expected algorithms of one "
      "key, like RS256");
}

TEST_F(Jwt, dates_table) {
  struct Row {
    std::string_view says, claims, expected;
  };
  constexpr std::string_view kExpired = "unauthenticated jwt exp: ";
  constexpr std::string_view kEarly = "unauthenticated jwt nbf: ";
  for (const Row& row : std::initializer_list<Row>{
           {"not yet expired", R"({"tenant_id":"7","exp":1773532801})", "7"},
           {"a minute is granted", R"({"tenant_id":"7","exp":1773532741})", "7"},
           {"no more than a minute", R"({"tenant_id":"7","exp":1773532740})", kExpired},
           {"long expired", R"({"tenant_id":"7","exp":1})", kExpired},
           {"no exp", R"({"tenant_id":"7"})",
            "unauthenticated jwt: it has no exp; expected a token that expires"},
           {"a fraction is cut", R"({"tenant_id":"7","exp":1773536400.75})", "7"},
           {"an exponent", R"({"tenant_id":"7","exp":2e9})", kExpired},
           {"a text", R"({"tenant_id":"7","exp":"1773536400"})", kExpired},
           {"null", R"({"tenant_id":"7","exp":null})", kExpired},
           {"beyond int64", R"({"tenant_id":"7","exp":99999999999999999999})", kExpired},
           {"the biggest int64", R"({"tenant_id":"7","exp":9223372036854775807})", kExpired},
           {"negative", R"({"tenant_id":"7","exp":-1})", kExpired},
           {"valid from now", R"({"tenant_id":"7","exp":1773536400,"nbf":1773532800})", "7"},
           {"in a minute", R"({"tenant_id":"7","exp":1773536400,"nbf":1773532860})", "7"},
           {"in more than a minute", R"({"tenant_id":"7","exp":1773536400,"nbf":1773532861})",
            kEarly},
           {"an nbf that is none", R"({"tenant_id":"7","exp":1773536400,"nbf":{}})", kEarly}}) {
    SCOPED_TRACE(row.says);
    const std::string seen = answer(hs256(), token("HS256", row.claims));
    EXPECT_TRUE(seen.starts_with(row.expected)) << seen;
    if (row.expected == "7") {
      EXPECT_EQ(seen, "7");
    }
  }
  tenancy::JwtOptions strict = hs256();
  strict.leeway_s = 0;
  EXPECT_EQ(
      answer(strict, token("HS256", R"({"tenant_id":"7","exp":1773532800})")),
      "unauthenticated jwt exp: \"2026-03-15T00:00:00Z\" is not accepted; expected a time after "
      "2026-03-15T00:00:00Z");
}

TEST_F(Jwt, issuer_and_audience_table) {
  tenancy::JwtOptions options = hs256();
  options.issuer = "https://id.example.com";
  options.audience = "aimeter";
  const auto claims = [](std::string_view rest) {
    return token("HS256", fmt::format(R"({{"tenant_id":"7","exp":1773536400{}}})", rest));
  };
  struct Row {
    std::string_view says, rest, expected;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"both", R"(,"iss":"https://id.example.com","aud":"aimeter")", "7"},
           {"among several", R"(,"iss":"https://id.example.com","aud":["x","aimeter"])", "7"},
           {"another issuer", R"(,"iss":"https://evil.com","aud":"aimeter")",
            "unauthenticated jwt iss: "},
           {"no issuer", R"(,"aud":"aimeter")", "unauthenticated jwt iss: "},
           {"another audience", R"(,"iss":"https://id.example.com","aud":"other")",
            "unauthenticated jwt aud: "},
           {"no audience", R"(,"iss":"https://id.example.com")", "unauthenticated jwt aud: "},
           {"an empty list", R"(,"iss":"https://id.example.com","aud":[])",
            "unauthenticated jwt aud: "},
           {"a part of the name", R"(,"iss":"https://id.example.com","aud":"aimeter2")",
            "unauthenticated jwt aud: "},
           {"a number", R"(,"iss":1,"aud":"aimeter")", "unauthenticated jwt iss: "}}) {
    SCOPED_TRACE(row.says);
    const std::string seen = answer(options, claims(row.rest));
    EXPECT_TRUE(seen.starts_with(row.expected)) << seen;
  }
}

TEST_F(Jwt, claim_table) {
  struct Row {
    std::string_view says, claim, claims, expected;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"a text", "tenant_id", R"({"tenant_id":"acme","exp":1773536400})", "acme"},
           {"a whole number", "tenant_id", R"({"tenant_id":42,"exp":1773536400})", "42"},
           {"a name with dots", "https://x.io/org",
            R"({"https://x.io/org":"acme","exp":1773536400})", "acme"},
           {"missing", "tenant_id", R"({"exp":1773536400})",
            "unauthenticated jwt: it names no tenant; expected the claim tenant_id"},
           {"null", "tenant_id", R"({"tenant_id":null,"exp":1773536400})",
            "unauthenticated jwt: it names no tenant"},
           {"empty", "tenant_id", R"({"tenant_id":"","exp":1773536400})",
            "invalid_argument tenant"},
           {"a list", "tenant_id", R"({"tenant_id":["7"],"exp":1773536400})",
            "invalid_argument jwt"},
           {"a fraction", "tenant_id", R"({"tenant_id":1.5,"exp":1773536400})",
            "invalid_argument jwt"},
           {"control characters", "tenant_id", R"({"tenant_id":"a\u0000b","exp":1773536400})",
            "invalid_argument tenant"},
           {"twice", "tenant_id", R"({"tenant_id":"7","tenant_id":"8","exp":1773536400})",
            "unauthenticated jwt: the payload is not a JSON object"}}) {
    SCOPED_TRACE(row.says);
    tenancy::JwtOptions options = hs256();
    options.claim = row.claim;
    const std::string seen = answer(options, token("HS256", row.claims));
    EXPECT_TRUE(seen.starts_with(row.expected)) << seen;
  }
}

TEST_F(Jwt, shape_table) {
  const std::string good = token("HS256", kGood);
  const std::size_t first = good.find('.'), last = good.rfind('.');
  struct Row {
    std::string_view says;
    std::string bearer;
    std::string_view expected;
  };
  for (const Row& row : std::vector<Row>{
           {"empty", "", "unauthenticated jwt: a token has three parts"},
           {"one part", "abc", "unauthenticated jwt: a token has three parts"},
           {"two parts", good.substr(0, last), "unauthenticated jwt: a token has three parts"},
           {"four parts", good + ".x", "unauthenticated jwt: a token has three parts"},
           {"something behind", good + " ", "unauthenticated jwt: the signature is not base64url"},
           {"padding", good + "=", "unauthenticated jwt: the signature is not base64url"},
           {"a header that is not base64url", "!" + good,
            "unauthenticated jwt: the header is not base64url"},
           {"a header in plain base64", "+/" + good,
            "unauthenticated jwt: the header is not base64url"},
           {"a header that is no JSON", base::base64url("alg") + good.substr(first),
            "unauthenticated jwt: the header is not a JSON object"},
           {"a header that is a list", base::base64url("[]") + good.substr(first),
            "unauthenticated jwt: the header is not a JSON object"},
           {"a header without alg", with_header("{}", kGood),
            "unauthenticated jwt: the header names no alg"},
           {"an alg that is a list", with_header(R"({"alg":["HS256"]})", kGood),
            "unauthenticated jwt: the header names no alg"},
           {"alg twice", with_header(R"({"alg":"none","alg":"HS256"})", kGood),
            "unauthenticated jwt: the header is not a JSON object"},
           {"an extension that must be known",
            with_header(R"({"alg":"HS256","crit":["exp"]})", kGood), "unauthenticated jwt crit"},
           {"a key of its own is not asked",
            with_header(R"({"alg":"HS256","jku":"https://evil.com","kid":"../../x"})", kGood), "7"},
           {"claims that are a text", token("HS256", "\"7\""),
            "unauthenticated jwt: the payload is not a JSON object"},
           {"claims nested too deep",
            token("HS256", R"({"x":)" + std::string(2000, '[') + std::string(2000, ']') + "}"),
            "unauthenticated jwt: the payload is not a JSON object"},
           {"a huge token", std::string(1U << 20U, 'a'),
            "unauthenticated jwt: a token of 1048576 bytes is too long; expected at most 8192"},
           {"one of our own keys", "aim_0123456789abcdef_x", "-"}}) {
    SCOPED_TRACE(row.says);
    const std::string seen = answer(hs256(), row.bearer);
    EXPECT_TRUE(seen.starts_with(row.expected)) << seen;
  }
}

TEST_F(Jwt, keys_that_do_not_fit_are_found_when_it_is_made) {
  struct Row {
    std::string_view says;
    tenancy::JwtOptions options;
    std::string_view message;
  };
  const Key small = key_of(EVP_RSA_gen(1024));
  const Key p384 = key_of(EVP_EC_gen("P-384"));
  for (const Row& row :
       std::vector<Row>{{"no algorithm", {.key = kSecret}, "tenancy.jwt.algorithms: \"\""},
                        {"an unknown algorithm",
                         {.key = kSecret, .algorithms = {"PS256"}},
                         "tenancy.jwt.algorithms: \"PS256\""},
                        {"no key", {.algorithms = {"HS256"}}, "tenancy.jwt.key_file: \"\""},
                        {"a file that is not there",
                         {.key_file = "/nonexistent/key.pem", .algorithms = {"RS256"}},
                         "tenancy.jwt.key_file: \"/nonexistent/key.pem\""},
                        {"a short secret",
                         {.key = std::string(31, 'k'), .algorithms = {"HS256"}},
                         "tenancy.jwt.key_file: \"(its content)\""},
                        {"too short for the strongest",
                         {.key = std::string(63, 'k'), .algorithms = {"HS256", "HS512"}},
                         "tenancy.jwt.key_file: \"(its content)\""},
                        {"a secret as public key",
                         {.key = kSecret, .algorithms = {"RS256"}},
                         "tenancy.jwt.key_file: \"(its content)\""},
                        {"a key of another kind",
                         {.key = pem_of(p256()), .algorithms = {"RS256"}},
                         "tenancy.jwt.key_file: \"(its content)\""},
                        {"RSA of 1024 bits",
                         {.key = pem_of(small), .algorithms = {"RS256"}},
                         "tenancy.jwt.key_file: \"(its content)\""},
                        {"another curve",
                         {.key = pem_of(p384), .algorithms = {"ES256"}},
                         "tenancy.jwt.key_file: \"(its content)\""},
                        {"no claim",
                         {.claim = "", .key = kSecret, .algorithms = {"HS256"}},
                         "tenancy.jwt.claim: \"\""},
                        {"a leeway of an hour",
                         {.key = kSecret, .algorithms = {"HS256"}, .leeway_s = 3600},
                         "tenancy.jwt.leeway_s: \"3600\""}}) {
    SCOPED_TRACE(row.says);
    const auto resolver = make(row.options);
    ASSERT_FALSE(resolver.has_value());
    EXPECT_EQ(resolver.error().code, Code::invalid_argument);
    EXPECT_TRUE(resolver.error().message.starts_with(row.message)) << resolver.error().message;
    EXPECT_EQ(resolver.error().message.find(kSecret), std::string::npos);
  }
  EXPECT_TRUE(make({.key = std::string(32, 'k'), .algorithms = {"HS256"}}).has_value());
}

TEST_F(Jwt, a_key_is_read_from_its_file) {
  const auto file = std::filesystem::temp_directory_path() /
                    fmt::format("aimeter_jwt_{}", base::hex(base::random_bytes(8)));
  std::ofstream(file, std::ios::binary) << kSecret << "\r\n";
  const tenancy::JwtOptions options{.key_file = file.string(), .algorithms = {"HS256"}};
  EXPECT_EQ(answer(options, token("HS256", kGood)), "7") << "the editor's newline is no part of it";
  std::ofstream(file, std::ios::binary) << pem_of(rsa());
  const tenancy::JwtOptions rs256{.key_file = file.string(), .algorithms = {"RS256"}};
  EXPECT_EQ(answer(rs256, token("RS256", kGood)), "7");
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace aimeter::drivers
