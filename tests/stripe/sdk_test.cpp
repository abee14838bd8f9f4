// Stripe's own client for Node believes the server of these tests to be Stripe, so what our driver
// is tested against answers as the real one does. Left out without node or without its package
// (npm install --prefix build/npm stripe@23.1.0, or AIMETER_STRIPE_SDK=FOLDER).
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "billing/signature.h"
#include "tests/stripe/server.h"

namespace aimeter {
namespace {

constexpr std::string_view kBody = R"({"id":"evt_1","object":"event","type":"invoice.paid"})";

std::string folder_of_sdk() {
  const char* given = std::getenv("AIMETER_STRIPE_SDK");
  const std::string folder = given != nullptr ? given : AIMETER_SOURCE_DIR "/build/npm";
  return std::filesystem::exists(folder + "/node_modules/stripe/package.json") ? folder : "";
}

struct Ran {
  int status = -1;
  std::string output = {};
};
Ran run(const std::string& command) {
  Ran ran;
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return ran;
  char bytes[4'096];
  while (const std::size_t count = std::fread(bytes, 1, sizeof bytes, pipe))
    ran.output.append(bytes, count);
  ran.status = pclose(pipe);
  return ran;
}

TEST(StripeSdk, TalksToTheServerOfTheseTests) {
  const std::string folder = folder_of_sdk();
  if (folder.empty() || run("node --version").status != 0) {
    std::cout << "left out (no node, or no npm package stripe): Stripe's own client\n";
    return;
  }
  testing::Books books("sk_test_of_this_test");
  const testing::Server server(books, {});
  const Instant at = Instant(std::chrono::seconds(1'790'000'000));
  const std::string header = billing::signature_header(kBody, "whsec_of_this_test", at);
  const std::string command = "SIGNED_BODY='" + std::string(kBody) + "' SIGNED_HEADER='" + header +
                              "' node " AIMETER_SOURCE_DIR "/tests/stripe/sdk.cjs " +
                              server.base() + " " + folder;
  const Ran ran = run(command);
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_NE(ran.output.find("all is well"), std::string::npos) << ran.output;
  EXPECT_NE(ran.output.find("header " + header), std::string::npos)
      << "both sign alike: " << ran.output;
  EXPECT_EQ(books.all("invoiceitem").size(), 6U);
}

}  // namespace
}  // namespace aimeter
