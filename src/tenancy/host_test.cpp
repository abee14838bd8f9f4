#include "tenancy/host.h"

#include <gtest/gtest.h>

#include <string>

#include "tenancy/network.h"

namespace aimeter::tenancy {
namespace {

struct Row {
  std::string_view says, text, host;  // host "" = refused
};

constexpr Row kRows[] = {
    {"a name stays", "acme.example.com", "acme.example.com"},
    {"capitals become small", "ACME.Example.COM", "acme.example.com"},
    {"the port is stripped", "acme.example.com:8443", "acme.example.com"},
    {"an empty port too", "acme.example.com:", "acme.example.com"},
    {"the trailing dot is stripped", "acme.example.com.", "acme.example.com"},
    {"dot and port", "acme.example.com.:443", "acme.example.com"},
    {"two trailing dots are an empty name", "acme.example.com..", ""},
    {"one label", "localhost", "localhost"},
    {"an IPv4 address", "10.0.0.7:80", "10.0.0.7"},
    {"an IPv6 address in brackets", "[2001:DB8::1]", "2001:db8::1"},
    {"in brackets with a port", "[2001:db8::1]:8080", "2001:db8::1"},
    {"a long spelling of the same address", "[2001:0db8:0:0:0:0:0:1]", "2001:db8::1"},
    {"bare", "::1", "::1"},
    {"brackets that do not close", "[::1", ""},
    {"something behind the brackets", "[::1]x", ""},
    {"a zone inside", "[fe80::1%eth0]", ""},
    {"a name in brackets", "[acme]", ""},
    {"an underscore", "my_app.example.com", "my_app.example.com"},
    {"an international name as xn--", "xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"an international name as it is", "bücher.example", ""},
    {"a look-alike dot", "acme．example.com", ""},
    {"nothing", "", ""},
    {"a dot", ".", ""},
    {"only a port", ":80", ""},
    {"a port that is too big", "acme:65536", ""},
    {"the biggest port", "acme:65535", "acme"},
    {"a port that is none", "acme:8a", ""},
    {"a user in front", "root@acme.example.com", ""},
    {"a path behind", "acme.example.com/x", ""},
    {"a space", "acme example.com", ""},
    {"a line break", "acme.example.com\r\nX: y", ""},
    {"an empty label", "acme..example.com", ""},
    {"a label that begins with a hyphen", "-acme.example.com", ""},
    {"a wildcard", "*.example.com", ""},
};

TEST(Host, table) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.says);
    const auto host = parse_host("host", row.text);
    if (row.host.empty()) {
      ASSERT_FALSE(host.has_value()) << *host;
      EXPECT_EQ(host.error().code, Code::invalid_argument);
      EXPECT_TRUE(host.error().message.starts_with("host: \"")) << host.error().message;
    } else {
      ASSERT_TRUE(host.has_value()) << host.error().message;
      EXPECT_EQ(*host, row.host);
    }
  }
}

TEST(Host, lengths) {
  const std::string label(63, 'a');
  EXPECT_TRUE(parse_host("host", label).has_value());
  EXPECT_FALSE(parse_host("host", label + "a").has_value());
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  ASSERT_EQ(longest.size(), kHostBytesMax);
  EXPECT_TRUE(parse_host("host", longest + ".:65535").has_value());
  EXPECT_FALSE(parse_host("host", longest + "a").has_value());
  EXPECT_FALSE(parse_host("host", std::string(1U << 20U, 'a')).has_value());
  EXPECT_FALSE(parse_host("host", std::string("acme\0.example.com", 17)).has_value());
}

TEST(Host, addresses_are_told_from_names) {
  EXPECT_TRUE(is_address("10.0.0.7"));
  EXPECT_TRUE(is_address("::1"));
  EXPECT_FALSE(is_address("acme.example.com"));
  EXPECT_FALSE(is_address("10.0.0"));
}

struct NetworkRow {
  std::string_view says, network, address;
  bool inside;
};

constexpr NetworkRow kNetworks[] = {
    {"the first address", "10.0.0.0/8", "10.0.0.0", true},
    {"the last address", "10.0.0.0/8", "10.255.255.255", true},
    {"one below", "10.0.0.0/8", "9.255.255.255", false},
    {"one above", "10.0.0.0/8", "11.0.0.0", false},
    {"one address", "192.168.1.7", "192.168.1.7", true},
    {"its neighbour", "192.168.1.7", "192.168.1.6", false},
    {"a prefix inside a byte", "172.16.0.0/12", "172.31.255.255", true},
    {"just past it", "172.16.0.0/12", "172.32.0.0", false},
    {"everything of IPv4", "0.0.0.0/0", "203.0.113.9", true},
    {"but not IPv6", "0.0.0.0/0", "2001:db8::1", false},
    {"IPv6", "2001:db8::/32", "2001:db8:ffff::1", true},
    {"IPv6 outside", "2001:db8::/32", "2001:db9::1", false},
    {"an IPv4 address mapped into IPv6", "10.0.0.0/8", "::ffff:10.1.2.3", true},
    {"a zone is left away", "fe80::/10", "fe80::1%eth0", true},
    {"no address", "0.0.0.0/0", "proxy.internal", false},
    {"an empty address", "0.0.0.0/0", "", false},
    {"an address with a port", "0.0.0.0/0", "10.0.0.7:80", false},
    {"a short spelling that inet_aton would take", "0.0.0.0/0", "10.7", false},
    {"zeros in front, octal to some", "0.0.0.0/0", "010.0.0.7", false},
};

TEST(Network, table) {
  for (const NetworkRow& row : kNetworks) {
    SCOPED_TRACE(row.says);
    const auto networks = Networks::parse("trusted_proxies", {std::string(row.network)});
    ASSERT_TRUE(networks.has_value()) << networks.error().message;
    EXPECT_EQ(networks->contain(row.address), row.inside);
  }
}

TEST(Network, bad_networks_name_the_field) {
  for (const char* text : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x",
                           "10.0.0.7/8", "10.0.0/8", "2001:db8::/129", "2001:db8::1/32",
                           "fe80::1%eth0/64", "proxy.internal", "10.0.0.0 /8", "/8"}) {
    const auto networks = Networks::parse("trusted_proxies", {"10.0.0.0/8", text});
    ASSERT_FALSE(networks.has_value()) << text;
    EXPECT_EQ(networks.error().code, Code::invalid_argument);
    EXPECT_TRUE(networks.error().message.starts_with("trusted_proxies: \"" + std::string(text)));
  }
  EXPECT_FALSE(Networks::parse("trusted_proxies", {}).value().contain("10.0.0.7"));
}

}  // namespace
}  // namespace aimeter::tenancy
