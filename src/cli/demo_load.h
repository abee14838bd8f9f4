// Package:       cli
// Units:         tokens
// Errors:        none: what a call says is counted.
// Thread safety: make_* are pure; run_load runs its own threads and returns when they are done.
// Ownership:     borrows the engine.
//
// The load of `aimeter demo`: three tenants, calls whose sizes follow a real production trace. The
// same seed gives the
// same calls and, whatever the threads do, the same figures.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "aimeter/engine.h"

namespace aimeter::cli {

enum class AnswerForm : std::uint8_t { json, stream };
struct DemoCall {
  std::string tenant = {}, user = {}, key = {}, provider = {}, model = {}, feature = {};
  std::int64_t input_tokens = 0, cached_tokens = 0, output_tokens = 0;
  AnswerForm form = AnswerForm::json;
};

constexpr const char* kLimitedTenant = "acme";     // runs into its limit exactly
constexpr const char* kRetryingTenant = "globex";  // sends every call twice, with a key
constexpr const char* kCachingTenant = "initech";  // cached and streamed answers
constexpr std::int64_t kLimitedCalls = 160, kLimitedFit = 100;

// Plans and subscriptions of the three tenants.
[[nodiscard]] Status make_contracts(const Engine& engine);
[[nodiscard]] std::vector<DemoCall> make_calls(std::uint64_t seed);
// What the provider would have answered.
[[nodiscard]] std::string answer_of(const DemoCall& call);

struct LoadCounts {
  std::int64_t calls = 0, allowed = 0, refused = 0, duplicates = 0, failed = 0;
  std::string first_failure = {};
};
struct LoadOptions {
  int threads = 8;
  std::function<void(const DemoCall&, const Settled&)> acknowledged = {};  // any thread
  const std::atomic<bool>* stop = nullptr;
};
[[nodiscard]] LoadCounts run_load(const Engine& engine, const std::vector<DemoCall>& calls,
                                  const LoadOptions& options);

}  // namespace aimeter::cli
