// Every vector of the shared data/stripe/signature_vectors.json, with the verdict of another
// implementation (stripe-node).
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "billing/signature.h"
#include "tests/data/shared_data.h"

namespace aimeter {
namespace {

namespace json = boost::json;

Instant seconds_of(const json::value& value) {
  return Instant(std::chrono::seconds(value.as_int64()));
}

TEST(SharedData, WebhookSignatures) {
  const std::optional<std::string> text = shared_file("stripe/signature_vectors.json");
  if (!text) return left_out("data/stripe/signature_vectors.json");
  const json::value vectors = json::parse(*text);
  std::size_t accepted = 0;
  for (const json::value& vector : vectors.as_array()) {
    const std::string payload(vector.at("payload").as_string());
    const std::string header(vector.at("header").as_string());
    const std::string secret(vector.at("secret").as_string());
    const billing::SignatureRule rule{
        .secret = secret,
        .received_at = seconds_of(vector.at("received_at")),
        .tolerance = std::chrono::seconds(vector.at("tolerance_s").as_int64())};
    const Status proved = billing::verify_signature({payload, header}, rule);
    const bool expected = vector.at("stripe_node_verdict").as_string() == "accept";
    EXPECT_EQ(proved.has_value(), expected)
        << vector.at("id").as_string() << " " << vector.at("name").as_string() << ": "
        << (proved ? "accepted" : proved.error().message);
    accepted += proved ? 1 : 0;
  }
  EXPECT_EQ(vectors.as_array().size(), 90U);
  EXPECT_GT(accepted, 0U);
}

}  // namespace
}  // namespace aimeter
