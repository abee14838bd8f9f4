// Package:       cli
// Units:         times as RFC 3339; months as YYYY-MM
// Errors:        invalid_argument naming the option.
// Thread safety: belongs to the command's thread.
// Ownership:     none.
//
// The options that choose usage rows, the same for report, usage, reprice and tail.
#pragma once

#include <optional>
#include <string>

#include "cli/session.h"

namespace aimeter::cli {

struct UsageOptions {
  TenantOption tenant = {};
  BillableOption billable = {};
  std::string month = {}, from = {}, to = {}, timezone = {};
  std::optional<std::string> user = {}, provider = {}, model = {}, feature = {};

  void add_to(CLI::App& app);
  // Without --month, --from and --to: `otherwise`. `zone` is the configuration's when --timezone is
  // not given.
  struct Defaults {
    std::optional<Instant> from = {}, to = {};
    std::string zone = "UTC";
  };
  [[nodiscard]] Result<UsageFilter> filter(const Defaults& otherwise) const;
};

}  // namespace aimeter::cli
