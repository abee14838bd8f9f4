#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <limits>

#include "base/hash.h"
#include "base/json.h"
#include "tenancy/api_key.h"
#include "tenancy/resolve.h"

namespace aimeter::drivers {
namespace {

// Identity providers stay below 8 KiB, the usual limit of a header line.
constexpr std::size_t kTokenBytesMax = 8192;
constexpr std::size_t kKeyBytesMax = 65536;
constexpr base::Json::Limits kJsonLimits{.bytes = kTokenBytesMax, .depth = 16};
constexpr int kRsaBitsMin = 2048;  // RFC 7518 section 3.3
constexpr int kLeewaySecondsMax = 300;

enum class Family { hmac, rsa, ecdsa, eddsa };
struct Algorithm {
  std::string_view name;
  Family family;
  const EVP_MD* (*digest)();  // nullptr: the scheme has its own
  std::size_t secret_bytes_min;
};
// RFC 7518 section 3.1 and RFC 8037. A secret is at least as long as its hash (section 3.2).
constexpr std::array kAlgorithms = {
    Algorithm{"HS256", Family::hmac, EVP_sha256, 32},
    Algorithm{"HS384", Family::hmac, EVP_sha384, 48},
    Algorithm{"HS512", Family::hmac, EVP_sha512, 64},
    Algorithm{"RS256", Family::rsa, EVP_sha256, 0},
    Algorithm{"RS384", Family::rsa, EVP_sha384, 0},
    Algorithm{"RS512", Family::rsa, EVP_sha512, 0},
    Algorithm{"ES256", Family::ecdsa, EVP_sha256, 0},
    Algorithm{"EdDSA", Family::eddsa, nullptr, 0},
};

using KeyHandle = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using BioHandle = std::unique_ptr<BIO, decltype(&BIO_free)>;
using DigestHandle = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
using SignatureHandle = std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)>;
using CertificateHandle = std::unique_ptr<X509, decltype(&X509_free)>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::unexpected<Error> refused(std::string_view why) {
  return fail(Code::unauthenticated, fmt::format("jwt: {}", why));
}
std::unexpected<Error> refused(std::string_view field, std::string_view value,
                               std::string_view expected) {
  auto error = bad_input(fmt::format("jwt {}", field), value, expected);
  error.error().code = Code::unauthenticated;
  return error;
}

KeyHandle read_public_key(std::string_view pem) {
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  if (pem.find("-----BEGIN CERTIFICATE-----") == std::string_view::npos) {
    return KeyHandle(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  }
  const CertificateHandle certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr),
                                      X509_free);
  return KeyHandle(certificate ? X509_get_pubkey(certificate.get()) : nullptr, EVP_PKEY_free);
}

bool is_p256(EVP_PKEY* key) {
  std::array<char, 64> group{};
  return EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) == 1 &&
         std::string_view(group.data()) == SN_X9_62_prime256v1;
}

bool fits(EVP_PKEY* key, Family family) {
  const int type = EVP_PKEY_get_base_id(key);
  switch (family) {
    case Family::hmac:
      return false;
    case Family::rsa:
      return type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= kRsaBitsMin;
    case Family::ecdsa:
      return type == EVP_PKEY_EC && is_p256(key);
    case Family::eddsa:
      return type == EVP_PKEY_ED25519;
  }
  return false;
}

// The key and what it may verify: a key has one family, so no token can choose another for it.
class Verifier {
 public:
  static Result<Verifier> make(const tenancy::JwtOptions& options);

  // Errors: unauthenticated.
  Status verify(std::string_view algorithm, std::string_view signed_part,
                std::string_view signature) const;

 private:
  Verifier() : key_(nullptr, EVP_PKEY_free) {}
  Status take_key(const std::string& key);
  const Algorithm* allowed(std::string_view name) const;
  bool hmac(const Algorithm& algorithm, std::string_view text, std::string_view signature) const;
  bool public_key(const Algorithm& algorithm, std::string_view text,
                  std::string_view signature) const;

