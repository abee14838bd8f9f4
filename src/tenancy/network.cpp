#include "tenancy/network.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace aimeter::tenancy {
namespace {

constexpr unsigned kAddressBits = 128;
constexpr unsigned kMappedBits = 96;  // of ::ffff:0:0/96, RFC 4291 section 2.5.5.2
constexpr std::string_view kExpected = "a network such as \"10.0.0.0/8\" or \"2001:db8::/32\"";

bool bit(const Address& address, unsigned index) {
  return ((address.at(index / 8) >> (7 - index % 8)) & 1U) != 0;
}

bool is_v4(std::string_view text) { return text.find(':') == std::string_view::npos; }

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  text = text.substr(0, text.find('%'));
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string given(text);
  Address address{};
  if (!is_v4(text)) {
    if (inet_pton(AF_INET6, given.c_str(), address.data()) != 1) return std::nullopt;
    return address;
  }
  address[10] = address[11] = 0xff;
  if (inet_pton(AF_INET, given.c_str(), address.data() + 12) != 1) return std::nullopt;
  return address;
}

Result<Network> Network::parse(std::string_view field, std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  const auto base = parse_address(address);
  if (!base || address.find('%') != std::string_view::npos) {
    return bad_input(field, text, kExpected);
  }
  const unsigned offset = is_v4(address) ? kMappedBits : 0;
  unsigned bits = kAddressBits - offset;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc() || end != digits.data() + digits.size() ||
        bits > kAddressBits - offset) {
      return bad_input(field, text, kExpected);
    }
  }
  for (unsigned i = offset + bits; i < kAddressBits; ++i) {
    if (bit(*base, i)) {
      return bad_input(field, text, fmt::format("no bits set behind the first {}", bits));
    }
  }
  return Network(*base, offset + bits);
}

bool Network::contains(const Address& address) const {
  for (unsigned i = 0; i < bits_; ++i) {
    if (bit(address, i) != bit(base_, i)) return false;
  }
  return true;
}

Result<Networks> Networks::parse(std::string_view field, const std::vector<std::string>& texts) {
  Networks networks;
  for (const std::string& text : texts) {
    AIMETER_TRY(Network network, Network::parse(field, text));
    networks.all_.push_back(network);
  }
  return networks;
}

bool Networks::contain(std::string_view address) const {
  const auto parsed = parse_address(address);
  return parsed && std::ranges::any_of(
                       all_, [&](const Network& network) { return network.contains(*parsed); });
}

}  // namespace aimeter::tenancy
