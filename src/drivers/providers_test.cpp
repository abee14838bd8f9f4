// Answers of every API family and what must be read from them. The bodies are our own, after the
// public references of the APIs; the recorded ones are compared in tests/data.
#include <gtest/gtest.h>

#include <algorithm>
#include <span>

#include "drivers/builtin.h"

namespace aimeter::drivers {
namespace {

void add(std::string& text, std::string_view name, std::int64_t count) {
  if (count == 0) return;
  if (!text.empty()) text.push_back(' ');
  text.append(name).append("=").append(std::to_string(count));
}

std::string text_of(const Usage& usage) {
  std::string text;
  add(text, "in", usage.input_tokens.count);
  add(text, "cached", usage.cached_input_tokens.count);
  add(text, "write", usage.cache_write_tokens.count);
  add(text, "write5m", usage.cache_write_5m_tokens.count);
  add(text, "write1h", usage.cache_write_1h_tokens.count);
  add(text, "audio_in", usage.input_audio_tokens.count);
  add(text, "cached_audio", usage.cached_input_audio_tokens.count);
  add(text, "out", usage.output_tokens.count);
  add(text, "reasoning", usage.reasoning_tokens.count);
  add(text, "audio_out", usage.output_audio_tokens.count);
  if (usage.total_only) add(text, "total_only", usage.total_tokens.count);
  for (const auto& [name, count] : usage.units) add(text, name, count);
  if (!usage.service_tier.empty()) text.append(" tier=").append(usage.service_tier);
  if (usage.source == UsageSource::estimated) text.append(" estimated");
  if (text.empty()) return "zero";
  return text;
}

// "in=10 out=20 | error" : everything of an answer that a row does not leave at zero.
std::string text_of(const Extracted& found) {
  std::string text = found.usage ? text_of(*found.usage) : "none";
  for (const NamedCount& further : found.further) add(text, further.name, further.count);
  for (const ModelWork& work : found.by_model)
    text.append(" [").append(work.model).append(": ").append(text_of(work.usage)).append("]");
  if (found.reported_cost) text.append(" cost=").append(found.reported_cost->text());
  if (found.error)
    text.append(" | ").append(name_of(found.error->code)).append(": ").append(found.error->message);
  return text;
}

struct Row {
  const char* why;
  const char* provider;
  std::string body;
  const char* expected;
  int status = 200;
};

Extracted extract_in_pieces(const Row& row, std::size_t piece) {
  const Extractor* const extractor = find_extractor(row.provider);
  if (extractor == nullptr) return {.error = Error{Code::not_found, "no such extractor"}};
  const auto reader = extractor->reader({.http_status = row.status});
  for (std::size_t at = 0; at < row.body.size(); at += piece)
    reader->feed(std::string_view(row.body).substr(at, piece));
  return reader->finish();
}

void expect_rows(std::span<const Row> rows) {
  for (const Row& row : rows)
    for (const std::size_t piece : {row.body.size() + 1, std::size_t{1}, std::size_t{5}}) {
      SCOPED_TRACE(std::string(row.why) + ", in pieces of " + std::to_string(piece));
      const Extracted found = extract_in_pieces(row, piece);
      EXPECT_EQ(text_of(found), row.expected);
      if (found.usage) {
        EXPECT_TRUE(found.usage->check());
      }
    }
}

std::string sse(std::initializer_list<const char*> events) {
  std::string text;
  for (const char* event : events) text.append("data: ").append(event).append("\n\n");
  return text;
}

const Row kOpenAiBodies[] = {
    {"chat", "openai",
     R"({"id":"c","object":"chat.completion","model":"gpt-4o-mini","choices":[],)"
     R"("usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}})",
     "in=10 out=20"},
    {"every part of a chat", "openai",
     R"({"model":"m","service_tier":"default","usage":{"prompt_tokens":100,)"
     R"("completion_tokens":50,"total_tokens":150,)"
     R"("prompt_tokens_details":{"cached_tokens":60,"audio_tokens":8,)"
     R"("cache_write_tokens":30},"completion_tokens_details":{"reasoning_tokens":40,)"
     R"("audio_tokens":5,"accepted_prediction_tokens":1}}})",
     "in=100 cached=60 write=30 audio_in=8 out=50 reasoning=40 audio_out=5 tier=default"},
    {"details of null", "huggingface",
     R"({"model":"m","usage":{"prompt_tokens":1,"completion_tokens":2,)"
     R"("prompt_tokens_details":null,"completion_tokens_details":null}})",
     "in=1 out=2"},
    {"embeddings have no output", "openai",
     R"({"object":"list","data":[{"object":"embedding","embedding":[0.1,-2e-5]}],)"
     R"("model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}})",
     "in=8"},
    {"responses", "openai",
     R"({"object":"response","status":"completed","error":null,"model":"gpt-5",)"
     R"("service_tier":"flex","usage":{"input_tokens":36,)"
     R"("input_tokens_details":{"cached_tokens":4},"output_tokens":87,)"
     R"("output_tokens_details":{"reasoning_tokens":70},"total_tokens":123}})",
     "in=36 cached=4 out=87 reasoning=70 tier=flex"},
    {"searches of a response are counted from its output", "openai",
     R"({"object":"response","output":[{"type":"web_search_call",)"
     R"("action":{"type":"search"}},{"type":"web_search_call",)"
     R"("action":{"type":"open_page"}},{"type":"message"},{"type":"web_search_call"}],)"
     R"("usage":{"input_tokens":5,"output_tokens":6,"total_tokens":11}})",
     "in=5 out=6 searches=2"},
    {"an incomplete response was used all the same", "openai",
     R"({"object":"response","status":"incomplete",)"
     R"("incomplete_details":{"reason":"max_output_tokens"},"error":null,)"
     R"("usage":{"input_tokens":5,"output_tokens":16,"total_tokens":21}})",
     "in=5 out=16"},
    {"a compacted conversation names no model", "openai",
     R"({"object":"response.compaction","usage":{"input_tokens":117,)"
     R"("output_tokens":193,"total_tokens":310}})",
     "in=117 out=193"},
    {"gpt-image tells tokens", "openai",
     R"({"created":1,"data":[{"b64_json":"aGk="}],"usage":{"total_tokens":100,)"
     R"("input_tokens":50,"output_tokens":50,"input_tokens_details":{"text_tokens":10,)"
     R"("image_tokens":40}}})",
     "in=50 out=50 input_image_tokens=40"},
    {"dall-e is billed by image", "openai",
     R"({"created":1,"data":[{"url":"https://x/1"},{"url":"https://x/2"}]})", "images=2"},
    {"a transcription by tokens", "openai",
     R"({"text":"hi","usage":{"type":"tokens","input_tokens":14,)"
     R"("input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":45,)"
     R"("total_tokens":59}})",
     "in=14 audio_in=10 out=45"},
    {"a transcription by seconds", "openai",
     R"({"text":"hi","usage":{"type":"duration","seconds":9}})", "seconds=9"},
    {"a begun second counts", "openai",
     R"({"text":"hi","usage":{"type":"duration","seconds":8.47}})", "seconds=9"},
    {"an older whisper tells its duration only", "groq",
     R"({"task":"transcribe","language":"english","duration":8.470000267028809,)"
     R"("text":"hi"})",
     "seconds=9"},
    {"a realtime answer", "openai",
     R"({"type":"response.done","response":{"object":"realtime.response",)"
     R"("usage":{"total_tokens":253,"input_tokens":132,"output_tokens":121,)"
     R"("input_token_details":{"text_tokens":119,"audio_tokens":13,"cached_tokens":64,)"
     R"("cached_tokens_details":{"text_tokens":60,"audio_tokens":4}},)"
     R"("output_token_details":{"text_tokens":30,"audio_tokens":91}}}})",
     "in=132 cached=64 audio_in=13 cached_audio=4 out=121 audio_out=91"},
    {"a moderation is free and tells nothing", "openai",
     R"({"id":"modr-1","model":"omni-moderation-latest","results":[{"flagged":false}]})", "none"},
    {"an object without known figures is no usage", "openai", R"({"model":"m","usage":{}})",
     "none"},
    {"usage of null is no usage", "openai", R"({"model":"m","usage":null})", "none"},
    {"an empty object", "openai", "{}", "none"},
    {"an empty body", "openai", "", "none"},
    {"spaces only", "openai", " \r\n\t", "none"},
    {"a byte order mark", "openai",
     "\xef\xbb\xbf {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}", "in=1 out=2"},
    {"pretty-printed", "openai",
     "{\r\n  \"model\": \"m\",\r\n  \"usage\": {\r\n    \"prompt_tokens\": 1,\r\n    "
     "\"completion_tokens\": 2\r\n  }\r\n}\r\n",
     "in=1 out=2"},
    {"a first line that ends like a document", "openai",
     "{\"x\":{}\n,\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}", "in=1 out=2"},
    {"one line and a newline", "openai",
     "{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n", "in=1 out=2"},
    {"an escaped key", "openai", R"({"us\u0061ge":{"prompt_tokens":1,"completion_tokens":2}})",
     "in=1 out=2"},
    {"only a total", "openai", R"({"usage":{"total_tokens":31}})", "total_only=31"},
    {"zero is not missing", "openai", R"({"usage":{"prompt_tokens":0,"completion_tokens":0}})",
     "zero"},
    {"a whole number with a point is a count", "openai",
     R"({"usage":{"prompt_tokens":28.0,"completion_tokens":1e3}})", "in=28 out=1000"},
};

