// Package:       tests
// Units:         amounts in minor units; seconds since 1970.
// Errors:        as Stripe's API answers: a status and an error object.
// Thread safety: a Books guards itself; any thread.
// Ownership:     owns all objects.
//
// What Stripe's API does, as far as it is used here, from its public documentation: parameters that
// are not known are refused, an idempotency key is remembered for 24 hours with its parameters and
// its answer (errors too), lists go newest first by pages. Its clock is set by the test.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace aimeter::testing {

using Params = std::vector<std::pair<std::string, std::string>>;

struct ApiRequest {
  std::string method = {}, path = {};
  Params params = {};  // of the query or of the body, decoded, in order
  std::string key = {}, version = {}, authorization = {};
};
struct ApiAnswer {
  int status = 200;
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
};

class Books {
 public:
  static constexpr std::int64_t kKeysKeptS = 24 * 3'600;

  explicit Books(std::string secret) : secret_(std::move(secret)) {}
  void set_now(std::int64_t seconds);
  // Executes as Stripe would. `fails`: execution begins and ends with a 500 that is remembered.
  enum class Execution { works, fails };
  [[nodiscard]] ApiAnswer execute(const ApiRequest& request, Execution execution);

  // For tests: what is there, oldest first.
  [[nodiscard]] std::vector<boost::json::object> all(const std::string& kind) const;
  std::string add(const std::string& kind, boost::json::object object);
  void put(const std::string& id, const std::string& name, boost::json::value value);
  // Removes an object as somebody in the dashboard would.
  void remove(const std::string& id);
  [[nodiscard]] std::size_t remembered_keys() const;

 private:
  struct Remembered {
    std::string path;
    Params params;
    ApiAnswer answer;
    std::int64_t at = 0;
  };
  [[nodiscard]] std::optional<ApiAnswer> refused(const ApiRequest& request) const;
  [[nodiscard]] std::optional<ApiAnswer> replayed(const ApiRequest& request);
  [[nodiscard]] ApiAnswer post(const ApiRequest& request);
  [[nodiscard]] ApiAnswer get(const ApiRequest& request) const;
  [[nodiscard]] ApiAnswer list(const std::string& kind, const Params& params) const;
  [[nodiscard]] ApiAnswer search(const Params& params) const;
  [[nodiscard]] const boost::json::object* find(const std::string& id) const;
  std::string keep(const std::string& kind, boost::json::object object);

  const std::string secret_;
  mutable std::mutex mutex_;
  std::int64_t now_ = 1'790'000'000;
  std::int64_t last_ = 0;
  std::map<std::string, std::vector<boost::json::object>> kinds_;
  std::map<std::string, Remembered> keys_;
};

}  // namespace aimeter::testing
