// Package:       pricing
// Units:         as the formats say: per token, per million, per thousand
// Errors:        invalid_argument naming place, value and what is expected; nothing half done.
// Thread safety: pure functions.
// Ownership:     none.
//
// One reader per file format. Each entry of a file becomes a model of the book or is listed with
// the reason why it did not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "aimeter/pricing.h"
#include "pricing/book.h"
#include "pricing/document.h"

namespace aimeter::pricing {

struct Reading {
  BookData data = {};
  std::int64_t entries = 0;
  std::vector<SkippedEntry> skipped = {};
};

[[nodiscard]] Result<Reading> read_aimeter(std::string_view document);
[[nodiscard]] Result<Reading> read_genai_prices(std::string_view document,
                                                const ImportOptions& options);
[[nodiscard]] Result<Reading> read_litellm(std::string_view document, const ImportOptions& options);

[[nodiscard]] std::string write_aimeter(const BookData& data);

// The rule object that genai-prices and our own format share.
[[nodiscard]] Result<Rule> read_rule(const Place& place);
[[nodiscard]] std::string rule_text(const Rule& rule);  // the same as JSON
[[nodiscard]] Rule equals_rule(std::string_view name);
[[nodiscard]] std::string price_text(const UnitPrice& price);  // "0.15/1000000"
[[nodiscard]] std::string when_text(const Row& row);           // "from 2026-03-13", "" for always
[[nodiscard]] Result<DayWindow> parse_window(const Place& start, const Place& end);

}  // namespace aimeter::pricing
