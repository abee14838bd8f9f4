// Package:       tests
// Units:         time-outs in milliseconds.
// Errors:        a program that cannot be started, or says nothing in time, fails the running test.
// Thread safety: a Program belongs to one thread.
// Ownership:     a Folder removes itself with all in it; a Program that still runs is killed.
//
// Programs as children, with what they print: our own `aimeter`, and this test program again.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"

namespace aimeter::flow {

inline const std::string kAimeter = AIMETER_BINARY_DIR "/bin/aimeter";

class Folder {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() /
              ("aimeter-flow-" + base::hex(base::random_bytes(8)))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] std::string dsn() const { return "sqlite:" + file("usage.db"); }
  [[nodiscard]] std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(file(name), std::ios::binary) << text;
    return file(name);
  }

 private:
  std::filesystem::path path_;
};

class Program {
 public:
  // Standard output comes here; standard error goes into `err_file`, or nowhere.
  explicit Program(std::vector<std::string> words, const std::string& err_file = "/dev/null") {
    int ends[2];
    if (pipe(ends) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      close(ends[1]);
      if (freopen(err_file.c_str(), "w", stderr) == nullptr) _exit(126);
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    close(ends[1]);
    out_ = ends[0];
  }
  ~Program() {
    if (pid_ > 0) kill();
    if (out_ >= 0) close(out_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // The next whole line; nothing at the end, or when none came in time.
  std::optional<std::string> line(int timeout_ms = 60'000) {
    for (;;) {
      if (const std::size_t end = text_.find('\n'); end != std::string::npos) {
        std::string found = text_.substr(0, end);
        text_.erase(0, end + 1);
        return found;
      }
      if (!more(timeout_ms)) return std::nullopt;
    }
  }
  // Everything up to the end.
  std::string rest(int timeout_ms = 120'000) {
    while (more(timeout_ms)) continue;
    return std::exchange(text_, {});
  }
  void kill() {  // -9
    ::kill(pid_, SIGKILL);
    (void)wait();
  }
  void interrupt() { ::kill(pid_, SIGINT); }
  // The exit code; 128 + signal of one that was killed.
  int wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  bool more(int timeout_ms) {
    pollfd wanted{.fd = out_, .events = POLLIN, .revents = 0};
    if (poll(&wanted, 1, timeout_ms) <= 0) {
      ADD_FAILURE() << "the program says nothing for " << timeout_ms << " ms";
      return false;
    }
    char buffer[65'536];
    const ssize_t count = read(out_, buffer, sizeof buffer);
    if (count <= 0) return false;
    text_.append(buffer, static_cast<std::size_t>(count));
    return true;
  }

  pid_t pid_ = -1;
  int out_ = -1;
  std::string text_;
};

struct Ran {
  int exit = 0;
  std::string out = {}, err = {};
};
inline Ran run(const Folder& folder, std::vector<std::string> words) {
  words.insert(words.begin(), kAimeter);
  Program program(std::move(words), folder.file("stderr"));
  Ran ran;
  ran.out = program.rest();
  ran.exit = program.wait();
  std::ifstream err(folder.file("stderr"));
  ran.err.assign(std::istreambuf_iterator<char>(err), {});
  return ran;
}

}  // namespace aimeter::flow
