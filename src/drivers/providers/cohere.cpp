// Cohere: chat v1 and v2, generate, embed, rerank, classify.
#include "drivers/builtin.h"
#include "provider/answer.h"

namespace aimeter::drivers {
namespace {

constexpr provider::Dialect kDialects[] = {provider::read_cohere, provider::read_openai};
constexpr provider::ProviderCard kCard = {
    .name = "cohere",
    .dialects = kDialects,
};

}  // namespace

std::unique_ptr<Extractor> make_provider_cohere() { return provider::make_extractor(kCard); }

}  // namespace aimeter::drivers
