#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "tenancy/resolve.h"

namespace aimeter::drivers {
namespace {

constexpr int kSegmentMax = 32;
constexpr std::size_t kPathBytesMax = 8192;  // what common servers take as a request line
constexpr std::string_view kExpected =
    "a path whose segments are not empty, \".\" or \"..\", with whole %XX of no '/', '\\' or NUL";

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// Decoded once. Nothing for what another reader of the path could take for something else.
std::optional<std::string> decode(std::string_view segment) {
  std::string text;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    char c = segment[i];
    if (c == '%') {
      if (i + 2 >= segment.size()) return std::nullopt;
      const auto high = hex_digit(segment[i + 1]), low = hex_digit(segment[i + 2]);
      if (!high || !low) return std::nullopt;
      c = static_cast<char>(*high * 16 + *low);
      i += 2;
    }
    if (c == '/' || c == '\\' || c == '\0') return std::nullopt;
    text += c;
  }
  if (text.empty() || text == "." || text == "..") return std::nullopt;
  return text;
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const std::size_t slash = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, slash));
    path.remove_prefix(slash);
  }
  if (!segments.empty() && segments.back().empty()) segments.pop_back();  // a final '/'
  return segments;
}

// /acme/chat: segment 1; with a prefix /t, the segment behind it: /t/acme/chat.
class Driver final : public TenantResolver {
 public:
  Driver(std::vector<std::string> prefix, int segment)
      : prefix_(std::move(prefix)), index_(static_cast<std::size_t>(segment) - 1) {}

  [[nodiscard]] Result<std::optional<TenantId>> resolve(const Context& context) const override {
    const std::string_view path =
        std::string_view(context.path).substr(0, context.path.find_first_of("?#"));
    if (path.empty()) return std::nullopt;
    if (path.size() > kPathBytesMax || path.front() != '/') {
      return bad_input("path", path, kExpected);
    }
    const std::vector<std::string_view> segments = split(path);
    const std::size_t wanted = prefix_.empty() ? index_ : prefix_.size();
    if (segments.size() <= wanted) return std::nullopt;
    for (std::size_t i = 0; i <= wanted; ++i) {
      const auto segment = decode(segments[i]);
      if (!segment) return bad_input("path", path, kExpected);
      if (i < prefix_.size() && *segment != prefix_[i]) return std::nullopt;
      if (i < wanted) continue;
      AIMETER_TRY(TenantId tenant, TenantId::parse(*segment));
      return tenant;
    }
    return std::nullopt;
  }

 private:
  std::vector<std::string> prefix_;
  std::size_t index_;
};

}  // namespace

Result<std::unique_ptr<TenantResolver>> make_resolver_path(const tenancy::ResolverSetup& setup) {
  const tenancy::ResolverOptions& options = setup.options;
  if (options.path_segment < 1 || options.path_segment > kSegmentMax) {
    return bad_input("tenancy.path_segment", fmt::to_string(options.path_segment), "1 to 32");
  }
  std::vector<std::string> prefix;
  if (!options.path_prefix.empty()) {
    for (const std::string_view segment : split(options.path_prefix)) {
      const auto text = decode(segment);
      if (!text) return bad_input("tenancy.path_prefix", options.path_prefix, kExpected);
      prefix.push_back(*text);
    }
    if (prefix.empty()) {
      return bad_input("tenancy.path_prefix", options.path_prefix, "a path such as \"/t\"");
    }
  }
  return std::make_unique<Driver>(std::move(prefix), options.path_segment);
}

}  // namespace aimeter::drivers
