#include "tests/sim/process_files.h"

#include <map>

namespace aimeter::sim {

struct ProcessFiles::Life {
  bool alive = true;
  std::uint64_t next_lock = 1;
  std::map<std::uint64_t, std::unique_ptr<base::FileLock>> locks = {};

  [[nodiscard]] Status check() const {
    if (alive) return {};
    return fail(Code::unavailable, "the process is gone");
  }
};

class ProcessFile final : public base::File {
 public:
  ProcessFile(std::unique_ptr<base::File> file, std::shared_ptr<ProcessFiles::Life> life)
      : file_(std::move(file)), life_(std::move(life)) {}

  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    AIMETER_CHECK_OK(life_->check());
    return file_->write_at(offset, bytes);
  }
  Result<std::string> read_at(std::uint64_t offset, std::size_t count) override {
    AIMETER_CHECK_OK(life_->check());
    return file_->read_at(offset, count);
  }
  Status allocate(std::uint64_t size) override {
    AIMETER_CHECK_OK(life_->check());
    return file_->allocate(size);
  }
  Status truncate(std::uint64_t size) override {
    AIMETER_CHECK_OK(life_->check());
    return file_->truncate(size);
  }
  Status sync() override {
    AIMETER_CHECK_OK(life_->check());
    return file_->sync();
  }
  Result<std::uint64_t> size() override {
    AIMETER_CHECK_OK(life_->check());
    return file_->size();
  }

 private:
  std::unique_ptr<base::File> file_;
  std::shared_ptr<ProcessFiles::Life> life_;
};

class ProcessLock final : public base::FileLock {
 public:
  ProcessLock(std::shared_ptr<ProcessFiles::Life> life, std::uint64_t number)
      : life_(std::move(life)), number_(number) {}
  ~ProcessLock() override { life_->locks.erase(number_); }

 private:
  std::shared_ptr<ProcessFiles::Life> life_;
  std::uint64_t number_;
};

ProcessFiles::ProcessFiles(base::Files& disk) : disk_(disk), life_(std::make_shared<Life>()) {}
ProcessFiles::~ProcessFiles() = default;

Status ProcessFiles::alive() const { return life_->check(); }

void ProcessFiles::gone() {
  life_->alive = false;
  life_->locks.clear();
}

Result<std::unique_ptr<base::File>> ProcessFiles::open(const std::string& path,
                                                       base::OpenMode mode) {
  AIMETER_CHECK_OK(alive());
  AIMETER_TRY(std::unique_ptr<base::File> file, disk_.open(path, mode));
  return std::make_unique<ProcessFile>(std::move(file), life_);
}
Status ProcessFiles::make_folder(const std::string& path) {
  AIMETER_CHECK_OK(alive());
  return disk_.make_folder(path);
}
Result<std::vector<std::string>> ProcessFiles::list(const std::string& folder) {
  AIMETER_CHECK_OK(alive());
  return disk_.list(folder);
}
Status ProcessFiles::remove(const std::string& path) {
  AIMETER_CHECK_OK(alive());
  return disk_.remove(path);
}
Status ProcessFiles::sync_folder(const std::string& path) {
  AIMETER_CHECK_OK(alive());
  return disk_.sync_folder(path);
}
Result<std::unique_ptr<base::FileLock>> ProcessFiles::try_lock(const std::string& path) {
  AIMETER_CHECK_OK(alive());
  AIMETER_TRY(std::unique_ptr<base::FileLock> held, disk_.try_lock(path));
  if (held == nullptr) return held;
  const std::uint64_t number = life_->next_lock++;
  life_->locks[number] = std::move(held);
  return std::make_unique<ProcessLock>(life_, number);
}
Result<std::unique_ptr<base::FileLock>> ProcessFiles::lock(const std::string& path) {
  return try_lock(path);
}
Result<bool> ProcessFiles::is_network(const std::string& path) { return disk_.is_network(path); }

}  // namespace aimeter::sim
