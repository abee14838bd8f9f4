#include "meter/content.h"

#include <cstring>

#include "base/hash.h"

namespace aimeter::meter {
namespace {

class Parts {
 public:
  Parts& add(std::string_view text) {
    bytes_ += std::to_string(text.size());
    bytes_ += ':';
    bytes_ += text;
    return *this;
  }
  Parts& add(const Meta& meta) {
    add(std::to_string(meta.size()));
    for (const auto& [key, value] : meta) add(key).add(value);
    return *this;
  }
  Parts& add(const Usage& usage) {
    add(usage.to_json());
    for (const auto& cost : {usage.input_cost, usage.output_cost, usage.total_cost}) {
      add(cost ? cost->text() : std::string()).add(cost ? cost->currency : std::string());
    }
    return *this;
  }
  [[nodiscard]] std::uint64_t digest() const {
    const base::Digest whole = base::sha256(bytes_);
    std::uint64_t first = 0;
    for (int i = 0; i < 8; ++i) first = first << 8U | whole[static_cast<std::size_t>(i)];
    return first;
  }

 private:
  std::string bytes_;
};

Parts common(const Account& account, std::string_view user) {
  Parts parts;
  parts.add(account.tenant.text).add(account.billable.type).add(account.billable.id).add(user);
  return parts;
}

}  // namespace

store::KeyRef key_of_call(const Call& call, const Account& account) {
  Parts parts = common(account, call.user);
  parts.add("call").add(call.provider).add(call.model).add(call.feature);
  parts.add(call.api_key).add(call.session).add(call.meta);
  parts.add(call.billing_mode ? name_of(*call.billing_mode) : std::string_view());
  if (call.manual_usage) parts.add(*call.manual_usage);
  return {.key = store::key_of(account.tenant.text, kKeyKind, call.idempotency_key),
          .content = parts.digest()};
}

store::KeyRef key_of_record(const UsageRecord& record, const Account& account) {
  Parts parts = common(account, record.user_id);
  parts.add("record").add(record.provider).add(record.model).add(record.feature);
  parts.add(record.api_key).add(record.session).add(record.meta);
  parts.add(record.usage);
  parts.add(record.occurred_at == Instant() ? std::string() : text_of(record.occurred_at));
  return {.key = store::key_of(account.tenant.text, kKeyKind, record.idempotency_key),
          .content = parts.digest()};
}

}  // namespace aimeter::meter
