// Tokens of detached holds, by the first byte: as they came; a body that we sign, so that what
// stands behind the signature is reached; a good token with one character changed.
// Package: ledger
// Parser: src/ledger/hold_token.cpp
#include <string>
#include <vector>

#include "base/hash.h"
#include "ledger/hold_token.h"
#include "tests/fuzz/input.h"

namespace aimeter::fuzz {
namespace {

using ledger::HoldClaim;
using ledger::ParsedHoldToken;
using ledger::Signature;

const store::HoldKey& our_key() {
  static const store::HoldKey kKey = [] {
    store::HoldKey key = store::new_hold_key(3, Instant());
    key.secret.fill(static_cast<std::uint8_t>(0x5a));
    return key;
  }();
  return kKey;
}
Signature proof_of(const ParsedHoldToken& token) {
  return check_signature(token, std::vector{our_key()});
}

// What is parsed is a hold, of its own account, and nothing else.
void expect_hold(const HoldClaim& claim) {
  AIMETER_ASSERT(claim.token.size() == ledger::kHoldIdBytes);
  AIMETER_ASSERT(claim.adjusts == 0);
  AIMETER_ASSERT((claim.flags & (store::kAdjustment | store::kDetach | store::kDuplicate)) == 0);
  for (const store::BudgetPart& part : claim.budgets) {
    AIMETER_ASSERT(part.held >= 0);
    AIMETER_ASSERT(part.actual == 0);
    AIMETER_ASSERT(part.key.account == claim.account);
  }
}

Result<ParsedHoldToken> parse(std::string_view text) {
  Result<ParsedHoldToken> token = ledger::parse_hold_token(text);
  if (token) {
    AIMETER_ASSERT(text.size() <= ledger::kHoldTokenBytesMax);
    expect_hold(token->claim);
    return token;
  }
  AIMETER_ASSERT(token.error().code == Code::invalid_argument);
  AIMETER_ASSERT(token.error().message.starts_with("hold token: "));
  if (text.starts_with(ledger::kHoldTokenPrefix)) {
    AIMETER_ASSERT(token.error().message.find(text) == std::string::npos);
  }
  return token;
}

// Nobody but us has the key: whatever it says, it is not to be believed.
void expect_unproven(std::string_view text) {
  const Result<ParsedHoldToken> token = parse(text);
  if (token) AIMETER_ASSERT(proof_of(*token) != Signature::good);
}

// `body`: key number and claim.
void expect_one_form(std::string_view body) {
  std::string bytes(body);
  bytes += base::view_of(base::hmac_sha256(base::view_of(our_key().secret), bytes));
  const std::string text = std::string(ledger::kHoldTokenPrefix) + base::base64url(bytes);
  const Result<ParsedHoldToken> token = parse(text);
  if (!token) return;
  AIMETER_ASSERT(token->body == body);
  if (token->key != our_key().number) {
    AIMETER_ASSERT(proof_of(*token) == Signature::unknown_key);
    return;
  }
  AIMETER_ASSERT(proof_of(*token) == Signature::good);
  AIMETER_ASSERT(ledger::make_hold_token(token->claim, our_key()) == text);
}

HoldClaim claim_of(Input& input) {
  HoldClaim claim;
  claim.token = std::string(ledger::kHoldIdBytes, 't');
  claim.account = {.tenant = {"acme"}, .billable = {.type = "tenant", .id = "acme"}};
  claim.budgets = {{.key = {.account = claim.account}, .held = input.byte()}};
  claim.meta = std::string(input.rest());
  return claim;
}

// Where: two bytes; with what: one.
void expect_change_noticed(Input& input) {
  const std::size_t where = std::size_t{input.byte()} << 8 | input.byte();
  const char with = static_cast<char>(input.byte());
  const std::string good = ledger::make_hold_token(claim_of(input), our_key());
  if (good.size() <= ledger::kHoldTokenBytesMax) {
    const Result<ParsedHoldToken> same = parse(good);
    AIMETER_ASSERT(same.has_value());
    AIMETER_ASSERT(proof_of(*same) == Signature::good);
  }
  std::string changed = good;
  changed[where % changed.size()] = with;
  if (changed != good) expect_unproven(changed);
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.byte() % 4;
  if (choice == 0) {
    fuzz::expect_unproven(input.rest());
  } else if (choice == 1) {
    fuzz::expect_change_noticed(input);
  } else {
    fuzz::expect_one_form(input.rest());
  }
  return 0;
}
