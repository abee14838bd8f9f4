#include "cli/maintenance.h"

#include <fmt/format.h>

#include <ostream>

#include "cli/progress.h"

namespace aimeter::cli {

Result<Sliced> in_slices(Frame& frame, store::Store& store, const std::string& label,
                         const std::function<store::ChangeBody()>& change) {
  Sliced sliced;
  Progress progress(frame.console(), label, std::nullopt);
  for (;;) {
    if (frame.console().interrupted()) {
      sliced.interrupted = true;
      return sliced;
    }
    AIMETER_TRY(const store::Changed changed, store.change({change(), "cli"}));
    sliced.rows += changed.rows;
    progress.at(sliced.rows);
    if (!changed.more) return sliced;
  }
}

Exit finish_slices(Frame& frame, const std::string& label, const Sliced& sliced) {
  if (frame.json()) {
    print_json(frame,
               fmt::format(R"({{"rows":{},"interrupted":{}}})", sliced.rows, sliced.interrupted));
  } else {
    frame.console().out() << fmt::format("{}: {} rows\n", label, sliced.rows);
  }
  if (!sliced.interrupted) return Exit::done;
  frame.console().warn("interrupted; run it again to go on");
  return Exit::partly;
}

}  // namespace aimeter::cli
