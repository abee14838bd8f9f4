#include "cli/demo_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <random>
#include <thread>

namespace aimeter::cli {
namespace {

struct Quantile {
  std::int64_t per_mille = 0, tokens = 0;
};
// Prompt and answer sizes of the conversation trace of Azure's LLM inference (Patel et al., ISCA
// 2024;
// AzureLLMInferenceTrace_conv.csv, CC-BY-4.0), read on 2026-11-24.
constexpr std::array kPrompt = {Quantile{0, 2},       Quantile{10, 40},       Quantile{50, 181},
                                Quantile{100, 247},   Quantile{250, 398},     Quantile{500, 1'035},
                                Quantile{750, 1'200}, Quantile{900, 4'075},   Quantile{950, 4'086},
                                Quantile{990, 4'122}, Quantile{1'000, 14'050}};
constexpr std::array kAnswer = {Quantile{0, 7},     Quantile{10, 16},      Quantile{50, 38},
                                Quantile{100, 50},  Quantile{250, 81},     Quantile{500, 141},
                                Quantile{750, 397}, Quantile{900, 428},    Quantile{950, 463},
                                Quantile{990, 613}, Quantile{1'000, 1'000}};
constexpr std::int64_t kMedianPrompt = 1'035, kMedianAnswer = 141;
constexpr int kRetriedCalls = 200, kCachedCalls = 200;

template <std::size_t N>
std::int64_t sample(const std::array<Quantile, N>& quantiles, std::mt19937_64& random) {
  const auto at = static_cast<std::int64_t>(random() % 1'000);
  std::size_t above = 1;
  while (quantiles[above].per_mille <= at) ++above;
  const Quantile low = quantiles[above - 1], high = quantiles[above];
  return low.tokens +
         (high.tokens - low.tokens) * (at - low.per_mille) / (high.per_mille - low.per_mille);
}

std::string openai_json(const DemoCall& call) {
  return fmt::format(
      R"({{"id":"chatcmpl-1","object":"chat.completion","model":"{}","choices":[{{"index":0,)"
      R"("message":{{"role":"assistant","content":"ok"}},"finish_reason":"stop"}}],"usage":)"
      R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},)"
      R"("prompt_tokens_details":{{"cached_tokens":{}}}}}}})",
      call.model, call.input_tokens, call.output_tokens, call.input_tokens + call.output_tokens,
      call.cached_tokens);
}

std::string openai_stream(const DemoCall& call) {
  std::string text;
  for (const char* word : {"all", " is", " well"}) {
    text += fmt::format(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"{}\",\"choices\":"
        "[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}],\"usage\":null}}\n\n",
        call.model, word);
  }
  text += fmt::format(
      "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"{}\",\"choices\":[],"
      "\"usage\":{{\"prompt_tokens\":{},\"completion_tokens\":{},\"total_tokens\":{},"
      "\"prompt_tokens_details\":{{\"cached_tokens\":{}}}}}}}\n\ndata: [DONE]\n\n",
      call.model, call.input_tokens, call.output_tokens, call.input_tokens + call.output_tokens,
      call.cached_tokens);
  return text;
}

// Anthropic's input_tokens are those that no cache served.
std::string anthropic_json(const DemoCall& call) {
  return fmt::format(
      R"({{"id":"msg_1","type":"message","role":"assistant","model":"{}","content":[{{"type":)"
      R"("text","text":"ok"}}],"stop_reason":"end_turn","usage":{{"input_tokens":{},)"
      R"("cache_creation_input_tokens":0,"cache_read_input_tokens":{},"output_tokens":{}}}}})",
      call.model, call.input_tokens - call.cached_tokens, call.cached_tokens, call.output_tokens);
}

std::string anthropic_stream(const DemoCall& call) {
  return fmt::format(
      "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"id\":\"m\","
      "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"{}\",\"content\":[],\"usage\":"
      "{{\"input_tokens\":{},\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":{},"
      "\"output_tokens\":1}}}}}}\n\n"
      "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
      "{{\"type\":\"text_delta\",\"text\":\"ok\"}}}}\n\n"
      "event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":"
      "\"end_turn\"}},\"usage\":{{\"output_tokens\":{}}}}}\n\n"
      "event: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n",
      call.model, call.input_tokens - call.cached_tokens, call.cached_tokens, call.output_tokens);
}

Result<Settled> meter(const Engine& engine, const DemoCall& call) {
  Meter meter = engine.meter()
                    .for_tenant(call.tenant)
                    .for_user(call.user)
                    .billable({"tenant", call.tenant})
                    .using_provider(call.provider, call.model)
                    .feature(call.feature)
                    .expecting({.tokens = Tokens{call.input_tokens + call.output_tokens}});
  const auto provider = [&] { return answer_of(call); };
  auto reply = call.key.empty() ? std::move(meter).call(provider)
                                : std::move(meter).with_idempotency_key(call.key).call(provider);
  if (!reply) return std::unexpected(reply.error());
  if (reply->unrecorded()) return std::unexpected(*reply->unrecorded());
  return Settled{
      .record = reply->record(), .limit = reply->limit(), .duplicate = reply->duplicate()};
}

}  // namespace

Status make_contracts(const Engine& engine) {
  const std::int64_t limit = kLimitedFit * (kMedianPrompt + kMedianAnswer);
  const Plan plans[] = {
      {.name = "Starter", .slug = "starter", .monthly_token_limit = Tokens{limit}},
      {.name = "Team", .slug = "team", .monthly_token_limit = Tokens{50'000'000}},
      {.name = "Scale", .slug = "scale", .monthly_cost_limit = Money::parse_or_die("100")}};
  const char* tenants[] = {kLimitedTenant, kRetryingTenant, kCachingTenant};
  for (std::size_t i = 0; i < std::size(plans); ++i) {
    AIMETER_CHECK_OK(engine.admin().create_plan(plans[i]));
    AIMETER_CHECK_OK(engine.tenant(std::string_view(tenants[i]))
                         .subscribe({.billable = {"tenant", tenants[i]}, .plan = plans[i].slug}));
  }
  return {};
}

std::vector<DemoCall> make_calls(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<DemoCall> calls;
  for (std::int64_t i = 0; i < kLimitedCalls; ++i) {  // equal sizes: any order ends at the limit
    calls.push_back({.tenant = kLimitedTenant,
                     .user = fmt::format("u{}", random() % 9),
                     .provider = "openai",
                     .model = "gpt-4o-mini",
                     .feature = "chat",
                     .input_tokens = kMedianPrompt,
                     .output_tokens = kMedianAnswer});
  }
  for (int i = 0; i < kRetriedCalls; ++i) {
    DemoCall call{.tenant = kRetryingTenant,
                  .user = fmt::format("u{}", random() % 9),
                  .key = fmt::format("order-{}-{}", seed, i),
                  .provider = "openai",
                  .model = "gpt-4o-mini",
                  .feature = "support",
                  .input_tokens = sample(kPrompt, random),
                  .output_tokens = sample(kAnswer, random)};
    call.form = random() % 2 == 0 ? AnswerForm::json : AnswerForm::stream;
    calls.push_back(call);
    calls.push_back(call);
  }
  for (int i = 0; i < kCachedCalls; ++i) {
    DemoCall call{.tenant = kCachingTenant,
                  .user = fmt::format("u{}", random() % 9),
                  .provider = "anthropic",
                  .model = "claude-sonnet-4-5",
                  .feature = "search",
                  .input_tokens = sample(kPrompt, random),
                  .output_tokens = sample(kAnswer, random)};
    call.cached_tokens = call.input_tokens * static_cast<std::int64_t>(random() % 10) / 10;
    call.form = random() % 2 == 0 ? AnswerForm::json : AnswerForm::stream;
    calls.push_back(call);
  }
  for (std::size_t i = calls.size() - 1; i > 0; --i) std::swap(calls[i], calls[random() % (i + 1)]);
  return calls;
}

std::string answer_of(const DemoCall& call) {
  if (call.provider == "anthropic") {
    return call.form == AnswerForm::json ? anthropic_json(call) : anthropic_stream(call);
  }
  return call.form == AnswerForm::json ? openai_json(call) : openai_stream(call);
}

LoadCounts run_load(const Engine& engine, const std::vector<DemoCall>& calls,
                    const LoadOptions& options) {
  LoadCounts counts;
  std::mutex mutex;
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (;;) {
      const std::size_t at = next.fetch_add(1);
      if (at >= calls.size() || (options.stop != nullptr && options.stop->load())) return;
      const Result<Settled> settled = meter(engine, calls[at]);
      if (settled && options.acknowledged) options.acknowledged(calls[at], *settled);
      const std::scoped_lock lock(mutex);
      ++counts.calls;
      if (settled) {
        ++(settled->duplicate ? counts.duplicates : counts.allowed);
      } else if (settled.error().code == Code::quota_exceeded) {
        ++counts.refused;
      } else if (++counts.failed == 1) {
        counts.first_failure = settled.error().message;
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < options.threads; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return counts;
}

}  // namespace aimeter::cli