TEST(Providers, OpenAiBodies) { expect_rows(kOpenAiBodies); }

const Row kOpenAiStreams[] = {
    {"a chunk with empty choices carries the usage", "openai",
     sse({R"({"object":"chat.completion.chunk","model":"gpt-4o",)"
          R"("choices":[{"delta":{"content":"hi"}}],"usage":null})",
          R"({"object":"chat.completion.chunk","model":"gpt-4o","choices":[],)"
          R"("usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})",
          "[DONE]"}),
     "in=3 out=2"},
    {"a stream without usage", "azure",
     sse({R"({"model":"","choices":[],"prompt_filter_results":[]})",
          R"({"model":"gpt-35-turbo","choices":[{"delta":{"content":"hi"}}]})", "[DONE]"}),
     "none"},
    {"the last usage counts, cumulative ones are not added", "perplexity",
     sse({R"({"model":"sonar","usage":{"prompt_tokens":3,"completion_tokens":1,)"
          R"("total_tokens":4}})",
          R"({"model":"sonar","usage":{"prompt_tokens":3,"completion_tokens":2,)"
          R"("total_tokens":5}})"}),
     "in=3 out=2"},
    {"Groq puts it into x_groq", "groq",
     sse({R"({"id":"c","model":"m","choices":[],"x_groq":{"id":"r"}})",
          R"({"id":"c","model":"m","choices":[],"x_groq":{"id":"r",)"
          R"("usage":{"prompt_tokens":3,"completion_tokens":2,"total_time":0.1}}})"}),
     "in=3 out=2"},
    {"response.completed", "openai",
     "event: response.created\n" +
         sse({R"({"type":"response.created","response":{"model":"gpt-5","error":null,)"
              R"("usage":null}})"}) +
         "event: response.completed\n" +
         sse({R"({"type":"response.completed","response":{"model":"gpt-5",)"
              R"("service_tier":"priority","usage":{"input_tokens":3,"output_tokens":2,)"
              R"("total_tokens":5}}})"}),
     "in=3 out=2 tier=priority"},
    {"response.incomplete", "openai",
     sse({R"({"type":"response.incomplete","response":{"model":"gpt-5",)"
          R"("usage":{"input_tokens":3,"output_tokens":2}}})"}),
     "in=3 out=2"},
    {"response.failed without usage", "openai",
     sse({R"({"type":"response.failed","response":{"model":"gpt-5",)"
          R"("error":{"code":"server_error","message":"secret"},"usage":null}})"}),
     "none | provider_failed: openai answered with an error: server_error"},
    {"response.failed that was used before it failed", "openai",
     sse({R"({"type":"response.failed","response":{"error":{"code":"server_error"},)"
          R"("usage":{"input_tokens":3,"output_tokens":2}}})"}),
     "in=3 out=2 | provider_failed: openai answered with an error: server_error"},
    {"an error event of responses", "openai",
     sse({R"({"type":"error","code":"rate_limit_exceeded","message":"secret"})"}),
     "none | provider_failed: openai answered with an error: error (rate_limit_exceeded)"},
    {"an error amid the stream", "groq",
     sse({R"({"model":"m","choices":[{"delta":{"content":"maybe"}}]})"}) + "event: error\n" +
         sse({R"({"error":{"message":"secret","type":"invalid_request_error",)"
              R"("code":"tool_use_failed"}})"}),
     "none | provider_failed: groq answered with an error: invalid_request_error "
     "(tool_use_failed)"},
    {"an error event whose data is no JSON", "openai", "event: error\ndata: overloaded\n\n",
     "none | provider_failed: openai answered with an error"},
    {"usage before the error stays", "openrouter",
     sse({R"({"model":"m","usage":{"prompt_tokens":3,"completion_tokens":2}})",
          R"({"error":{"code":502,"message":"secret"},"choices":[]})"}),
     "in=3 out=2 | provider_failed: openrouter answered with an error: 502"},
    {"CRLF, comments, several data lines, no newline at the end", "openai",
     ": OPENROUTER PROCESSING\r\n\r\nid: 1\r\ndata: {\"model\":\"m\",\r\ndata: "
     "\"usage\":\r\ndata: {\"prompt_tokens\":3,\"completion_tokens\":2}}",
     "in=3 out=2"},
    {"a byte order mark", "openai",
     "\xef\xbb\xbf" + sse({R"({"usage":{"prompt_tokens":3,"completion_tokens":2}})"}),
     "in=3 out=2"},
    {"a speech stream", "openai",
     sse({R"({"type":"speech.audio.delta","audio":"aGk="})",
          R"({"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,)"
          R"("total_tokens":115}})"}),
     "in=14 out=101"},
    {"a transcription stream", "openai",
     sse({R"({"type":"transcript.text.delta","delta":"I"})",
          R"({"type":"transcript.text.done","text":"I","usage":{"type":"tokens",)"
          R"("input_tokens":14,"input_token_details":{"audio_tokens":14},"output_tokens":1,)"
          R"("total_tokens":15}})"}),
     "in=14 audio_in=14 out=1"},
    {"cut inside the frame of the usage", "openai",
     R"(data: {"model":"m","usage":{"prompt_tokens":10,"completion_tokens":2)",
     "none | invalid_argument: answer of openai: usage cannot be read: it is no whole JSON, SSE "
     "or event stream"},
    {"text of the model that looks like usage", "openai",
     sse({R"({"model":"m",)"
          R"("choices":[{"delta":{"content":"{\"usage\":{\"prompt_tokens\":9}}"}}]})"}),
     "none"},
};