  std::vector<const Algorithm*> algorithms_;
  std::string names_;
  std::string secret_;
  KeyHandle key_;
};

Result<std::string> key_bytes(const tenancy::JwtOptions& options) {
  if (!options.key.empty()) return options.key;
  if (options.key_file.empty()) {
    return bad_input("tenancy.jwt.key_file", "", "the file of a public key or of a secret");
  }
  std::ifstream file(options.key_file, std::ios::binary);
  std::string bytes(kKeyBytesMax + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  if (bytes.empty() || bytes.size() > kKeyBytesMax) {
    return bad_input("tenancy.jwt.key_file", options.key_file,
                     "a readable file of 1 to 65536 bytes");
  }
  return bytes;
}

Result<Verifier> Verifier::make(const tenancy::JwtOptions& options) {
  Verifier verifier;
  verifier.names_ = fmt::format("{}", fmt::join(options.algorithms, ", "));
  for (const std::string& name : options.algorithms) {
    const auto* found = std::ranges::find(kAlgorithms, name, &Algorithm::name);
    if (found == kAlgorithms.end()) {
      return bad_input("tenancy.jwt.algorithms", name,
                       "HS256, HS384, HS512, RS256, RS384, RS512, ES256 or EdDSA");
    }
    verifier.algorithms_.push_back(found);
    if (verifier.algorithms_.front()->family != found->family) {
      return bad_input("tenancy.jwt.algorithms", name,
                       fmt::format("algorithms of one key, like {}", options.algorithms.front()));
    }
  }
  if (verifier.algorithms_.empty()) {
    return bad_input("tenancy.jwt.algorithms", "", "at least one, such as [\"RS256\"]");
  }
  AIMETER_TRY(const std::string key, key_bytes(options));
  AIMETER_CHECK_OK(verifier.take_key(key));
  return verifier;
}

Status Verifier::take_key(const std::string& key) {
  constexpr std::string_view kField = "tenancy.jwt.key_file";  // the key itself is never shown
  const Algorithm& first = *algorithms_.front();
  if (first.family != Family::hmac) {
    key_ = read_public_key(key);
    if (key_ && fits(key_.get(), first.family)) return {};
    return bad_input(kField, "(its content)",
                     fmt::format("a PEM public key or certificate for {} (RSA of 2048 bits or "
                                 "more, P-256, Ed25519)",
                                 first.name));
  }
  if (key.find("-----BEGIN") != std::string::npos) {
    return bad_input(kField, "(a PEM key)", fmt::format("a secret for {}", first.name));
  }
  secret_ = key.substr(0, key.find_last_not_of("\r\n") + 1);  // an editor's last newline
  const auto longest = std::ranges::max(algorithms_, {}, &Algorithm::secret_bytes_min);
  if (secret_.size() >= longest->secret_bytes_min) return {};
  return bad_input(kField, "(its content)",
                   fmt::format("a secret of at least {} bytes for {}", longest->secret_bytes_min,
                               longest->name));
}

const Algorithm* Verifier::allowed(std::string_view name) const {
  const auto found = std::ranges::find(algorithms_, name, &Algorithm::name);
  return found == algorithms_.end() ? nullptr : *found;
}

bool Verifier::hmac(const Algorithm& algorithm, std::string_view text,
                    std::string_view signature) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
  unsigned int size = 0;
  const unsigned char* done =
      HMAC(algorithm.digest(), secret_.data(), static_cast<int>(secret_.size()), bytes_of(text),
           text.size(), made.data(), &size);
  return done != nullptr && base::equal_in_constant_time(
                                {reinterpret_cast<const char*>(made.data()), size}, signature);
}

