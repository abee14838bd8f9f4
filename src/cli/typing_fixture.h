// Package:       cli
// Units:         none
// Errors:        those of the command, as its exit status and texts.
// Thread safety: one test, one thread.
// Ownership:     a Typing owns its folder, which goes with it.
//
// Commands as somebody types them, one after the other, on one store in a folder of their own.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/run.h"

namespace aimeter::cli::fixture {

struct Seen {
  int exit = 0;
  std::string out, err;
  [[nodiscard]] boost::json::value json() const {
    boost::system::error_code bad;
    const boost::json::value value = boost::json::parse(out, bad);
    EXPECT_FALSE(bad) << out << err;
    return value;
  }
};

class Typing : public ::testing::Test {
 protected:
  // `configuration`: of aimeter.toml, which every command reads.
  explicit Typing(const std::string& configuration) {
    std::string name = ::testing::TempDir() + "aimeter-XXXXXX";
    folder_ = mkdtemp(name.data());
    write("aimeter.toml", configuration);
  }
  ~Typing() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  // Nothing is asked: every command has --yes.
  [[nodiscard]] Seen type(std::vector<std::string> arguments) const {
    for (const std::string& each : {"--store=sqlite:" + path("usage.db"),
                                    "--config=" + path("aimeter.toml"), std::string("--yes")}) {
      arguments.push_back(each);
    }
    std::istringstream in;
    std::ostringstream out, err;
    Console console({.in = &in, .out = &out, .err = &err});
    const int exit = run(arguments, console);
    return {exit, out.str(), err.str()};
  }
  [[nodiscard]] Seen json_of(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    return type(std::move(arguments));
  }

 private:
  std::string folder_;
};

}  // namespace aimeter::cli::fixture