TEST(Providers, OpenAiStreams) { expect_rows(kOpenAiStreams); }

const Row kDifferencesOfCompatibleOnes[] = {
    {"DeepSeek's cache hits", "deepseek",
     R"({"usage":{"prompt_tokens":976,"completion_tokens":61,)"
     R"("prompt_cache_hit_tokens":896,"prompt_cache_miss_tokens":80,)"
     R"("total_tokens":1037}})",
     "in=976 cached=896 out=61"},
    {"details go before Moonshot's and DeepSeek's own field", "deepseek",
     R"({"usage":{"cached_tokens":1,"prompt_cache_hit_tokens":5,)"
     R"("prompt_tokens_details":{"cached_tokens":7},"prompt_tokens":9,)"
     R"("completion_tokens":1}})",
     "in=9 cached=7 out=1"},
    {"xAI's completion leaves reasoning out", "xai",
     R"({"usage":{"prompt_tokens":12,"completion_tokens":1,"total_tokens":241,)"
     R"("completion_tokens_details":{"reasoning_tokens":228},)"
     R"("prompt_tokens_details":{"cached_tokens":2},"cost_in_usd_ticks":1176500}})",
     "in=12 cached=2 out=229 reasoning=228 cost=0.00011765"},
    {"xAI without a total", "xai",
     R"({"usage":{"prompt_tokens":12,"completion_tokens":1,)"
     R"("completion_tokens_details":{"reasoning_tokens":228}}})",
     "in=12 out=229 reasoning=228"},
    {"xAI where the total says that reasoning is inside", "xai",
     R"({"usage":{"prompt_tokens":12,"completion_tokens":10,"total_tokens":22,)"
     R"("completion_tokens_details":{"reasoning_tokens":8}}})",
     "in=12 out=10 reasoning=8"},
    {"anybody whose total counts reasoning beside the completion", "azure",
     R"({"usage":{"prompt_tokens":12,"completion_tokens":1,"total_tokens":241,)"
     R"("completion_tokens_details":{"reasoning_tokens":228}}})",
     "in=12 out=229 reasoning=228"},
    {"reasoning that cannot be inside the output is beside it", "openrouter",
     R"({"usage":{"prompt_tokens":1,"completion_tokens":5,)"
     R"("completion_tokens_details":{"reasoning_tokens":6}}})",
     "in=1 out=11 reasoning=6"},
    {"pages of Mistral's OCR", "mistral",
     R"({"pages":[],"model":"ocr","usage_info":{"pages_processed":29,"doc_size_bytes":null}})",
     "pages=29"},
    {"a total with hidden reasoning changes nothing", "gemini",
     R"({"model":"gemini-2.5-pro","usage":{"completion_tokens":6,"prompt_tokens":66,)"
     R"("total_tokens":100}})",
     "in=66 out=6"},
    {"Perplexity's deep research", "perplexity",
     R"({"model":"sonar-deep-research","usage":{"prompt_tokens":33,)"
     R"("completion_tokens":7163,"total_tokens":7196,"citation_tokens":20016,)"
     R"("num_search_queries":18,"reasoning_tokens":73997,"search_context_size":"low",)"
     R"("cost":{"total_cost":0.818}}})",
     "in=20049 out=81160 reasoning=73997 searches=18 citation_tokens=20016 cost=0.818"},
    {"OpenRouter's cost", "openrouter",
     R"({"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":8.6e-05,)"
     R"("server_tool_use_details":{"web_search_requests":1}}})",
     "in=1 out=2 searches=1 cost=0.000086"},
    {"Mistral's audio", "mistral",
     R"({"model":"voxtral","usage":{"prompt_audio_seconds":203,"prompt_tokens":4,)"
     R"("completion_tokens":5,"total_tokens":2634}})",
     "in=4 out=5 seconds=203"},
    {"Mistral's num_cached_tokens is no price", "mistral",
     R"({"usage":{"completion_tokens":6,"num_cached_tokens":32,"prompt_tokens":64,)"
     R"("total_tokens":70}})",
     "in=64 out=6"},
    {"Alibaba's explicit cache", "alibaba",
     R"({"usage":{"prompt_tokens":64,"completion_tokens":6,)"
     R"("prompt_tokens_details":{"cached_tokens":10,"cache_creation_input_tokens":20,)"
     R"("cache_creation":{"ephemeral_5m_input_tokens":20}}}})",
     "in=64 cached=10 write=20 write5m=20 out=6"},
    {"Voyage tells only a total, which is input", "voyage",
     R"({"object":"list","data":[],"model":"voyage-4","usage":{"total_tokens":3}})", "in=3"},
    {"Claude through another door", "deepseek",
     R"({"type":"message","model":"m","usage":{"input_tokens":3,)"
     R"("cache_read_input_tokens":10,"output_tokens":5}})",
     "in=13 cached=10 out=5 uncached_input_tokens=3"},
};

