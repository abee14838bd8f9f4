#include <array>
#include <utility>

#include "aimeter/wallet.h"

namespace aimeter {
namespace {

using namespace std::string_view_literals;
constexpr std::array kCauses = {std::pair{CreditCause::top_up, "top_up"sv},
                                std::pair{CreditCause::grant, "grant"sv},
                                std::pair{CreditCause::usage, "usage"sv},
                                std::pair{CreditCause::correction, "correction"sv},
                                std::pair{CreditCause::withdrawal, "withdrawal"sv},
                                std::pair{CreditCause::refund, "refund"sv},
                                std::pair{CreditCause::expiry, "expiry"sv}};

}  // namespace

std::string_view name_of(Direction direction) {
  return direction == Direction::credit ? "credit"sv : "debit"sv;
}

std::string_view name_of(CreditCause cause) {
  for (const auto& [known, name] : kCauses) {
    if (known == cause) return name;
  }
  AIMETER_ASSERT(!"a cause without a name");
  return {};
}

std::string_view name_of(LotKind kind) {
  return kind == LotKind::paid ? "paid"sv : "promotional"sv;
}

Result<LotKind> parse_lot_kind(std::string_view field, std::string_view text) {
  for (const LotKind kind : {LotKind::paid, LotKind::promotional}) {
    if (name_of(kind) == text) return kind;
  }
  return bad_input(field, text, "paid or promotional");
}

}  // namespace aimeter
