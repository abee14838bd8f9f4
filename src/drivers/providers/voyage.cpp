// Voyage AI: embeddings and rerank report only a total, which is input.
#include "drivers/builtin.h"
#include "provider/answer.h"

namespace aimeter::drivers {
namespace {

constexpr provider::Dialect kDialects[] = {provider::read_openai};
constexpr provider::ProviderCard kCard = {
    .name = "voyage",
    .dialects = kDialects,
    .total_alone = provider::TotalAlone::is_input,
};

}  // namespace

std::unique_ptr<Extractor> make_provider_voyage() { return provider::make_extractor(kCard); }

}  // namespace aimeter::drivers
