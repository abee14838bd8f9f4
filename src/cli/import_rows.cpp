#include "cli/import_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ids.h"
#include "base/json.h"
#include "cli/csv.h"

namespace aimeter::cli {
namespace {

struct CountField {
  const char* name;
  Tokens Usage::* member;
};
constexpr std::array kCounts = {
    CountField{"input_tokens", &Usage::input_tokens},
    CountField{"cached_input_tokens", &Usage::cached_input_tokens},
    CountField{"cache_write_tokens", &Usage::cache_write_tokens},
    CountField{"cache_write_5m_tokens", &Usage::cache_write_5m_tokens},
    CountField{"cache_write_1h_tokens", &Usage::cache_write_1h_tokens},
    CountField{"input_audio_tokens", &Usage::input_audio_tokens},
    CountField{"cached_input_audio_tokens", &Usage::cached_input_audio_tokens},
    CountField{"output_tokens", &Usage::output_tokens},
    CountField{"reasoning_tokens", &Usage::reasoning_tokens},
    CountField{"output_audio_tokens", &Usage::output_audio_tokens},
    CountField{"total_tokens", &Usage::total_tokens},
};
constexpr std::array kTexts = {"occurred_at", "offset_ms", "tenant",   "billable_type",
                               "billable_id", "user",      "provider", "model",
                               "feature",     "api_key",   "session"};
// Column names of well-known traces, taken where the file has no column of the field's own name.
// Source: header lines of AzurePublicDataset's AzureLLMInferenceTrace files, 2024.
constexpr std::pair<const char*, const char*> kOtherNames[] = {
    {"occurred_at", "TIMESTAMP"},
    {"occurred_at", "timestamp"},
    {"input_tokens", "ContextTokens"},
    {"output_tokens", "GeneratedTokens"},
    {"user", "user_id"},
};

bool is_field(std::string_view name) {
  return std::ranges::any_of(kCounts, [&](const CountField& f) { return f.name == name; }) ||
         std::ranges::find(kTexts, name) != kTexts.end();
}

Result<std::int64_t> parse_count(std::string_view field, std::string_view text) {
  std::int64_t count = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || count < 0 ||
      text.starts_with('-')) {
    return bad_input(field, text, "a whole number from 0 to 9223372036854775807");
  }
  return count;
}

// Fills what is the same for every format: tenant, who pays, names, total.
class Finisher {
 public:
  explicit Finisher(const ImportOptions& options) : options_(options) {}

  [[nodiscard]] Result<Instant> time_of_offset(std::string_view field,
                                               std::string_view text) const {
    AIMETER_TRY(const std::int64_t offset_ms, parse_count(field, text));
    if (!options_.starting_at) {
      return bad_input("--starting-at", "", "the time that offset_ms counts from");
    }
    constexpr std::int64_t kOffsetMost = 100LL * 366 * 86'400'000;  // a hundred years
    if (offset_ms > kOffsetMost) return bad_input(field, text, "an offset below a hundred years");
    return *options_.starting_at + std::chrono::milliseconds(offset_ms);
  }
  [[nodiscard]] Result<Instant> time_of(std::string_view field, std::string_view text) const {
    return parse_instant(field, text, options_.timezone);
  }

  enum class Counts : unsigned char { none, some };  // that the row gives
  [[nodiscard]] Result<UsageRecord> finish(UsageRecord record, std::int64_t number,
                                           Counts counts) const {
    if (counts == Counts::none) {  // unknown is not zero
      return bad_input("input_tokens", "",
                       "a count of input_tokens, output_tokens or total_tokens");
    }
    Usage& usage = record.usage;
    const bool parts = usage.input_tokens.count != 0 || usage.output_tokens.count != 0;
    std::int64_t sum = 0;
    if (__builtin_add_overflow(usage.input_tokens.count, usage.output_tokens.count, &sum)) {
      return bad_input("total_tokens",
                       fmt::format("{} + {}", usage.input_tokens.count, usage.output_tokens.count),
                       "a sum within 64 bits");
    }
    if (!parts && usage.total_tokens.count > 0) {
      usage.total_only = true;
    } else {
      if (usage.total_tokens.count == 0) usage.total_tokens.count = sum;
    }
    usage.source = UsageSource::provider;
    AIMETER_CHECK_OK(usage.check());
    if (options_.spread_tenants > 0) {
      record.account.tenant.text = fmt::format("t{:02}", number % options_.spread_tenants);
    } else if (record.account.tenant.text.empty()) {
      record.account.tenant.text = options_.tenant;
    }
    if (record.provider.empty()) record.provider = options_.provider;
    if (record.model.empty()) record.model = options_.model;
    if (record.provider.empty()) return bad_input("provider", "", "a column, or --provider");
    if (record.model.empty()) return bad_input("model", "", "a column, or --model");
    AIMETER_CHECK_OK(who_pays(record));
    return record;
  }

