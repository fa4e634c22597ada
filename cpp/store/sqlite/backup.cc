#include "store/sqlite/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/failpoint.h"

namespace seekroute {
namespace {

Error FileError(const std::string& doing) {
  const char* why = strerror(errno);  // NOLINT(concurrency-mt-unsafe)
  return MakeError(ErrorCode::kStoreUnavailable, doing + ": " + why);
}

// For the owner alone, as the ledger itself is: SQLite gives a file of its own making to whom the
// process's umask lets.
Status MakePrivate(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return FileError("creating " + path);
  close(fd);
  return Status();
}

// Copies all pages under one read transaction: in steps, a commit in between would restart it.
Status CopyPages(Database* from, const std::string& path) {
  Result<Database> to = Database::Open(path, Database::Mode::kWriter);
  if (!to) return to.error();
  if (to->Execute("PRAGMA journal_mode=DELETE") != SQLITE_OK) return to->LastError("backing up");
  sqlite3_backup* backup = sqlite3_backup_init(to->handle(), "main", from->handle(), "main");
  if (backup == nullptr) return to->LastError("backing up");
  const int step = sqlite3_backup_step(backup, -1);
  const int finish = sqlite3_backup_finish(backup);
  if (step != SQLITE_DONE || finish != SQLITE_OK) return to->LastError("backing up");
  return Status();
}

Status SyncFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError("opening " + path);
  const int synced = fsync(fd);
  close(fd);
  if (synced != 0) return FileError("writing " + path);
  return Status();
}

}  // namespace

Status BackUp(Database* from, const std::string& path) {
  const std::string part = path + ".part";
  unlink(part.c_str());
  Status copied = MakePrivate(part);
  if (copied.ok()) copied = CopyPages(from, part);
  SR_FAILPOINT("in_backup");  // the copy is there, under a name that means nothing
  if (copied.ok()) copied = SyncFile(part);
  // link() and not rename(): it refuses to take the place of a file that is there.
  if (copied.ok() && link(part.c_str(), path.c_str()) != 0) copied = FileError("creating " + path);
  unlink(part.c_str());
  unlink((part + "-journal").c_str());
  unlink((part + "-wal").c_str());
  unlink((part + "-shm").c_str());
  if (!copied.ok()) return copied;
  const size_t slash = path.rfind('/');
  return SyncFile(slash == std::string::npos ? "." : path.substr(0, slash + 1));
}

}  // namespace seekroute
