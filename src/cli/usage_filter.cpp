#include "cli/usage_filter.h"

#include "reports/report.h"

namespace aimeter::cli {

void UsageOptions::add_to(CLI::App& app) {
  tenant.add_to(app);
  billable.add_to(app);
  app.add_option("--month", month, "One month of the time zone")->type_name("YYYY-MM");
  app.add_option("--from", from, "From this time on (RFC 3339, or a date)")->type_name("TIME");
  app.add_option("--to", to, "Before this time")->type_name("TIME");
  app.add_option("--timezone", timezone, "IANA zone of months, days and times without an offset")
      ->type_name("ZONE");
  app.add_option("--user", user, "Only calls of this user")->type_name("USER");
  app.add_option("--provider", provider, "Only this provider")->type_name("NAME");
  app.add_option("--model", model, "Only this model")->type_name("NAME");
  app.add_option("--feature", feature, "Only this feature")->type_name("NAME");
}

Result<UsageFilter> UsageOptions::filter(const Defaults& otherwise) const {
  const std::string zone = timezone.empty() ? otherwise.zone : timezone;
  UsageFilter made{.user = user, .provider = provider, .model = model, .feature = feature};
  AIMETER_TRY(made.tenant, tenant.reading());
  AIMETER_TRY(made.billable, billable.get());
  if (!month.empty()) {
    if (!from.empty() || !to.empty()) {
      return bad_input("--month", month, "either --month or --from and --to");
    }
    AIMETER_TRY(const Period::Span span, reports::month_of("--month", month, zone));
    made.from = span.start;
    made.to = span.end;
    return made;
  }
  made.from = otherwise.from;
  made.to = otherwise.to;
  if (!from.empty()) {
    AIMETER_TRY(made.from, parse_instant("--from", from, zone));
  }
  if (!to.empty()) {
    AIMETER_TRY(made.to, parse_instant("--to", to, zone));
  }
  if (made.from && made.to && *made.from >= *made.to) {
    return bad_input("--from", text_of(*made.from), "a time before --to " + text_of(*made.to));
  }
  return made;
}

}  // namespace aimeter::cli