TEST(Providers, DifferencesOfCompatibleOnes) { expect_rows(kDifferencesOfCompatibleOnes); }

const Row kAnthropic[] = {
    {"input leaves the cache out", "anthropic",
     R"({"type":"message","model":"claude","usage":{"input_tokens":6,)"
     R"("cache_read_input_tokens":20443,"cache_creation_input_tokens":574,)"
     R"("cache_creation":{"ephemeral_5m_input_tokens":500,)"
     R"("ephemeral_1h_input_tokens":74},"output_tokens":489,)"
     R"("output_tokens_details":{"thinking_tokens":77},)"
     R"("server_tool_use":{"web_search_requests":2,"web_fetch_requests":1},)"
     R"("service_tier":"standard"}})",
     "in=21023 cached=20443 write=574 write5m=500 write1h=74 out=489 reasoning=77 searches=2 "
     "tier=default uncached_input_tokens=6 web_fetches=1"},
    {"cache writes of unknown term", "anthropic",
     R"({"type":"message","usage":{"input_tokens":4,)"
     R"("cache_creation_input_tokens":1163,"output_tokens":1}})",
     "in=1167 write=1163 out=1 uncached_input_tokens=4"},
    {"batch and fast tiers", "anthropic",
     R"({"type":"message","usage":{"input_tokens":4,"output_tokens":1,)"
     R"("service_tier":"batch"}})",
     "in=4 out=1 tier=batch uncached_input_tokens=4"},
    {"fast mode has its own price", "anthropic",
     R"({"type":"message","usage":{"input_tokens":4,"output_tokens":1,)"
     R"("service_tier":"standard","speed":"fast"}})",
     "in=4 out=1 tier=fast uncached_input_tokens=4"},
    {"message_delta overrides, field by field", "anthropic",
     sse({R"({"type":"message_start","message":{"model":"claude",)"
          R"("usage":{"input_tokens":899,"cache_read_input_tokens":5,"output_tokens":1}}})",
          R"({"type":"ping"})", R"({"type":"content_block_delta","delta":{"text":"hi"}})",
          R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},)"
          R"("usage":{"input_tokens":7244,"output_tokens":153}})",
          R"({"type":"message_stop"})"}),
     "in=7249 cached=5 out=153 uncached_input_tokens=7244"},
    {"an older message_delta tells the output only", "anthropic",
     sse({R"({"type":"message_start","message":{"model":"claude",)"
          R"("usage":{"input_tokens":10,"output_tokens":1}}})",
          R"({"type":"message_delta","usage":{"output_tokens":15}})"}),
     "in=10 out=15 uncached_input_tokens=10"},
    {"terms of the start do not outlive its cache writes", "anthropic",
     sse({R"({"type":"message_start","message":{"usage":{"input_tokens":1,)"
          R"("cache_creation_input_tokens":10,)"
          R"("cache_creation":{"ephemeral_5m_input_tokens":10},"output_tokens":1}}})",
          R"({"type":"message_delta","usage":{"cache_creation_input_tokens":4,)"
          R"("output_tokens":15}})"}),
     "in=5 write=4 out=15 uncached_input_tokens=1"},
    {"a stream that broke off is a lower bound", "anthropic",
     sse({R"({"type":"message_start","message":{"usage":{"input_tokens":10,)"
          R"("output_tokens":1}}})",
          R"({"type":"content_block_delta","delta":{"text":"hi"}})"}),
     "in=10 out=1 estimated uncached_input_tokens=10 | invalid_argument: answer of anthropic: "
     "usage cannot be read: it ended before its last figures"},
    {"so is one that failed", "anthropic",
     sse({R"({"type":"message_start","message":{"usage":{"input_tokens":10,)"
          R"("output_tokens":1}}})",
          R"({"type":"error","error":{"type":"overloaded_error","message":"secret"}})"}),
     "in=10 out=1 estimated uncached_input_tokens=10 | provider_failed: anthropic answered with "
     "an "
     "error: overloaded_error"},
    {"work by model", "anthropic",
     R"({"type":"message","model":"a","usage":{"input_tokens":9,"output_tokens":5,)"
     R"("iterations":[{"type":"compaction","input_tokens":100,)"
     R"("cache_creation_input_tokens":50,"output_tokens":7},{"type":"message",)"
     R"("input_tokens":9,"output_tokens":5},{"type":"advisor_message","model":"b",)"
     R"("input_tokens":3,"output_tokens":4}]}})",
     "in=9 out=5 uncached_input_tokens=9 [a: in=159 write=50 out=12] [b: in=3 out=4]"},
    {"counting tokens is free", "anthropic", R"({"input_tokens":14})", "none"},
    {"the compatible chat of Anthropic", "anthropic",
     R"({"object":"chat.completion","model":"claude","usage":{"prompt_tokens":1,)"
     R"("completion_tokens":2,"total_tokens":3}})",
     "in=1 out=2"},
};

