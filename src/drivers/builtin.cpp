#include "drivers/builtin.h"

#include <algorithm>
#include <array>
#include <utility>

namespace aimeter {
namespace drivers {
namespace {

const auto& extractors() {
  static const auto* const kAll = [] {
    auto* all = new std::vector<std::unique_ptr<Extractor>>;  // never destroyed: used until exit
#define AIMETER_PROVIDER(name) all->push_back(make_provider_##name());
#include "drivers/builtin.inc"
    std::ranges::sort(*all, {}, [](const auto& x) { return x->name(); });
    return all;
  }();
  return *kAll;
}

}  // namespace

const Extractor* find_extractor(std::string_view name) {
  const auto& all = extractors();
  const auto at = std::ranges::lower_bound(all, name, {}, [](const auto& x) { return x->name(); });
  return at != all.end() && (*at)->name() == name ? at->get() : nullptr;
}

std::vector<std::string_view> extractor_names() {
  std::vector<std::string_view> names;
  for (const auto& extractor : extractors()) names.push_back(extractor->name());
  return names;
}

Result<std::unique_ptr<store::Store>> open_store(std::string_view dsn,
                                                 const store::StoreOptions& options) {
#define AIMETER_STORE(name) \
  if (dsn.starts_with(#name ":")) return open_store_##name(dsn.substr(sizeof #name), options);
#include "drivers/builtin.inc"
  return bad_input("store", dsn, "sqlite:PATH or memory:");
}

}  // namespace drivers

namespace {

Result<Usage> extract(const CallInfo& call, const AnswerHints& hints, std::string_view body) {
  const Extractor* extractor = drivers::find_extractor(call.provider);
  if (extractor == nullptr) {
    std::string names;
    for (const std::string_view name : drivers::extractor_names())
      names.append(names.empty() ? "one of " : ", ").append(name);
    return bad_input("provider", call.provider, names);
  }
  const std::unique_ptr<AnswerReader> reader = extractor->reader(hints);
  reader->feed(body);
  Extracted found = reader->finish();
  if (found.usage) return *std::move(found.usage);
  if (found.error && found.error->code == Code::provider_failed)
    return std::unexpected(*std::move(found.error));
  return Usage{};
}

}  // namespace

Result<Usage> extract_usage(const CallInfo& call, std::string_view body) {
  return extract(call, {}, body);
}

Result<Usage> usage_of(const std::string& body, const CallInfo& call) {
  return extract(call, {}, body);
}

Result<Usage> usage_of(const HttpAnswer& answer, const CallInfo& call) {
  return extract(call, {.http_status = answer.status}, answer.body);
}

}  // namespace aimeter
