#include "tests/sim/trace.h"

#include <fmt/format.h>

#include <iterator>

namespace aimeter::sim {

void Trace::mix(std::uint64_t word) {
  hash_ ^= word;
  hash_ *= 1'099'511'628'211ULL;
  hash_ ^= hash_ >> 29;
}

void Trace::line(std::string_view what, std::initializer_list<Field> fields) {
  for (const char c : what) mix(static_cast<unsigned char>(c));
  for (const auto& [name, value] : fields) mix(static_cast<std::uint64_t>(value));
  if (!keep_) return;
  auto out = std::back_inserter(text_);
  fmt::format_to(out, "{:>5} {:{}}{}", step_, "", 2 * depth_, what);
  for (const auto& [name, value] : fields) fmt::format_to(out, " {}={}", name, value);
  text_ += '\n';
}

}  // namespace aimeter::sim
