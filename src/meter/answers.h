// Package:       meter
// Units:         none
// Errors:        provider_failed (status >= 400, or an error body); invalid_argument (unknown
//                provider).
// Thread safety: immutable; any thread.
// Ownership:     owns the host's clients; extractors are borrowed and live for the whole process.
//
// Who reads the answers of which provider: the host's own client, else the extractor that the
// configuration names, else the built-in one of that name.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "aimeter/call.h"
#include "aimeter/provider.h"

namespace aimeter::meter {

class Answers {
 public:
  struct Setup {
    std::map<std::string, std::unique_ptr<ProviderClient>> clients = {};
    std::map<std::string, std::string> extractors = {};  // provider -> name of an extractor
    std::set<std::string> priced = {};                   // providers that the configuration prices
    std::function<const Extractor*(std::string_view name)> find = {};  // built-in ones
    std::vector<std::string_view> built_in = {};                       // for error texts
  };
  explicit Answers(Setup setup) : setup_(std::move(setup)) {}

  // Errors: invalid_argument: neither built in, nor registered, nor in the configuration.
  [[nodiscard]] Status check_provider(std::string_view name) const;
  [[nodiscard]] Result<Answered> read(const CallInfo& info, int http_status,
                                      std::string_view body) const;

 private:
  [[nodiscard]] const Extractor* extractor_of(std::string_view provider) const;
  Setup setup_;
};

}  // namespace aimeter::meter