 private:
  [[nodiscard]] Status who_pays(UsageRecord& record) const {
    Billable& billable = record.account.billable;
    if (billable.type.empty() && billable.id.empty()) billable = options_.billable;
    if (billable.type.empty() && billable.id.empty()) {
      if (!record.account.tenant.text.empty()) {
        billable = {"tenant", record.account.tenant.text};
      } else if (!record.user_id.empty()) {
        billable = {"user", record.user_id};
      } else {
        return bad_input("billable", "", "a tenant, a user, or --billable-type and --billable");
      }
    }
    AIMETER_CHECK_OK(base::check_id("billable_type", billable.type));
    return base::check_id("billable_id", billable.id);
  }

  const ImportOptions& options_;
};

[[nodiscard]] Status put_text(UsageRecord& record, std::string_view field, std::string value) {
  const std::pair<const char*, std::string*> places[] = {
      {"tenant", &record.account.tenant.text},
      {"billable_type", &record.account.billable.type},
      {"billable_id", &record.account.billable.id},
      {"user", &record.user_id},
      {"provider", &record.provider},
      {"model", &record.model},
      {"feature", &record.feature},
      {"api_key", &record.api_key},
      {"session", &record.session}};
  for (const auto& [name, place] : places) {
    if (field != name) continue;
    if (!value.empty()) AIMETER_CHECK_OK(base::check_id(field, value));
    *place = std::move(value);
  }
  return {};
}

// ---------------------------------------------------------------- CSV

class CsvRows final : public RowSource {
 public:
  CsvRows(CsvReader reader, const ImportOptions& options)
      : reader_(std::move(reader)), options_(options), finisher_(options_) {}

  [[nodiscard]] Status find_columns() {
    for (const auto& [field, column] : options_.map) {
      const auto at = reader_.find(column);
      if (!at) {
        return bad_input("--map", field + "=" + column, "a column of the file's header");
      }
      columns_[field] = *at;
    }
    const auto take = [&](const char* field, const char* column) {
      if (columns_.contains(field)) return;
      if (const auto at = reader_.find(column)) columns_[field] = *at;
    };
    for (const CountField& field : kCounts) take(field.name, field.name);
    for (const char* field : kTexts) take(field, field);
    for (const auto& [field, column] : kOtherNames) take(field, column);
    if (!columns_.contains("occurred_at") && !columns_.contains("offset_ms")) {
      return bad_input("line 1", header(), "a column for occurred_at or offset_ms, or --map");
    }
    if (!columns_.contains("input_tokens") && !columns_.contains("output_tokens") &&
        !columns_.contains("total_tokens")) {
      return bad_input("line 1", header(),
                       "a column for input_tokens, output_tokens or total_tokens, or --map");
    }
    for (const auto& [field, at] : columns_) {
      const std::string& column = reader_.columns()[at];
      fields_.push_back(
          {.field = field,
           .at = at,
           .named = field == column ? field : fmt::format("{} (column {})", field, column),
           .count = find_count(field)});
    }
    return {};
  }

  std::optional<Row> next() override {
    Result<std::optional<CsvReader::Row>> row = reader_.next();
    if (row && !*row) return std::nullopt;
    Row made{.number = number_++, .line = reader_.line()};
    if (row) {
      made.record = record_of(**row, made.number);
    } else {
      made.record = std::unexpected(row.error());
    }
    return made;
  }

 private:
  [[nodiscard]] std::string header() const {
    return fmt::format("{}", fmt::join(reader_.columns(), ","));
  }
  [[nodiscard]] Result<UsageRecord> record_of(const CsvReader::Row& row,
                                              std::int64_t number) const {
    UsageRecord record;
    auto counts = Finisher::Counts::none;
    for (const Field& field : fields_) {
      const std::string& text = row.fields[field.at];
      if (field.count != nullptr) {
        if (text.empty()) continue;  // not said: no part of its own
        AIMETER_TRY((record.usage.*field.count->member).count, parse_count(field.named, text));
        counts = Finisher::Counts::some;
      } else if (field.field == "occurred_at") {
        AIMETER_TRY(record.occurred_at, finisher_.time_of(field.named, text));
      } else if (field.field == "offset_ms") {
        AIMETER_TRY(record.occurred_at, finisher_.time_of_offset(field.named, text));
      } else {
        AIMETER_CHECK_OK(put_text(record, field.field, text));
      }
    }
    return finisher_.finish(std::move(record), number, counts);
  }
  [[nodiscard]] static const CountField* find_count(std::string_view field) {
    const auto at =
        std::ranges::find_if(kCounts, [&](const CountField& f) { return f.name == field; });
    return at == kCounts.end() ? nullptr : &*at;
  }