// RFC 7518 section 3.4: two numbers of 32 bytes; OpenSSL wants them in DER.
std::string der_of(std::string_view raw) {
  constexpr std::size_t kHalf = 32;
  if (raw.size() != 2 * kHalf) return {};
  const SignatureHandle signature(ECDSA_SIG_new(), ECDSA_SIG_free);
  BIGNUM* r = BN_bin2bn(bytes_of(raw), kHalf, nullptr);
  BIGNUM* s = BN_bin2bn(bytes_of(raw) + kHalf, kHalf, nullptr);
  if (ECDSA_SIG_set0(signature.get(), r, s) != 1) return {};
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return {};
  std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

bool Verifier::public_key(const Algorithm& algorithm, std::string_view text,
                          std::string_view signature) const {
  const std::string der = algorithm.family == Family::ecdsa ? der_of(signature) : std::string();
  const std::string_view wanted = algorithm.family == Family::ecdsa ? der : signature;
  if (wanted.empty()) return false;
  const DigestHandle context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const EVP_MD* digest = algorithm.digest == nullptr ? nullptr : algorithm.digest();
  return EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(wanted), wanted.size(), bytes_of(text),
                          text.size()) == 1;
}

Status Verifier::verify(std::string_view name, std::string_view signed_part,
                        std::string_view signature) const {
  const Algorithm* algorithm = allowed(name);
  if (algorithm == nullptr) return refused("alg", name, names_);
  const bool good = algorithm->family == Family::hmac
                        ? hmac(*algorithm, signed_part, signature)
                        : public_key(*algorithm, signed_part, signature);
  if (!good) return refused("the signature does not fit");
  return {};
}

Result<base::Json> read_part(std::string_view name, std::string_view part) {
  const auto text = base::from_base64url(part);
  if (!text) return refused(fmt::format("the {} is not base64url", name));
  auto json = base::Json::parse(fmt::format("jwt {}", name), *text, kJsonLimits);
  if (json && json->kind() == base::Json::Kind::object) return json;
  return refused(fmt::format("the {} is not a JSON object", name));
}

// NumericDate (RFC 7519 section 2): whole seconds; what stands behind a point is cut.
Result<std::optional<std::int64_t>> date_of(const base::Json& claims, std::string_view name) {
  const base::Json* value = claims.find(name);
  if (value == nullptr) return std::nullopt;
  if (value->kind() != base::Json::Kind::number) {
    return refused(name, value->excerpt(), "seconds since 1970");
  }
  const std::string& literal = value->literal();
  const std::string_view whole = std::string_view(literal).substr(0, literal.find('.'));
  const bool exponent = literal.find_first_of("eE") != std::string::npos;
  const auto number = base::Json::parse(name, whole, kJsonLimits);
  const auto seconds = number ? number->integer(name) : Result<std::int64_t>(refused(""));
  // 9999-12-31: beyond it, sums with the leeway could overflow.
  if (exponent || !seconds || *seconds > 253'402'300'799 || *seconds < -62'135'596'800) {
    return refused(name, literal, "seconds since 1970");
  }
  return *seconds;
}

class Driver final : public TenantResolver {
 public:
  Driver(Verifier verifier, tenancy::JwtOptions options, const Clock& clock)
      : verifier_(std::move(verifier)), options_(std::move(options)), clock_(clock) {
    options_.key.clear();
  }

  [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context& context) const override {
    const std::optional<std::string> token = tenancy::bearer_of(context);
    if (!token || tenancy::looks_like_api_key(*token)) return std::nullopt;
    AIMETER_TRY(const base::Json claims, verified(*token));
    AIMETER_CHECK_OK(check_dates(claims));
    AIMETER_CHECK_OK(check_issuer(claims));
    AIMETER_CHECK_OK(check_audience(claims));
    AIMETER_TRY(TenantId tenant, tenant_of(claims));
    return tenant;
  }

 private:
  [[nodiscard]] Result<base::Json> verified(std::string_view token) const {
    if (token.size() > kTokenBytesMax) {
      return refused(fmt::format("a token of {} bytes is too long; expected at most {}",
                                 token.size(), kTokenBytesMax));
    }
    const std::size_t first = token.find('.');
    const std::size_t last = token.rfind('.');
    if (first == std::string_view::npos || first == last || std::ranges::count(token, '.') != 2) {
      return refused("a token has three parts, header.claims.signature");
    }
    AIMETER_TRY(const base::Json header, read_part("header", token.substr(0, first)));
    if (header.find("crit") != nullptr) {
      return refused("crit", header.find("crit")->excerpt(), "no extension that must be known");
    }
    const base::Json* algorithm = header.find("alg");
    if (algorithm == nullptr || algorithm->kind() != base::Json::Kind::string) {
      return refused("the header names no alg");
    }
    const auto signature = base::from_base64url(token.substr(last + 1));
    if (!signature) return refused("the signature is not base64url");
    AIMETER_CHECK_OK(verifier_.verify(algorithm->string(), token.substr(0, last), *signature));
    return read_part("payload", token.substr(first + 1, last - first - 1));
  }

