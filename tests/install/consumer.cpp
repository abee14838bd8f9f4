// What a host writes: only installed headers, only the exported target. Meters one call into the
// SQLite file that is named, and says what the store then has.
#include <aimeter/aimeter.h>

#include <cstdio>
#include <string>

int main(int argc, char** argv) {
  const auto price = aimeter::Money::parse("0.00015");
  const auto bad = aimeter::Money::parse("1e3");
  if (!price || bad || argc != 2) return 1;
  const aimeter::Period month({.type = aimeter::Period::Type::monthly});
  const auto at = aimeter::parse_instant("at", "2026-07-29T12:00:00Z");
  if (!at) return 1;
  std::printf("%s %s %s\n", price->text().c_str(), aimeter::text_of(month.at(*at).start).c_str(),
              std::string(aimeter::name_of(bad.error().code)).c_str());

  const auto engine = aimeter::open("sqlite:" + std::string(argv[1]));
  if (!engine) return std::fprintf(stderr, "%s\n", engine.error().message.c_str()), 1;
  const auto reply =
      engine->meter().for_tenant("acme").using_provider("openai", "gpt-4o-mini").call([] {
        return R"({"model": "gpt-4o-mini",
                   "usage": {"prompt_tokens": 1200, "completion_tokens": 300}})";
      });
  if (!reply) return std::fprintf(stderr, "%s\n", reply.error().message.c_str()), 1;
  const auto sum = engine->tenant("acme").usages().sum();
  if (!sum) return std::fprintf(stderr, "%s\n", sum.error().message.c_str()), 1;
  std::printf("%d call, %d tokens, %s usd\n", static_cast<int>(sum->calls),
              static_cast<int>(sum->total_tokens.count), sum->total_cost.text().c_str());
  return 0;
}