  CsvReader reader_;
  ImportOptions options_;
  Finisher finisher_;
  std::map<std::string, std::size_t> columns_;
  struct Field {  // one of columns_, with what every row asks of it
    std::string field = {};
    std::size_t at = 0;
    std::string named = {};  // as messages name it
    const CountField* count = nullptr;
  };
  std::vector<Field> fields_;
  std::int64_t number_ = 0;
};

// ---------------------------------------------------------------- JSON Lines

constexpr std::size_t kLineBytesMax = 1U << 20U;

class JsonRows final : public RowSource {
 public:
  JsonRows(std::istream& in, const ImportOptions& options)
      : in_(in), options_(options), finisher_(options_) {}

  std::optional<Row> next() override {
    std::string text;
    do {
      if (!std::getline(in_, text)) return std::nullopt;
      ++line_;
      if (line_ == 1 && text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
      if (text.ends_with('\r')) text.pop_back();
    } while (text.empty());
    Row made{.number = number_++, .line = line_};
    if (text.size() > kLineBytesMax) {
      made.record = bad_input("line", fmt::format("{} bytes", text.size()),
                              fmt::format("at most {} bytes", kLineBytesMax));
    } else {
      made.record = record_of(text, made.number);
    }
    return made;
  }

 private:
  [[nodiscard]] Result<UsageRecord> record_of(const std::string& text, std::int64_t number) const {
    AIMETER_TRY(const base::Json json, base::Json::parse("line", text));
    AIMETER_TRY(base::JsonFields fields, base::JsonFields::of(json, ""));
    UsageRecord record;
    auto counts = Finisher::Counts::none;
    if (const base::Json* usage = fields.take(column("usage"))) {
      AIMETER_TRY(record.usage, Usage::from_json(usage->text()));
      counts = Finisher::Counts::some;
    }
    for (const CountField& field : kCounts) {
      AIMETER_TRY(const auto count, fields.optional_count(column(field.name)));
      if (!count) continue;
      (record.usage.*field.member).count = *count;
      counts = Finisher::Counts::some;
    }
    for (const char* name : kTexts) {
      const std::string field = name;
      if (field == "occurred_at" || field == "offset_ms") continue;
      AIMETER_TRY(auto value, fields.optional_string(column(field)));
      if (value) AIMETER_CHECK_OK(put_text(record, field, *std::move(value)));
    }
    AIMETER_TRY(const auto offset, fields.optional_count(column("offset_ms")));
    if (offset) {
      AIMETER_TRY(record.occurred_at,
                  finisher_.time_of_offset("offset_ms", std::to_string(*offset)));
    } else {
      AIMETER_TRY(const std::string at, fields.string(column("occurred_at")));
      AIMETER_TRY(record.occurred_at, finisher_.time_of("occurred_at", at));
    }
    AIMETER_TRY(const auto meta, fields.optional_object("meta"));
    if (meta) AIMETER_CHECK_OK(take_meta(record, *json.find("meta")));
    return finisher_.finish(std::move(record), number, counts);
  }
  [[nodiscard]] static Status take_meta(UsageRecord& record, const base::Json& meta) {
    for (const auto& [key, value] : meta.members()) {
      AIMETER_TRY(record.meta[key], value.string("meta." + key));
    }
    return {};
  }
  [[nodiscard]] std::string column(const std::string& field) const {
    const auto mapped = options_.map.find(field);
    return mapped == options_.map.end() ? field : mapped->second;
  }

  std::istream& in_;
  ImportOptions options_;
  Finisher finisher_;
  std::size_t line_ = 0;
  std::int64_t number_ = 0;
};

}  // namespace

Result<std::map<std::string, std::string>> parse_map(std::string_view text) {
  std::map<std::string, std::string> map;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, end);
    const std::size_t equals = part.find('=');
    const std::string field(part.substr(0, equals));
    if (equals == std::string_view::npos || equals + 1 == part.size() || !is_field(field)) {
      return bad_input("--map", part,
                       "FIELD=COLUMN with a field of a usage record, such as "
                       "input_tokens=ContextTokens");
    }
    if (!map.emplace(field, part.substr(equals + 1)).second) {
      return bad_input("--map", part, "each field once");
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return map;
}

Result<std::unique_ptr<RowSource>> csv_rows(std::istream& in, const ImportOptions& options) {
  AIMETER_TRY(CsvReader reader, CsvReader::open(in, {}));
  auto rows = std::make_unique<CsvRows>(std::move(reader), options);
  AIMETER_CHECK_OK(rows->find_columns());
  return rows;
}

Result<std::unique_ptr<RowSource>> jsonl_rows(std::istream& in, const ImportOptions& options) {
  if (in.peek() == std::istream::traits_type::eof()) {
    return bad_input("FILE", "", "JSON Lines; the file is empty");
  }
  return std::make_unique<JsonRows>(in, options);
}

}  // namespace aimeter::cli