TEST(Providers, Anthropic) { expect_rows(kAnthropic); }

const Row kGemini[] = {
    {"tools are input, thoughts are output", "gemini",
     R"({"modelVersion":"gemini-2.5-flash","usageMetadata":{"promptTokenCount":32,)"
     R"("candidatesTokenCount":41,"thoughtsTokenCount":47,)"
     R"("toolUsePromptTokenCount":2395,"totalTokenCount":2515}})",
     "in=2427 out=88 reasoning=47 tool_prompt_tokens=2395"},
    {"audio of every kind", "gemini",
     R"({"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":40,)"
     R"("candidatesTokenCount":30,"promptTokensDetails":[{"modality":"TEXT",)"
     R"("tokenCount":20},{"modality":"AUDIO","tokenCount":80}],)"
     R"("cacheTokensDetails":[{"modality":"AUDIO","tokenCount":40}],)"
     R"("candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":30}]}})",
     "in=100 cached=40 audio_in=80 cached_audio=40 out=30 audio_out=30"},
    {"audio that only the cache tells", "gemini",
     R"({"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":40,)"
     R"("cacheTokensDetails":[{"modality":"AUDIO","tokenCount":40}]}})",
     "in=100 cached=40 audio_in=40 cached_audio=40"},
    {"a modality without a count is 0", "gemini",
     R"({"usageMetadata":{"promptTokenCount":10,)"
     R"("promptTokensDetails":[{"modality":"AUDIO"},{"modality":"IMAGE",)"
     R"("tokenCount":9}]}})",
     "in=10 input_image_tokens=9"},
    {"modalities as numbers, as an older client wrote them", "vertex",
     R"({"usageMetadata":{"promptTokenCount":10,"trafficType":1,)"
     R"("promptTokensDetails":[{"modality":4,"tokenCount":9}]}})",
     "in=10 audio_in=9"},
    {"traffic types are tiers", "vertex",
     R"({"usageMetadata":{"promptTokenCount":10,"trafficType":"ON_DEMAND_FLEX"}})",
     "in=10 tier=flex"},
    {"the ordinary traffic", "vertex",
     R"({"usageMetadata":{"promptTokenCount":10,"trafficType":"ON_DEMAND"}})",
     "in=10 tier=default"},
    {"a blocked prompt was sent", "gemini",
     R"({"promptFeedback":{"blockReason":"SAFETY"},)"
     R"("usageMetadata":{"promptTokenCount":10,"totalTokenCount":10}})",
     "in=10"},
    {"the last usage of a stream as a whole, though it is less", "gemini",
     sse({R"({"modelVersion":"g","usageMetadata":{"promptTokenCount":169,)"
          R"("candidatesTokenCount":51,"thoughtsTokenCount":168}})",
          R"({"modelVersion":"g","usageMetadata":{"promptTokenCount":79,)"
          R"("candidatesTokenCount":108}})"}),
     "in=79 out=108"},
    {"a stream as one array", "gemini",
     "[{\"usageMetadata\":{\"promptTokenCount\":5}}\r\n,\r\n{\"usageMetadata\":{"
     "\"promptTokenCount\":5,\"candidatesTokenCount\":7}}\r\n]",
     "in=5 out=7"},
    {"live", "gemini",
     R"({"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":5,)"
     R"("responseTokenCount":7,"responseTokensDetails":[{"modality":"AUDIO",)"
     R"("tokenCount":7}]}})",
     "in=5 out=7 audio_out=7"},
    {"embedContent", "gemini",
     R"({"embedding":{"values":[0.1]},"usageMetadata":{"promptTokenCount":7,)"
     R"("promptTokenDetails":[{"modality":"TEXT","tokenCount":7}]}})",
     "in=7"},
    {"predict of embeddings", "vertex",
     R"({"predictions":[{"embeddings":{"statistics":{"token_count":4,)"
     R"("truncated":false},"values":[0.1]}},)"
     R"({"embeddings":{"statistics":{"token_count":3.0}}}]})",
     "in=7"},
    {"predict of Imagen", "vertex",
     R"({"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"aGk="},)"
     R"({"mimeType":"image/png","bytesBase64Encoded":"aGk="}]})",
     "images=2"},
    {"counting tokens is free", "gemini", R"({"totalTokens":31})", "none"},
    {"Claude on Vertex", "vertex",
     R"({"type":"message","usage":{"input_tokens":3,"cache_read_input_tokens":4,)"
     R"("output_tokens":5}})",
     "in=7 cached=4 out=5 uncached_input_tokens=3"},
    {"an error inside an array", "gemini",
     R"([{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"secret"}}])",
     "none | provider_failed: gemini answered with an error: RESOURCE_EXHAUSTED (429)"},
};

