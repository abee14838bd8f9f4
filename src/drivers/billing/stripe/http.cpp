#include "drivers/billing/stripe/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <mutex>

#include "base/mutex.h"

namespace aimeter::drivers::stripe {
namespace {

constexpr std::size_t kAnswerBytesMax = std::size_t{4} << 20;
constexpr std::size_t kIdleMax = 8;
constexpr long kConnectMilliseconds = 10'000;

struct HandleEnd {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, HandleEnd>;
struct ListEnd {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListEnd>;

std::size_t take_body(char* bytes, std::size_t, std::size_t count, void* reply) {
  std::string& body = static_cast<HttpReply*>(reply)->body;
  if (body.size() + count > kAnswerBytesMax) return 0;  // ends the transfer
  body.append(bytes, count);
  return count;
}

std::string trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0)
    text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
    text.remove_suffix(1);
  return std::string(text);
}

std::size_t take_header(char* bytes, std::size_t, std::size_t count, void* reply) {
  const std::string_view line(bytes, count);
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return count;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  auto& into = *static_cast<HttpReply*>(reply);
  if (name == "retry-after") into.retry_after = trimmed(line.substr(colon + 1));
  if (name == "stripe-should-retry") into.should_retry = trimmed(line.substr(colon + 1));
  return count;
}

void set_options(CURL* curl, const HttpRequest& request, curl_slist* headers, HttpReply& reply) {
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectMilliseconds);
  const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(request.timeout).count();
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(1, timeout)));
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reply);
  if (request.method == "POST") {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
  } else {
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
  }
}

// libcurl's words name hosts and ports, never headers.
std::unexpected<Error> failure_of(CURL* curl, CURLcode code) {
  long sent_bytes = 0;
  curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent_bytes);
  const std::string why = std::string("stripe: ") + curl_easy_strerror(code);
  if (sent_bytes == 0) return fail(Code::unavailable, why + " (nothing was sent)");
  return fail(Code::in_doubt, why + " (the request was sent, its answer is unknown)");
}

}  // namespace

struct Http::Idle {
  base::Mutex mutex;
  std::vector<Handle> handles AIMETER_GUARDED_BY(mutex);

  // With a connection that is kept, or null.
  Handle take() {
    const base::Lock lock(mutex);
    if (handles.empty()) return nullptr;
    Handle handle = std::move(handles.back());
    handles.pop_back();
    return handle;
  }
  void put(Handle handle) {
    const base::Lock lock(mutex);
    if (handles.size() < kIdleMax) handles.push_back(std::move(handle));
  }
};

Http::Http() : idle_(std::make_unique<Idle>()) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}
Http::~Http() = default;

Result<HttpReply> Http::send(const HttpRequest& request) {
  Handle handle = idle_->take();
  const bool kept = handle != nullptr;
  if (!kept) handle.reset(curl_easy_init());
  if (!handle) return fail(Code::unavailable, "stripe: libcurl has no handle (nothing was sent)");
  List headers;
  for (const std::string& header : request.headers) {
    curl_slist* longer = curl_slist_append(headers.get(), header.c_str());
    if (longer == nullptr) return fail(Code::unavailable, "stripe: no memory (nothing was sent)");
    (void)headers.release();
    headers.reset(longer);
  }
  HttpReply reply;
  set_options(handle.get(), request, headers.get(), reply);
  const CURLcode code = curl_easy_perform(handle.get());
  if (code != CURLE_OK) return failure_of(handle.get(), code);
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &reply.status);
  long connections = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_NUM_CONNECTS, &connections);
  reply.maybe_sent_before = kept && connections > 0;
  curl_easy_reset(handle.get());  // keeps the connection
  idle_->put(std::move(handle));
  return reply;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kHex[byte >> 4U];
      encoded += kHex[byte & 15U];
    }
  }
  return encoded;
}

}  // namespace aimeter::drivers::stripe
