// Compiled by must_not_compile_test.cpp, once as it is and once for each mistake.
#include "aimeter/meter.h"

struct Unknown {};

[[maybe_unused]] static void use(aimeter::Meter meter, aimeter::Meter other) {
  (void)std::move(meter).call([] { return std::string("{}"); });
  (void)std::move(other).with_manual_usage({.total_tokens = {30}}).call([] { return Unknown{}; });
}

#ifdef CALL_WITHOUT_GIVING_UP_THE_METER
void call_twice(aimeter::Meter meter) {
  (void)meter.call([] { return std::string("{}"); });
  (void)meter.call([] { return std::string("{}"); });
}
#endif
#ifdef SETTER_ON_A_NAMED_METER
void set_later(aimeter::Meter meter) { meter.for_tenant("8"); }
#endif
#ifdef VOID_WITHOUT_USAGE
void no_usage(aimeter::Meter meter) {
  (void)std::move(meter).call([] {});
}
#endif
#ifdef UNKNOWN_TYPE_WITHOUT_USAGE
void unknown_type(aimeter::Meter meter) {
  (void)std::move(meter).call([] { return Unknown{}; });
}
#endif
