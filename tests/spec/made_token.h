// Package:       tests
// Units:         times in seconds from the given instant.
// Errors:        a word that is none fails the running test.
// Thread safety: pure functions.
// Ownership:     none.
//
// JSON web tokens from words: "HS256 aud=other exp=-61".
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>
#include <sstream>
#include <string>
#include <string_view>

#include "aimeter/time.h"
#include "base/hash.h"

namespace aimeter {

struct MadeToken {
  std::string text = {};
  std::string key = {}, algorithm = {};  // what the resolver is configured with
};

namespace made_token {

inline const std::string kSecret = "0123456789abcdef0123456789abcdef";

inline const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline std::string hmac(const EVP_MD* digest, std::string_view secret, std::string_view text) {
  std::string made(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  HMAC(digest, secret.data(), static_cast<int>(secret.size()), bytes_of(text), text.size(),
       reinterpret_cast<unsigned char*>(made.data()), &size);
  made.resize(size);
  return made;
}

using Key = std::shared_ptr<EVP_PKEY>;
inline const Key& rsa() {
  static const Key key(EVP_RSA_gen(2048), EVP_PKEY_free);
  return key;
}
inline std::string public_pem() {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PUBKEY(bio.get(), rsa().get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}
inline std::string rs256(std::string_view text) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  std::size_t size = 0;
  EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, rsa().get());
  EVP_DigestSign(context.get(), nullptr, &size, bytes_of(text), text.size());
  std::string signature(size, '\0');
  EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                 bytes_of(text), text.size());
  return signature;
}

// "+3600" and "-61" count from `now`; anything else is written as it stands.
inline std::string date(const std::string& value, Instant now) {
  if (!value.starts_with('+') && !value.starts_with('-')) return value;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  return std::to_string(seconds + std::stoll(value));
}

}  // namespace made_token

// The first word is the algorithm; "confused" signs by HS256 with the public key of a resolver for
// RS256, "tampered" changes a claim after it was signed.
inline MadeToken make_token(const std::string& words, Instant now) {
  std::istringstream in(words);
  std::string how;
  in >> how;
  std::string claims = R"("tenant_id":"7")";
  for (std::string word; in >> word;) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals), value = word.substr(equals + 1);
    claims += name == "aud" ? fmt::format(R"(,"aud":"{}")", value)
                            : fmt::format(R"(,"{}":{})", name, made_token::date(value, now));
  }
  const bool confused = how == "confused";
  const std::string named = confused || how == "tampered" ? "HS256" : how;
  std::string body = base::base64url(fmt::format(R"({{"alg":"{}"}})", named)) + ".";
  std::string payload = base::base64url("{" + claims + "}");
  std::string signature;
  if (how == "RS256") {
    signature = made_token::rs256(body + payload);
  } else if (confused) {
    signature = made_token::hmac(EVP_sha256(), made_token::public_pem(), body + payload);
  } else if (named.starts_with("HS")) {
    signature = made_token::hmac(named == "HS512" ? EVP_sha512() : EVP_sha256(),
                                 made_token::kSecret, body + payload);
  }
  if (how == "tampered")
    payload = base::base64url(R"({"tenant_id":"8",)" + claims.substr(16) + "}");
  return {.text = body + payload + "." + base::base64url(signature),
          .key = confused ? made_token::public_pem() : made_token::kSecret,
          .algorithm = confused ? "RS256" : "HS256"};
}

}  // namespace aimeter