TEST(Providers, Gemini) { expect_rows(kGemini); }

const Row kBedrockCohereOllama[] = {
    {"Converse: input leaves the cache out, terms are told", "bedrock",
     R"({"usage":{"inputTokens":3,"outputTokens":61,"totalTokens":2435,)"
     R"("cacheReadInputTokens":2074,"cacheReadInputTokenCount":2074,)"
     R"("cacheWriteInputTokens":297,"cacheDetails":[{"ttl":"5m","inputTokens":200},)"
     R"({"ttl":"1h","inputTokens":97}]}})",
     "in=2374 cached=2074 write=297 write5m=200 write1h=97 out=61 uncached_input_tokens=3"},
    {"Nova may tell the input only", "bedrock", R"({"usage":{"inputTokens":30}})",
     "in=30 uncached_input_tokens=30"},
    {"Titan", "bedrock",
     R"({"inputTextTokenCount":9,"results":[{"tokenCount":17,"outputText":"a"},)"
     R"({"tokenCount":3.0}]})",
     "in=9 out=20"},
    {"an embedding of Titan", "bedrock", R"({"embedding":[0.1],"inputTextTokenCount":5})", "in=5"},
    {"Llama", "bedrock", R"({"generation":"a","prompt_token_count":5,"generation_token_count":10})",
     "in=5 out=10"},
    {"gpt-oss on Bedrock", "bedrock",
     R"({"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":10}})", "in=5 out=10"},
    {"images of Nova Canvas", "bedrock", R"({"images":["aGk=","aGk="],"error":null})", "images=2"},
    {"Cohere: billed units", "cohere",
     R"({"usage":{"billed_units":{"input_tokens":12,"output_tokens":36},)"
     R"("tokens":{"input_tokens":212,"output_tokens":36},"cached_tokens":208}})",
     "in=12 out=36 model_input_tokens=212 model_output_tokens=36 model_cached_tokens=208"},
    {"Cohere v1", "cohere",
     R"({"text":"a","meta":{"api_version":{"version":"1"},)"
     R"("billed_units":{"input_tokens":7,"output_tokens":129}}})",
     "in=7 out=129"},
    {"Cohere rerank is billed by search", "cohere",
     R"({"results":[],"meta":{"billed_units":{"search_units":1}}})", "searches=1"},
    {"Cohere classify", "cohere", R"({"meta":{"billed_units":{"classifications":3}}})",
     "classifications=3"},
    {"Cohere embed of images", "cohere",
     R"({"meta":{"billed_units":{"input_tokens":4,"image_tokens":100,"images":1}}})",
     "in=104 images=1 input_image_tokens=100"},
    {"Cohere v2 stream", "cohere",
     "event: message-start\n" + sse({R"({"type":"message-start","delta":{}})"}) +
         "event: message-end\n" +
         sse({R"({"type":"message-end","delta":{"finish_reason":"COMPLETE",)"
              R"("usage":{"billed_units":{"input_tokens":12,"output_tokens":36}}}})"}),
     "in=12 out=36"},
    {"Cohere v1 stream", "cohere",
     "{\"event_type\":\"text-generation\",\"text\":\"a\"}\n{\"event_type\":\"stream-end\","
     "\"response\":{\"meta\":{\"billed_units\":{\"input_tokens\":1,\"output_tokens\":2}}}}\n",
     "in=1 out=2"},
    {"Ollama", "ollama", R"({"model":"llama3","done":true,"prompt_eval_count":17,"eval_count":66})",
     "in=17 out=66"},
    {"Ollama's stream, no newline at the end", "ollama",
     "{\"model\":\"l\",\"response\":\"a\",\"done\":false}\n{\"model\":\"l\",\"response\":\"\","
     "\"done\":true,\"prompt_eval_count\":17,\"eval_count\":2}",
     "in=17 out=2"},
    {"Ollama leaves out a cached prompt: a lower bound", "ollama",
     R"({"model":"l","done":true,"eval_count":79})", "out=79 estimated"},
    {"Ollama embeds", "ollama", R"({"model":"l","embeddings":[[0.1]],"prompt_eval_count":8})",
     "in=8"},
    {"Ollama that only loaded a model", "ollama",
     R"({"model":"l","response":"","done":true,"done_reason":"load"})", "none"},
    {"Ollama cut before its last line", "ollama",
     "{\"model\":\"l\",\"response\":\"a\",\"done\":false}\n{\"model\":\"l\",\"response\":\"b\","
     "\"done\":false}\n",
     "none"},
    {"Ollama fails amid the stream", "ollama",
     "{\"model\":\"l\",\"response\":\"a\",\"done\":false}\n{\"error\":\"out of memory\"}\n",
     "none | provider_failed: ollama answered with an error"},
};

