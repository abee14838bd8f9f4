// Package:       tenancy
// Units:         bits of a prefix
// Errors:        invalid_argument, naming the field.
// Thread safety: values.
// Ownership:     none.
//
// Networks in CIDR form, for trusted_proxies. An IPv4 address and the IPv6 address that maps it
// ("::ffff:10.0.0.7") are the same.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aimeter/result.h"

namespace aimeter::tenancy {

using Address = std::array<std::uint8_t, 16>;  // IPv6; IPv4 as its mapped form

// Nothing for what is no address. A zone ("fe80::1%eth0") is left away.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);

class Network {
 public:
  // "10.0.0.0/8", "2001:db8::/32", or one address. Bits behind the prefix must be 0.
  [[nodiscard]] static Result<Network> parse(std::string_view field, std::string_view text);
  [[nodiscard]] bool contains(const Address& address) const;

 private:
  Network(const Address& base, unsigned bits) : base_(base), bits_(bits) {}
  Address base_;
  unsigned bits_;
};

class Networks {
 public:
  [[nodiscard]] static Result<Networks> parse(std::string_view field,
                                              const std::vector<std::string>& texts);
  // False for a text that is no address.
  [[nodiscard]] bool contain(std::string_view address) const;

 private:
  std::vector<Network> all_;
};

}  // namespace aimeter::tenancy
