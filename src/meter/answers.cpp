#include "meter/answers.h"

#include <exception>

namespace aimeter::meter {
namespace {

constexpr int kFirstFailure = 400;  // RFC 9110 section 15.5: 4xx and 5xx

Answered from_client(const ProviderClient& client, const CallInfo& info, std::string_view body) {
  try {
    Result<Usage> usage = client.usage(info.model, body);
    if (usage) return {.usage = *std::move(usage)};
    return {.problem = std::move(usage).error().message};
  } catch (const std::exception& thrown) {
    return {.problem = std::string("the provider client threw: ") + thrown.what()};
  } catch (...) {
    return {.problem = "the provider client threw"};
  }
}

}  // namespace

const Extractor* Answers::extractor_of(std::string_view provider) const {
  const auto named = setup_.extractors.find(std::string(provider));
  return setup_.find(named == setup_.extractors.end() ? provider : named->second);
}

Status Answers::check_provider(std::string_view name) const {
  const std::string key(name);
  if (setup_.clients.contains(key) || setup_.priced.contains(key)) return {};
  if (extractor_of(name) != nullptr) return {};
  std::string accepted = "a provider of the configuration, a registered one, or one of";
  for (const std::string_view one : setup_.built_in) accepted.append(" ").append(one);
  return bad_input("provider", name, accepted);
}

Result<Answered> Answers::read(const CallInfo& info, int http_status, std::string_view body) const {
  const auto client = setup_.clients.find(info.provider);
  if (client != setup_.clients.end()) {
    if (http_status >= kFirstFailure)
      return fail(Code::provider_failed, "HTTP status " + std::to_string(http_status));
    return from_client(*client->second, info, body);
  }
  const Extractor* extractor = extractor_of(info.provider);
  if (extractor == nullptr) {
    if (http_status >= kFirstFailure)
      return fail(Code::provider_failed, "HTTP status " + std::to_string(http_status));
    return Answered{.problem = "no extractor reads the answers of provider " + info.provider};
  }
  const std::unique_ptr<AnswerReader> reader = extractor->reader({.http_status = http_status});
  reader->feed(body);
  Extracted found = reader->finish();
  if (!found.usage && found.error && found.error->code == Code::provider_failed)
    return std::unexpected(*std::move(found.error));
  if (http_status >= kFirstFailure)
    return fail(Code::provider_failed, "HTTP status " + std::to_string(http_status));
  Answered answered{.model = std::move(found.model)};
  if (found.usage) answered.usage = *std::move(found.usage);
  if (found.error) answered.problem = std::move(found.error->message);
  return answered;
}

}  // namespace aimeter::meter
