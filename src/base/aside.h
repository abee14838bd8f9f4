// Package:       base
// Units:         none
// Errors:        aside: where the system gives no thread, it is logged and the work not done.
// Thread safety: any thread.
// Ownership:     none.
//
// Work that must not happen on a thread of Workers, such as stopping them: a thread cannot wait for
// its own end.
#pragma once

#include <functional>

namespace aimeter::base {

// Until the calling thread ends. Workers mark theirs.
void mark_worker_thread();
[[nodiscard]] bool on_worker_thread();

// Runs `work` on a thread of its own, one after the other. The process ends after the last.
void aside(std::move_only_function<void()> work);

}  // namespace aimeter::base
