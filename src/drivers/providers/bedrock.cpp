// Amazon Bedrock: Converse and InvokeModel, whole and streamed.
#include "drivers/builtin.h"
#include "provider/answer.h"

namespace aimeter::drivers {
namespace {

constexpr provider::Dialect kDialects[] = {provider::read_bedrock, provider::read_anthropic,
                                           provider::read_openai};
constexpr provider::ProviderCard kCard = {
    .name = "bedrock",
    .dialects = kDialects,
    .model_name = provider::ModelName::of_request,
};

}  // namespace

std::unique_ptr<Extractor> make_provider_bedrock() { return provider::make_extractor(kCard); }

}  // namespace aimeter::drivers