TEST(Providers, BedrockCohereOllama) { expect_rows(kBedrockCohereOllama); }

const Row kFailuresSayNothingOfTheAnswer[] = {
    {"OpenAI", "openai",
     R"({"error":{"message":"Incorrect API key provided: sk-secret",)"
     R"("type":"invalid_request_error","param":null,"code":"invalid_api_key"}})",
     "none | provider_failed: openai answered HTTP 401: invalid_request_error (invalid_api_key)",
     401},
    {"Anthropic", "anthropic",
     R"({"type":"error","error":{"type":"not_found_error","message":"secret"},)"
     R"("request_id":"req_1"})",
     "none | provider_failed: anthropic answered HTTP 404: not_found_error", 404},
    {"Gemini", "gemini", R"({"error":{"code":404,"message":"secret","status":"NOT_FOUND"}})",
     "none | provider_failed: gemini answered HTTP 404: NOT_FOUND (404)", 404},
    {"Bedrock", "bedrock", R"({"message":"secret"})",
     "none | provider_failed: bedrock answered HTTP 400", 400},
    {"Bedrock with a type", "bedrock", R"({"__type":"ThrottlingException","message":"secret"})",
     "none | provider_failed: bedrock answered HTTP 429: ThrottlingException", 429},
    {"Cohere", "cohere", R"({"id":"x","message":"secret"})",
     "none | provider_failed: cohere answered HTTP 404", 404},
    {"Mistral", "mistral",
     R"({"object":"error","message":"secret","type":"invalid_model","code":"1500"})",
     "none | provider_failed: mistral answered HTTP 400: invalid_model (1500)", 400},
    {"xAI's code may be a sentence", "xai", R"({"code":"The secret was wrong","error":"secret"})",
     "none | provider_failed: xai answered HTTP 400", 400},
    {"a page of HTML", "openai", "<html>secret</html>",
     "none | provider_failed: openai answered HTTP 502", 502},
    {"nothing at all", "openai", "", "none | provider_failed: openai answered HTTP 503", 503},
    {"usage in an answer that failed is not believed", "openai",
     R"({"usage":{"prompt_tokens":1,"completion_tokens":2}})",
     "none | provider_failed: openai answered HTTP 500", 500},
    {"an error body with a good status", "openrouter",
     R"({"error":{"message":"secret","code":402},"user_id":"u"})",
     "none | provider_failed: openrouter answered with an error: 402"},
    {"and with usage beside it", "openai",
     R"({"status":"failed","error":{"code":"server_error"},"usage":{"input_tokens":1,)"
     R"("output_tokens":2}})",
     "none | provider_failed: openai answered with an error: server_error"},
    {"an error as text", "huggingface", R"({"error":"Model secret is overloaded"})",
     "none | provider_failed: huggingface answered with an error"},
    {"an error of null, false, nothing is none", "openai",
     R"({"error":null,"usage":{"prompt_tokens":1}})", "in=1"},
    {"an empty error is none", "openai", R"({"error":{},"usage":{"prompt_tokens":1}})", "in=1"},
    {"399 is no failure", "openai", R"({"usage":{"prompt_tokens":1}})", "in=1", 399},
    {"400 is one", "openai", R"({"usage":{"prompt_tokens":1}})",
     "none | provider_failed: openai answered HTTP 400", 400},
};

TEST(Providers, FailuresSayNothingOfTheAnswer) { expect_rows(kFailuresSayNothingOfTheAnswer); }

const std::string kNoCount =
    " is not accepted; expected a whole number from 0 to 9223372036854775807";
std::string refused(const std::string& what) { return "none | invalid_argument: " + what; }
const std::string kUnreadable =
    refused("answer of openai: usage cannot be read: it is no whole JSON, SSE or event stream");

