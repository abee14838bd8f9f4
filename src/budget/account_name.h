// Package:       budget
// Units:         bytes
// Errors:        none; a part of more than 255 bytes ends the process (ids have at most 191).
// Thread safety: AccountNames: one thread at a time; an AccountName: any thread.
// Ownership:     AccountNames own the bytes; an AccountName borrows them.
//
// Accounts by the million: tenant, type and id packed one after the other, compared byte by byte.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "aimeter/tenant.h"

namespace aimeter::budget {

class AccountName {
 public:
  AccountName() = default;
  [[nodiscard]] std::string_view tenant() const { return part(0); }
  [[nodiscard]] std::string_view type() const { return part(1); }
  [[nodiscard]] std::string_view id() const { return part(2); }
  [[nodiscard]] Account account() const {
    return {{std::string(tenant())}, {std::string(type()), std::string(id())}};
  }

 private:
  friend class AccountNames;
  static constexpr std::size_t kParts = 3;  // first their sizes, a byte each, then their bytes
  explicit AccountName(const char* bytes) : bytes_(bytes) {}
  [[nodiscard]] std::size_t size(std::size_t i) const {
    return static_cast<unsigned char>(bytes_[i]);
  }
  [[nodiscard]] std::string_view part(std::size_t number) const {
    std::size_t at = kParts;
    for (std::size_t i = 0; i < number; ++i) at += size(i);
    return {bytes_ + at, size(number)};
  }

  const char* bytes_ = nullptr;
};

struct HashAccount {
  using is_transparent = void;
  std::size_t operator()(const Account& account) const {
    return mixed(account.tenant.text, account.billable.type, account.billable.id);
  }
  std::size_t operator()(const AccountName& name) const {
    return mixed(name.tenant(), name.type(), name.id());
  }

 private:
  static std::size_t mixed(std::string_view tenant, std::string_view type, std::string_view id);
};

struct SameAccount {
  using is_transparent = void;
  bool operator()(const AccountName& a, const AccountName& b) const {
    return a.tenant() == b.tenant() && a.type() == b.type() && a.id() == b.id();
  }
  bool operator()(const AccountName& a, const Account& b) const {
    return a.tenant() == b.tenant.text && a.type() == b.billable.type && a.id() == b.billable.id;
  }
  bool operator()(const Account& a, const AccountName& b) const { return (*this)(b, a); }
};

class AccountNames {
 public:
  [[nodiscard]] AccountName add(const Account& account);

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t left_ = 0;  // of the last block
  char* next_ = nullptr;
};

}  // namespace aimeter::budget