  [[nodiscard]] Status check_dates(const base::Json& claims) const {
    const std::int64_t now =
        std::chrono::floor<std::chrono::seconds>(clock_.now()).time_since_epoch().count();
    AIMETER_TRY(const std::optional<std::int64_t> expires, date_of(claims, "exp"));
    AIMETER_TRY(const std::optional<std::int64_t> not_before, date_of(claims, "nbf"));
    if (!expires) return refused("it has no exp; expected a token that expires");
    if (now >= *expires + options_.leeway_s) {
      return refused("exp", shown(*expires), fmt::format("a time after {}", shown(now)));
    }
    if (not_before && now + options_.leeway_s < *not_before) {
      return refused("nbf", shown(*not_before), fmt::format("a time up to {}", shown(now)));
    }
    return {};
  }

  [[nodiscard]] Status check_issuer(const base::Json& claims) const {
    const base::Json* value = claims.find("iss");
    if (options_.issuer.empty()) return {};
    if (value == nullptr) return refused("iss", "", options_.issuer);
    if (is_text(*value, options_.issuer)) return {};
    return refused("iss", value->excerpt(), options_.issuer);
  }

  [[nodiscard]] Status check_audience(const base::Json& claims) const {
    const base::Json* value = claims.find("aud");
    if (options_.audience.empty()) return {};
    if (value == nullptr) return refused("aud", "", options_.audience);
    if (is_text(*value, options_.audience)) return {};
    const bool among = value->kind() == base::Json::Kind::array &&
                       std::ranges::any_of(value->items(), [this](const base::Json& item) {
                         return is_text(item, options_.audience);
                       });
    if (among) return {};
    return refused("aud", value->excerpt(), options_.audience);
  }

  [[nodiscard]] Result<TenantId> tenant_of(const base::Json& claims) const {
    const base::Json* value = claims.find(options_.claim);
    if (value == nullptr || value->is_null()) {
      return refused(fmt::format("it names no tenant; expected the claim {}", options_.claim));
    }
    if (value->kind() == base::Json::Kind::string) return TenantId::parse(value->string());
    AIMETER_TRY(const std::int64_t number, value->integer(fmt::format("jwt {}", options_.claim)));
    return TenantId::parse(fmt::to_string(number));
  }

  static bool is_text(const base::Json& value, std::string_view text) {
    return value.kind() == base::Json::Kind::string && value.string() == text;
  }
  static std::string shown(std::int64_t seconds) {
    return text_of(Instant(std::chrono::seconds(seconds)));
  }

  Verifier verifier_;
  tenancy::JwtOptions options_;
  const Clock& clock_;
};

}  // namespace

Result<std::unique_ptr<TenantResolver>> make_resolver_jwt(const tenancy::ResolverSetup& setup) {
  const tenancy::JwtOptions& options = setup.options.jwt;
  if (setup.ports.clock == nullptr) {
    return fail(Code::failed_precondition, "tenancy.resolver jwt: needs a clock");
  }
  if (options.claim.empty()) return bad_input("tenancy.jwt.claim", "", "a claim's name");
  if (options.leeway_s < 0 || options.leeway_s > kLeewaySecondsMax) {
    return bad_input("tenancy.jwt.leeway_s", fmt::to_string(options.leeway_s), "0 to 300");
  }
  AIMETER_TRY(Verifier verifier, Verifier::make(options));
  return std::make_unique<Driver>(std::move(verifier), options, *setup.ports.clock);
}

}  // namespace aimeter::drivers
