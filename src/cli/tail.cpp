// aimeter tail: calls and refusals as they come.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <map>
#include <memory>
#include <ostream>
#include <thread>

#include "app/refusal_log.h"
#include "base/json.h"
#include "cli/records.h"
#include "cli/session.h"
#include "store/record.h"

namespace aimeter::cli {
namespace {

struct Options {
  TenantOption tenant = {};
  std::uint64_t last = 10;
  bool once = false;
};

constexpr auto kPause = std::chrono::milliseconds(250);
constexpr std::size_t kFeedMost = 1'000;

class Follower {
 public:
  Follower(Frame& frame, Reading& reading, const Options& options, std::optional<TenantId> tenant)
      : frame_(frame), reading_(reading), options_(options), tenant_(std::move(tenant)) {}

  [[nodiscard]] Status round() {
    AIMETER_TRY(const std::vector<store::EngineState> engines, reading_.store->engines());
    for (const store::EngineState& engine : engines) {
      const store::Seq start =
          engine.last_seq > options_.last ? engine.last_seq - options_.last : 0;
      // An engine that opened after us is shown from its first call on.
      const auto [at, fresh] = after_.try_emplace(engine.ref.engine, first_ ? start : 0);
      AIMETER_CHECK_OK(follow(engine.ref.engine, at->second));
    }
    first_ = false;
    follow_refusals();
    frame_.console().out().flush();
    return {};
  }

 private:
  [[nodiscard]] Status follow(store::EngineId engine, store::Seq& after) {
    for (;;) {
      AIMETER_TRY(const std::vector<store::Settlement> calls,
                  reading_.store->feed({.engine = engine, .after = after}, kFeedMost));
      for (const store::Settlement& call : calls) {
        after = std::max(after, call.seq);
        if ((call.flags & store::kDetach) != 0 || (tenant_ && call.account.tenant != *tenant_)) {
          continue;
        }
        print(store::record_of(call, store::row_id(engine, call.seq)));
      }
      if (calls.size() < kFeedMost) return {};
    }
  }
  void print(const UsageRecord& record) {
    std::ostream& out = frame_.console().out();
    if (frame_.json()) {
      out << boost::json::serialize(object_of(record)) << '\n';
      return;
    }
    out << fmt::format("{}  {:<12} {}:{}  {}/{}  {} in {} out  {} {} {}\n",
                       text_of(record.occurred_at), record.account.tenant.text,
                       record.account.billable.type, record.account.billable.id, record.provider,
                       record.model, record.usage.input_tokens.count,
                       record.usage.output_tokens.count, record.total_cost.text(),
                       record.total_cost.currency, flags_of(record));
  }
  void follow_refusals() {
    const std::string dir = journal_dir(reading_.settings);
    std::ifstream in(app::refusal_file(dir), std::ios::binary);
    if (dir.empty() || !in) return;
    in.seekg(0, std::ios::end);
    const std::streamoff size = in.tellg();
    if (read_ < 0 && !options_.once) read_ = size;  // only what comes from now on
    if (read_ < 0 || size < read_) read_ = 0;
    in.seekg(read_);
    std::string line;
    while (std::getline(in, line) && !in.eof()) {
      read_ = in.tellg();
      print_refusal(line);
    }
  }
  void print_refusal(const std::string& line) {
    const Result<base::Json> json = base::Json::parse("refusals", line);
    if (!json) return;
    const auto text = [&](const char* key) {
      const base::Json* value = json->find(key);
      return value != nullptr && value->kind() == base::Json::Kind::string ? value->string()
                                                                           : std::string();
    };
    if (tenant_ && text("tenant") != tenant_->text) return;
    Console& console = frame_.console();
    if (frame_.json()) {
      console.out() << "{\"refused\":" << line << "}\n";
    } else {
      console.out() << fmt::format("{}  {:<12} {}:{}  {}: {}\n", text("at"), text("tenant"),
                                   text("billable_type"), text("billable_id"),
                                   console.paint(Style::red, "refused"), text("message"));
    }
  }

  Frame& frame_;
  Reading& reading_;
  const Options& options_;
  std::optional<TenantId> tenant_;
  std::map<store::EngineId, store::Seq> after_;
  bool first_ = true;
  std::streamoff read_ = -1;
};

Result<Exit> run(Frame& frame, const Options& options) {
  return with_store(frame, [&](Reading& reading) -> Result<Exit> {
    AIMETER_TRY(const std::optional<TenantId> tenant, options.tenant.reading());
    Follower follower(frame, reading, options, tenant);
    for (;;) {
      AIMETER_CHECK_OK(follower.round());
      if (options.once || frame.console().interrupted()) return Exit::done;
      std::this_thread::sleep_for(kPause);
    }
  });
}

}  // namespace

void add_tail(Frame& frame) {
  auto options = std::make_shared<Options>();
  CLI::App& app =
      frame.add({.name = "tail",
                 .about = "Calls and refusals as they come, until Ctrl-C",
                 .examples = {"aimeter tail --tenant acme", "aimeter tail --once --json"}},
                [&frame, options] { return run(frame, *options); });
  options->tenant.add_to(app);
  app.add_option("--last", options->last, "Begin with so many calls of each engine (10)");
  app.add_flag("--once", options->once, "Ends instead of waiting for more");
}

}  // namespace aimeter::cli
