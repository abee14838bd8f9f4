#include "tests/fuzz/answers.h"

#include "drivers/builtin.h"
#include "tests/fuzz/input.h"

namespace aimeter::fuzz {
namespace {

void expect_normal(const Extracted& found) {
  if (found.error) {
    AIMETER_ASSERT(!found.error->message.empty());
    AIMETER_ASSERT(found.error->code == Code::provider_failed ||
                   found.error->code == Code::invalid_argument);
  }
  if (!found.usage) return;
  Usage usage = *found.usage;
  AIMETER_ASSERT(usage.check().has_value());
  AIMETER_ASSERT(usage.source == UsageSource::provider || usage.source == UsageSource::estimated);
  const Result<Usage> back = Usage::from_json(usage.to_json());
  AIMETER_ASSERT(back.has_value());
  usage.source = back->source;
  usage.service_tier = back->service_tier;  // one that is no word is not written
  AIMETER_ASSERT(*back == usage);
}

Extracted read_cut(const Extractor& extractor, const AnswerHints& hints, std::string_view body,
                   std::size_t cut) {
  const std::unique_ptr<AnswerReader> reader = extractor.reader(hints);
  feed_cut(body, cut, [&](std::string_view piece) { reader->feed(piece); });
  return reader->finish();
}

}  // namespace

void expect_same(const Extracted& a, const Extracted& b) {
  AIMETER_ASSERT(a.model == b.model);
  AIMETER_ASSERT(a.usage == b.usage);
  AIMETER_ASSERT(a.error.has_value() == b.error.has_value());
  if (a.error) {
    AIMETER_ASSERT(a.error->code == b.error->code);
    AIMETER_ASSERT(a.error->message == b.error->message);
  }
  AIMETER_ASSERT(a.reported_cost == b.reported_cost);
  AIMETER_ASSERT(a.reported_total == b.reported_total);
  AIMETER_ASSERT(a.further == b.further);
  AIMETER_ASSERT(a.by_model.size() == b.by_model.size());
  for (std::size_t i = 0; i < a.by_model.size(); ++i) {
    AIMETER_ASSERT(a.by_model[i].model == b.by_model[i].model);
    AIMETER_ASSERT(a.by_model[i].usage == b.by_model[i].usage);
  }
}

Extracted read_answer(std::string_view provider, const AnswerHints& hints, std::string_view body) {
  const Extractor* extractor = drivers::find_extractor(provider);
  AIMETER_ASSERT(extractor != nullptr);
  Extracted whole = read_cut(*extractor, hints, body, kCuts[0]);
  expect_normal(whole);
  for (const std::size_t cut : kCuts) expect_same(whole, read_cut(*extractor, hints, body, cut));
  return whole;
}

}  // namespace aimeter::fuzz
