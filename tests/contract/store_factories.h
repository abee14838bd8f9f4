// Package:       tests
// Units:         the clock starts at fixture::kNoon
// Errors:        a store that cannot be opened is null.
// Thread safety: none
// Ownership:     an Opened store owns its clock and what it stands on.
//
// The stores that must pass the contract suite and the model test: one line each.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "drivers/builtin.h"
#include "store/store_fixture.h"
#include "time/manual_clock.h"

namespace aimeter::store::contract {

struct Opened {
  std::unique_ptr<time::ManualClock> clock = {};
  std::shared_ptr<void> folder = {};  // outlives the store
  std::unique_ptr<Store> store = {};
};
struct Factory {
  std::string name = {};
  std::function<Opened()> open = {};
  friend std::ostream& operator<<(std::ostream& out, const Factory& factory) {
    return out << factory.name;
  }
};

inline std::string name_of_factory(const ::testing::TestParamInfo<Factory>& factory) {
  return factory.param.name;
}

inline Opened open_memory() {
  Opened opened{.clock = std::make_unique<time::ManualClock>(fixture::kNoon)};
  opened.store = make_memory_store(*opened.clock);
  return opened;
}

// A folder of its own, removed with its last owner; "" when there is no room for one.
inline std::shared_ptr<std::string> make_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "aimeter-store-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) name.clear();
  return {new std::string(name), [](const std::string* folder) {
            std::error_code ignored;  // a test has no use for a folder that cannot be removed
            if (!folder->empty()) std::filesystem::remove_all(*folder, ignored);
            delete folder;
          }};
}

inline Opened open_sqlite() {
  Opened opened{.clock = std::make_unique<time::ManualClock>(fixture::kNoon)};
  const auto folder = make_folder();
  opened.folder = folder;
  auto store =
      drivers::open_store("sqlite:" + *folder + "/usage.db", {.clock = opened.clock.get()});
  if (store) opened.store = *std::move(store);
  return opened;
}

inline std::vector<Factory> factories() {
  return {
      {"memory", open_memory},
      {"sqlite", open_sqlite},
  };
}

}  // namespace aimeter::store::contract
