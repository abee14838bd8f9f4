#include "pricing/index.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "base/hash.h"

namespace aimeter::pricing {
namespace {

// Adds every name that an equals rule accepts; true when some other rule is there as well.
bool collect_exact(const Rule& rule, std::vector<std::string_view>& names) {
  if (rule.op == Rule::Op::equals) {
    names.push_back(rule.text);
    return false;
  }
  if (rule.op != Rule::Op::any) return true;
  bool others = false;
  for (const Rule& member : rule.rules) others |= collect_exact(member, names);
  return others;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return 'A' <= c && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

}  // namespace

std::size_t Index::Hash::operator()(std::string_view text) const {
  return static_cast<std::size_t>(base::mix64(text));
}

Index::Index(const BookData& data) : data_(data), models_(data.providers.size()) {
  std::vector<std::string_view> names;
  for (std::size_t p = 0; p < data.providers.size(); ++p) {
    const Provider& provider = data.providers[p];
    provider_names_.emplace(provider.id, p);
    for (std::size_t m = 0; m < provider.models.size(); ++m) {
      names.clear();
      if (collect_exact(provider.models[m].match, names)) models_[p].ruled.push_back(m);
      for (const std::string_view name : names) models_[p].exact.emplace(name, m);
    }
  }
  for (std::size_t p = 0; p < data.providers.size(); ++p) {
    for (const std::string& alias : data.providers[p].aliases) provider_names_.emplace(alias, p);
  }
}

const Provider* Index::find_provider(std::string_view name) const {
  if (name.size() > kNameBytesMax) return nullptr;
  const std::string lower = lower_case(name);
  for (const std::string_view spelling : {name, std::string_view(lower)}) {
    const auto exact = provider_names_.find(spelling);
    if (exact != provider_names_.end()) return &data_.providers[exact->second];
  }
  for (const Provider& provider : data_.providers) {
    if (provider.match && provider.match->matches(lower)) return &provider;
  }
  return nullptr;
}

const Model* Index::search_in(const Provider& provider, std::string_view model) const {
  const Models& models = models_[static_cast<std::size_t>(&provider - data_.providers.data())];
  const auto exact = models.exact.find(model);
  std::size_t best = exact == models.exact.end() ? provider.models.size() : exact->second;
  for (const std::size_t candidate : models.ruled) {
    if (candidate >= best) break;
    if (provider.models[candidate].match.matches(model)) {
      best = candidate;
      break;
    }
  }
  return best < provider.models.size() ? &provider.models[best] : nullptr;
}

std::vector<const Provider*> Index::fallbacks_of(const Provider& provider) const {
  std::vector<const Provider*> found;
  for (const std::string& id : provider.fallback) {
    const auto named = provider_names_.find(id);
    if (named != provider_names_.end()) found.push_back(&data_.providers[named->second]);
  }
  return found;
}

Found Index::search(std::string_view provider_name, std::string_view model) const {
  const Provider* provider = find_provider(provider_name);
  if (provider == nullptr) return {};
  if (const Model* found = search_in(*provider, model)) return {provider, found};
  for (const Provider* fallback : fallbacks_of(*provider)) {
    if (const Model* found = search_in(*fallback, model)) return {provider, found};
  }
  return {};
}

Found Index::find(std::string_view provider, std::string_view model) const {
  if (provider.size() > kNameBytesMax || model.empty() || model.size() > kNameBytesMax) return {};
  std::array<char, 2 * kNameBytesMax + 1> buffer;
  std::memcpy(buffer.data(), provider.data(), provider.size());
  buffer[provider.size()] = '\0';
  std::memcpy(buffer.data() + provider.size() + 1, model.data(), model.size());
  const std::string_view key(buffer.data(), provider.size() + 1 + model.size());
  const Shard& shard = shards_[Hash{}(key) % kShards];
  {
    const std::shared_lock lock(shard.mutex);
    const auto known = shard.names.find(key);
    if (known != shard.names.end()) return known->second;
  }
  const Found found = search(provider, model);
  if (found.model == nullptr) return found;  // misses are not remembered: anybody can invent names
  Shard& writable = shards_[Hash{}(key) % kShards];
  const std::unique_lock lock(writable.mutex);
  if (writable.names.size() >= kNamesPerShardMax) writable.names.clear();
  writable.names.emplace(key, found);
  return found;
}

}  // namespace aimeter::pricing
