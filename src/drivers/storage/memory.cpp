#include "drivers/builtin.h"

namespace aimeter::drivers {

// "memory:" and nothing behind it: two stores of the same name would be taken for one.
Result<std::unique_ptr<store::Store>> open_store_memory(std::string_view rest,
                                                        const store::StoreOptions& options) {
  if (!rest.empty()) return bad_input("store", "memory:" + std::string(rest), "memory:");
  return store::make_memory_store(options.clock != nullptr ? *options.clock : system_clock());
}

}  // namespace aimeter::drivers
