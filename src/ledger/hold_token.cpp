#include "ledger/hold_token.h"

#include <algorithm>
#include <cstring>

#include "store/codec.h"

namespace aimeter::ledger {
namespace {

constexpr std::size_t kNumberBytes = sizeof(std::uint32_t);
constexpr std::size_t kSignatureBytes = std::tuple_size_v<base::Digest>;

std::unexpected<Error> no_token(std::string_view why) {
  return fail(Code::invalid_argument,
              "hold token: " + std::string(why) + "; expected the text that detaching gave");
}

// What no engine of ours signs: a settlement that could move something else than its own hold.
std::string_view wrong_claim(const HoldClaim& claim) {
  if (claim.token.size() != kHoldIdBytes) return "it names no hold";
  if (claim.adjusts != 0) return "it corrects something";
  if ((claim.flags & (store::kAdjustment | store::kDetach | store::kDuplicate)) != 0) {
    return "it is no hold";
  }
  for (const store::BudgetPart& part : claim.budgets) {
    if (part.held < 0 || part.actual != 0) return "its amounts are no hold's";
    if (part.key.account != claim.account) return "a budget is another account's";
  }
  return {};
}

}  // namespace

std::string make_hold_token(const HoldClaim& claim, const store::HoldKey& key) {
  std::string bytes(kNumberBytes, '\0');
  std::memcpy(bytes.data(), &key.number, kNumberBytes);
  bytes += store::encode(claim);
  const base::Digest signature = base::hmac_sha256(base::view_of(key.secret), bytes);
  bytes += base::view_of(signature);
  return std::string(kHoldTokenPrefix) + base::base64url(bytes);
}

Result<ParsedHoldToken> parse_hold_token(std::string_view text) {
  if (text.size() > kHoldTokenBytesMax) return no_token("too long");
  if (!text.starts_with(kHoldTokenPrefix)) return no_token("begins with something else");
  const auto bytes = base::from_base64url(text.substr(kHoldTokenPrefix.size()));
  if (!bytes) return no_token("has other characters than its form allows");
  if (bytes->size() <= kNumberBytes + kSignatureBytes) return no_token("too short");
  ParsedHoldToken token{.body = bytes->substr(0, bytes->size() - kSignatureBytes)};
  std::memcpy(&token.key, token.body.data(), kNumberBytes);
  std::ranges::copy(bytes->substr(token.body.size()), token.signature.begin());
  Result<HoldClaim> claim =
      store::decode_settlement(std::string_view(token.body).substr(kNumberBytes));
  if (!claim) return no_token("its content is damaged");
  if (const std::string_view wrong = wrong_claim(*claim); !wrong.empty()) return no_token(wrong);
  token.claim = *std::move(claim);
  return token;
}

Signature check_signature(const ParsedHoldToken& token, std::span<const store::HoldKey> keys) {
  const auto key = std::ranges::find(keys, token.key, &store::HoldKey::number);
  if (key == keys.end()) return Signature::unknown_key;
  const base::Digest expected = base::hmac_sha256(base::view_of(key->secret), token.body);
  const bool good =
      base::equal_in_constant_time(base::view_of(expected), base::view_of(token.signature));
  return good ? Signature::good : Signature::wrong;
}

}  // namespace aimeter::ledger
