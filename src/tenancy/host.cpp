#include "tenancy/host.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>

namespace aimeter::tenancy {
namespace {

constexpr std::string_view kExpected =
    "a host such as \"acme.example.com\", \"acme.example.com:8443\" or \"[2001:db8::1]\"";
constexpr std::size_t kLabelBytesMax = 63;  // RFC 1035 section 2.3.4
// The longest spelling: name, final dot, colon, five digits.
constexpr std::size_t kGivenBytesMax = kHostBytesMax + 7;

bool is_port(std::string_view text) {
  if (text.empty()) return true;  // "host:" is legal (RFC 3986 section 3.2.3)
  if (text.size() > 5) return false;
  int port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    port = port * 10 + (c - '0');
  }
  return port <= 65535;
}

std::optional<std::string> ipv6(std::string_view text) {
  in6_addr address{};
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (inet_pton(AF_INET6, std::string(text).c_str(), &address) != 1) return std::nullopt;
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  return inet_ntop(AF_INET6, &address, buffer.data(), buffer.size());
}

// Between brackets, or bare: a text with two colons is no name with a port.
std::optional<std::string> bracketed(std::string_view text) {
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos) return std::nullopt;
  const std::string_view after = text.substr(close + 1);
  if (!after.empty() && (after.front() != ':' || !is_port(after.substr(1)))) return std::nullopt;
  return ipv6(text.substr(1, close - 1));
}

bool is_label(std::string_view label) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !label.empty() && label.size() <= kLabelBytesMax && label.front() != '-' &&
         label.back() != '-' && std::ranges::all_of(label, good);
}

std::optional<std::string> name(std::string_view text) {
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    if (!is_port(text.substr(colon + 1))) return std::nullopt;
    text = text.substr(0, colon);
  }
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kHostBytesMax) return std::nullopt;
  std::string host(text);
  for (char& c : host) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (std::string_view rest = host;;) {
    const std::size_t dot = rest.find('.');
    if (!is_label(rest.substr(0, dot))) return std::nullopt;
    if (dot == std::string_view::npos) return host;
    rest.remove_prefix(dot + 1);
  }
}

std::optional<std::string> read(std::string_view text) {
  if (text.size() > kGivenBytesMax) return std::nullopt;
  if (text.starts_with('[')) return bracketed(text);
  if (std::ranges::count(text, ':') > 1) return ipv6(text);
  return name(text);
}

}  // namespace

Result<std::string> parse_host(std::string_view field, std::string_view text) {
  auto host = read(text);
  if (!host) return bad_input(field, text, kExpected);
  return *std::move(host);
}

bool is_address(std::string_view host) {
  in_addr address{};
  return host.find(':') != std::string_view::npos ||
         inet_pton(AF_INET, std::string(host).c_str(), &address) == 1;
}

}  // namespace aimeter::tenancy
