// Package:       tests
// Units:         bytes
// Errors:        none: absent data is an empty optional.
// Thread safety: pure functions.
// Ownership:     none.
//
// Recorded data that is not part of the repository: in ../shared beside it, or where AIMETER_SHARED
// points. A test that needs it says in one line that it was left out.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

namespace aimeter {

inline std::optional<std::string> shared_file(const std::string& path) {
  const char* given = std::getenv("AIMETER_SHARED");
  const std::string root = given != nullptr ? given : AIMETER_SOURCE_DIR "/../shared";
  std::ifstream file(root + "/data/" + path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void left_out(const std::string& what) {
  std::cout << "left out (no shared data): " << what << "\n";
}

}  // namespace aimeter
