// Price books of the three formats, told by content.
// Package: pricing
// Parser: src/pricing/aimeter_format.cpp src/pricing/genai_prices_format.cpp
// Parser: src/pricing/litellm_format.cpp src/pricing/litellm_fields.cpp src/pricing/rule_format.cpp
// Parser: src/pricing/rule.cpp src/pricing/document.cpp
#include <string>

#include "aimeter/pricing.h"
#include "tests/fuzz/input.h"

namespace aimeter::fuzz {
namespace {

// A book that was read is written and read again as the same one, and prices what it lists.
void expect_whole(const PriceBook& book) {
  const std::string document = book.to_document();
  const Result<ImportedBook> again = PriceBook::import(document, {.format = BookFormat::aimeter});
  AIMETER_ASSERT(again.has_value());
  AIMETER_ASSERT(again->skipped.empty());
  AIMETER_ASSERT(again->book->to_document() == document);
  AIMETER_ASSERT(again->book->lines() == book.lines());
  AIMETER_ASSERT(book.diff(*again->book).empty());

  Usage usage{.input_tokens = Tokens{900'001}, .output_tokens = Tokens{77}};
  usage.total_tokens = Tokens{900'078};
  usage.source = UsageSource::provider;
  for (const PriceLine& line : book.lines()) {
    const Result<CostResult> cost = book.cost(
        {.provider = line.provider, .model = line.model, .at = book.effective_from()}, usage);
    if (cost) AIMETER_ASSERT(!cost->total.is_negative());
  }
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  const std::string_view document = fuzz::Input(data, size).rest();
  const Result<ImportedBook> imported =
      PriceBook::import(document, {.format = guess_format(document), .version = "v1"});
  if (!imported) {
    AIMETER_ASSERT(imported.error().code == Code::invalid_argument);
    AIMETER_ASSERT(!imported.error().message.empty());
    return 0;
  }
  for (const SkippedEntry& entry : imported->skipped) AIMETER_ASSERT(!entry.reason.empty());
  fuzz::expect_whole(*imported->book);
  return 0;
}
