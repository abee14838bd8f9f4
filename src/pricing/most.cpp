#include "pricing/most.h"

#include <algorithm>

#include "pricing/book.h"

namespace aimeter::pricing {

std::optional<std::int64_t> max_tokens(const PriceBook& book, std::string_view provider,
                                       std::string_view model) {
  if (model.empty()) return std::nullopt;
  const Result<std::string> id = book.resolve(provider, model);
  if (!id) return std::nullopt;
  std::optional<std::int64_t> elsewhere;  // it answers from a provider that ours falls back to
  for (const Provider& each : book.data().providers) {
    const auto known = std::ranges::find(each.models, *id, &Model::id);
    if (known == each.models.end() || !known->max_tokens) continue;
    const bool named =
        each.id == provider || std::ranges::find(each.aliases, provider) != each.aliases.end();
    if (named) return known->max_tokens;
    elsewhere = std::max(elsewhere.value_or(0), *known->max_tokens);
  }
  return elsewhere;
}

}  // namespace aimeter::pricing
