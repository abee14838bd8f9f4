#include "cli/records.h"

namespace aimeter::cli {
namespace {

boost::json::value number_or_null(std::int64_t number) {
  return number != 0 ? boost::json::value(std::to_string(number)) : boost::json::value();
}

}  // namespace

boost::json::object object_of(const Account& account, const CreditTransaction& transaction) {
  boost::json::object meta;
  for (const auto& [key, value] : transaction.meta) meta[key] = value;
  return {{"id", transaction.id},
          {"tenant", account.tenant.text},
          {"billable_type", account.billable.type},
          {"billable_id", account.billable.id},
          {"direction", name_of(transaction.direction)},
          {"cause", name_of(transaction.cause)},
          {"amount", transaction.amount.text()},
          {"balance_after", transaction.balance_after.text()},
          {"currency", transaction.amount.currency},
          {"reason", transaction.reason},
          {"usage_id", number_or_null(transaction.usage_id)},
          {"refers_to", number_or_null(transaction.refers_to)},
          {"meta", std::move(meta)},
          {"created_at", text_of(transaction.created_at)}};
}

boost::json::object object_of(const CreditLot& lot) {
  const auto& expires = lot.terms.expires_at;
  return {{"id", lot.id},
          {"kind", name_of(lot.terms.kind)},
          {"priority", lot.terms.priority},
          {"amount", lot.amount.text()},
          {"remaining", lot.remaining.text()},
          {"currency", lot.amount.currency},
          {"granted_at", text_of(lot.granted_at)},
          {"expires_at", expires ? boost::json::value(text_of(*expires)) : boost::json::value()}};
}

}  // namespace aimeter::cli
