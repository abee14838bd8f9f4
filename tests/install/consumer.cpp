// What a host writes: only installed headers, only the exported target.
#include <aimeter/money.h>
#include <aimeter/period.h>
#include <aimeter/result.h>

#include <cstdio>

int main() {
  const auto price = aimeter::Money::parse("0.00015");
  const auto bad = aimeter::Money::parse("1e3");
  if (!price || bad) return 1;
  const aimeter::Period month({.type = aimeter::Period::Type::monthly});
  const auto at = aimeter::parse_instant("at", "2026-07-29T12:00:00Z");
  if (!at) return 1;
  std::printf("%s %s %s\n", price->text().c_str(), aimeter::text_of(month.at(*at).start).c_str(),
              std::string(aimeter::name_of(bad.error().code)).c_str());
  return 0;
}