struct HostileRow {
  const char* why;
  std::string body;
  std::string expected;
};
const HostileRow kHostileRows[] = {
    {"negative", R"({"usage":{"prompt_tokens":-5,"completion_tokens":1}})",
     refused("usage.prompt_tokens: \"-5\"" + kNoCount)},
    {"above int64", R"({"usage":{"prompt_tokens":9223372036854775808}})",
     refused("usage.prompt_tokens: \"9223372036854775808\"" + kNoCount)},
    {"far above int64", R"({"usage":{"prompt_tokens":99999999999999999999999999}})", kUnreadable},
    {"a fraction", R"({"usage":{"prompt_tokens":1.5}})",
     refused("usage.prompt_tokens: \"1.5\"" + kNoCount)},
    {"above 2^53 with an exponent", R"({"usage":{"prompt_tokens":1e17}})",
     refused("usage.prompt_tokens: \"1e+17\"" + kNoCount)},
    {"text", R"({"usage":{"completion_tokens":"12"}})",
     refused("usage.completion_tokens: \"12\"" + kNoCount)},
    {"a part is no count",
     R"({"usage":{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":true}}})",
     refused("usage.prompt_tokens_details.cached_tokens: \"true\"" + kNoCount)},
    {"a figure twice", R"({"usage":{"prompt_tokens":1,"prompt_tokens":2}})",
     refused("usage.prompt_tokens: \"2\" is not accepted; expected each key once")},
    {"a figure twice, once escaped", R"({"usage":{"prompt_tokens":1,"prompt_token\u0073":2}})",
     refused("usage.prompt_tokens: \"2\" is not accepted; expected each key once")},
    {"usage twice", R"({"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":2}})",
     refused("usage: \"twice\" is not accepted; expected each key once")},
    {"usage twice inside a response",
     R"({"response":{"usage":{"input_tokens":1},"usage":{"input_tokens":2}}})",
     refused("usage: \"{...}\" is not accepted; expected each key once")},
    {"cached above input",
     R"({"usage":{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":6}}})",
     refused("cached_input_tokens: \"6\" is not accepted; expected at most input_tokens, which "
             "is 5")},
    {"reasoning above an output that the total says holds it",
     R"({"usage":{"prompt_tokens":1,"completion_tokens":5,"total_tokens":6,)"
     R"("completion_tokens_details":{"reasoning_tokens":6}}})",
     refused(
         "reasoning_tokens: \"6\" is not accepted; expected at most output_tokens, which is 5")},
    {"a sum above int64",
     R"({"usage":{"prompt_tokens":9223372036854775807,"completion_tokens":1}})",
     refused("total_tokens: \"a sum above int64\"" + kNoCount)},
    {"truncated inside a number", R"({"usage":{"prompt_tokens":10,"completion_tokens":2)",
     kUnreadable},
    {"truncated after the usage", R"({"usage":{"prompt_tokens":10,"completion_tokens":20})",
     kUnreadable},
    {"depth 10,000", "{\"usage\":" + std::string(10000, '[') + std::string(10000, ']') + "}",
     kUnreadable},
    {"depth 10,000 and open", std::string(10000, '['), kUnreadable},
    {"invalid UTF-8", "{\"x\":\"\xff\",\"usage\":{\"prompt_tokens\":1}}", kUnreadable},
    {"a NUL inside", std::string("{\"usage\":\0{\"prompt_tokens\":1}}", 29), kUnreadable},
    {"NULs behind", std::string("{\"usage\":{\"prompt_tokens\":1}}\0\0", 30), kUnreadable},
    {"garbage behind", R"({"usage":{"prompt_tokens":1}} garbage)", kUnreadable},
    {"an unclosed text", R"({"usage":{"prompt_tokens":1},"x":"abc)", kUnreadable},
    {"no JSON", "<html></html>", kUnreadable},
};

TEST(Providers, HostileFiguresAreMissingAndNamed) {
  for (const HostileRow& row : kHostileRows) {
    const Row one[] = {{row.why, "openai", row.body, row.expected.c_str()}};
    expect_rows(one);
  }
}

TEST(Providers, ExtractUsageForCallers) {
  const CallInfo call = {"openai", "gpt-4o-mini"};
  const std::string body = R"({"usage":{"prompt_tokens":10,"completion_tokens":20}})";
  const Result<Usage> usage = extract_usage(call, body);
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->total_tokens.count, 30);
  EXPECT_EQ(usage->source, UsageSource::provider);
  EXPECT_EQ(*usage_of(body, call), *usage);
  EXPECT_EQ(*usage_of(HttpAnswer{200, body}, call), *usage);
  EXPECT_EQ(usage_of(HttpAnswer{500, body}, call).error().code, Code::provider_failed);
  EXPECT_EQ(extract_usage(call, R"({"error":{"type":"x"}})").error().code, Code::provider_failed);
  for (const char* missing : {"{}", "", "no JSON", R"({"usage":{"prompt_tokens":-1}})"}) {
    const Result<Usage> none = extract_usage(call, missing);
    ASSERT_TRUE(none) << missing;
    EXPECT_EQ(none->source, UsageSource::missing) << missing;
  }
  const Result<Usage> unknown = extract_usage({"nobody", "m"}, body);
  EXPECT_EQ(unknown.error().code, Code::invalid_argument);
  EXPECT_NE(unknown.error().message.find("\"nobody\""), std::string::npos);
  EXPECT_NE(unknown.error().message.find("openrouter"), std::string::npos);
}

TEST(Providers, TheListIsSortedAndEveryNameIsFound) {
  const std::vector<std::string_view> names = extractor_names();
  EXPECT_TRUE(std::ranges::is_sorted(names));
  EXPECT_GE(names.size(), 23U);
  for (const std::string_view name : names) {
    ASSERT_NE(find_extractor(name), nullptr) << name;
    EXPECT_EQ(find_extractor(name)->name(), name);
  }
  EXPECT_EQ(find_extractor(""), nullptr);
  EXPECT_EQ(find_extractor("OpenAI"), nullptr);
}

}  // namespace
}  // namespace aimeter::drivers
