// Metadata of a caller: lines of key=value, or a JSON object as it was stored.
// Package: meter
// Parser: src/meter/meta.cpp
#include <boost/json.hpp>
#include <string>

#include "meter/meta.h"
#include "store/record.h"
#include "tests/fuzz/input.h"

namespace aimeter::fuzz {
namespace {

void expect_redacted(const boost::json::value& value) {
  if (const auto* object = value.if_object()) {
    for (const auto& member : *object) {
      if (meter::is_secret_key(member.key())) {
        AIMETER_ASSERT(member.value() == "[redacted]");
      } else {
        expect_redacted(member.value());
      }
    }
  } else if (const auto* array = value.if_array()) {
    for (const auto& item : *array) expect_redacted(item);
  }
}

void expect_kept(const Meta& kept) {
  for (const auto& [key, text] : kept) {
    if (meter::is_secret_key(key)) AIMETER_ASSERT(text == "[redacted]");
    boost::system::error_code failed;
    const boost::json::value value = boost::json::parse(text, failed);
    if (!failed) expect_redacted(value);
  }
  const Result<Meta> again = meter::kept_meta(kept, meter::Metadata::sanitized);
  AIMETER_ASSERT(again.has_value());
  AIMETER_ASSERT(*again == kept);
  const Result<std::string> json = meter::json_of(kept);
  if (!json) return;  // escapes may make it too long
  AIMETER_ASSERT(json->size() <= meter::kMetaBytesMax);
  AIMETER_ASSERT(store::meta_of(*json) == kept);
}

Meta pairs_of(std::string_view text) {
  Input input(text.empty() ? nullptr : reinterpret_cast<const std::uint8_t*>(text.data()),
              text.size());
  Meta meta;
  while (!input.empty()) {
    const std::string_view line = input.until('\n');
    const std::size_t end = std::min(line.find('='), line.size());
    meta[std::string(line.substr(0, end))] = line.substr(std::min(end + 1, line.size()));
  }
  return meta;
}

}  // namespace
}  // namespace aimeter::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aimeter;
  const std::string_view text = fuzz::Input(data, size).rest();
  const Meta both[] = {fuzz::pairs_of(text), store::meta_of(text)};
  for (const Meta& meta : both) {
    const Result<Meta> kept = meter::kept_meta(meta, meter::Metadata::sanitized);
    if (kept) {
      AIMETER_ASSERT(kept->size() == meta.size());
      fuzz::expect_kept(*kept);
    } else {
      AIMETER_ASSERT(kept.error().code == Code::invalid_argument);
    }
    const Result<Meta> given = meter::kept_meta(meta, meter::Metadata::as_given);
    AIMETER_ASSERT(given.has_value());
    if (const auto json = meter::json_of(*given)) AIMETER_ASSERT(store::meta_of(*json) == meta);
  }
  return 0;
}
