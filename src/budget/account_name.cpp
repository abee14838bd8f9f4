#include "budget/account_name.h"

#include <array>
#include <cstring>

#include "aimeter/result.h"
#include "base/hash.h"

namespace aimeter::budget {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{64} << 10;
constexpr std::size_t kPartBytesMax = 255;

}  // namespace

std::size_t HashAccount::mixed(std::string_view tenant, std::string_view type,
                               std::string_view id) {
  return base::mix64(tenant) * 31 + base::mix64(type) * 7 + base::mix64(id);
}

AccountName AccountNames::add(const Account& account) {
  const std::array<std::string_view, AccountName::kParts> parts = {
      account.tenant.text, account.billable.type, account.billable.id};
  std::size_t bytes = parts.size();
  for (const std::string_view part : parts) {
    AIMETER_ASSERT(part.size() <= kPartBytesMax);
    bytes += part.size();
  }
  if (left_ < bytes) {
    next_ = blocks_.emplace_back(std::make_unique_for_overwrite<char[]>(kBlockBytes)).get();
    left_ = kBlockBytes;
  }
  const AccountName name(next_);
  for (const std::string_view part : parts) *next_++ = static_cast<char>(part.size());
  for (const std::string_view part : parts) {
    if (!part.empty()) std::memcpy(next_, part.data(), part.size());
    next_ += part.size();
  }
  left_ -= bytes;
  return name;
}

}  // namespace aimeter::budget
