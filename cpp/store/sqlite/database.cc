#include "store/sqlite/database.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "store/sqlite/checked_vfs.h"
#include "store/sqlite/gathered_vfs.h"

namespace seekroute {
namespace {

constexpr int kBusyMilliseconds = 5000;

bool CannotBeWritten(const std::string& folder) {
  return access(folder.c_str(), W_OK | X_OK) != 0 && (errno == EACCES || errno == EROFS);
}

bool HasBytes(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 && found.st_size > 0;
}

bool IsEmpty(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 && found.st_size == 0;
}

// As a URI: what SQLite reads of one is escaped.
std::string ImmutableUri(const std::string& path) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      const auto byte = static_cast<unsigned char>(c);
      uri += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

// What a reader opens. SQLite makes a log and its index beside a database even to read it; where
// the folder cannot be written and has neither, nobody writes, and the file is read as it stands.
Result<std::string> ReaderName(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (!CannotBeWritten(folder) || access((path + "-shm").c_str(), F_OK) == 0) return path;
  if (HasBytes(path + "-wal")) {
    return MakeError(ErrorCode::kStoreUnavailable,
                     path + "-wal has to be written back, and " + folder +
                         " cannot be written: copy the folder to one that can be, and read that");
  }
  return ImmutableUri(path);
}

}  // namespace

int Statement::Step() {
  const int code = sqlite3_step(handle_.get());
  if (code != SQLITE_ROW) sqlite3_reset(handle_.get());
  return code;
}

int Statement::Run() {
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) code = Step();
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

std::string Statement::Text(int column) const {
  // The text before its length: the other way round the length may be of another encoding.
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column));
  return text == nullptr ? std::string() : std::string(text, size);
}

Mac Statement::Blob(int column) const {
  Mac bytes{};
  const void* blob = sqlite3_column_blob(handle_.get(), column);
  const auto size = static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column));
  if (size == bytes.size()) std::memcpy(bytes.data(), blob, size);
  return bytes;
}

Result<Database> Database::Open(const std::string& path, Mode mode, const std::string& vfs) {
  if (IsEmpty(path) && HasBytes(path + "-wal")) {  // SQLite would remove the log
    return MakeError(ErrorCode::kStoreUnavailable,
                     path + " is empty, though " + path + "-wal is there: restore a backup of it");
  }
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |=
      mode == Mode::kWriter ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  const Result<std::string> name = mode == Mode::kWriter ? path : ReaderName(path);
  if (!name) return name.error();
  if (*name != path) flags |= SQLITE_OPEN_URI;
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(name->c_str(), &raw, flags, CheckedVfs(GatheredVfs(vfs)).c_str());
  Database db;
  db.handle_.reset(raw);  // also of a failed open
  if (code != SQLITE_OK) return db.LastError("opening " + path);
  sqlite3_busy_timeout(raw, kBusyMilliseconds);
  bool checked = false;
  sqlite3_file_control(raw, "main", kHasChecksums, &checked);
  if (!checked) {
    return MakeError(ErrorCode::kStoreUnavailable,
                     path +
                         " is not a ledger, or its header is damaged; name another file, or "
                         "restore a backup");
  }
  int reserved = kChecksumBytes;  // of a new file
  sqlite3_file_control(raw, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
  // References are checked by Verify and not row by row, which took a sixth of a request's time:
  // the journal itself looks up, in the same transaction, every number that it refers to.
  std::string setup = "PRAGMA page_size=4096; PRAGMA foreign_keys=OFF; PRAGMA trusted_schema=OFF;";
  if (mode == Mode::kWriter) {
    // 16 MiB of pages: a journal is written at its end, and a larger cache fills up for nothing.
    setup += "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16384;";
  }
  if (db.Execute(setup) != SQLITE_OK) return db.LastError("opening " + path);
  return db;
}

Result<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  Statement statement;
  statement.handle_.reset(raw);
  if (code != SQLITE_OK) return LastError("preparing a statement");
  return statement;
}

int Database::Execute(const std::string& sql) {
  return sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
}

Result<int64_t> Database::QueryInt(std::string_view sql) {
  Result<Statement> statement = Prepare(sql);
  if (!statement) return statement.error();
  const int code = statement->Step();
  if (code != SQLITE_ROW) return LastError("reading");
  const int64_t value = statement->Int(0);
  statement->Reset();
  return value;
}

void Database::RollbackIfOpen() {
  if (in_transaction()) Execute("ROLLBACK");
}

Error Database::LastError(std::string_view doing) const {
  const int code = LastCode();
  const char* const why = code == SQLITE_IOERR_DATA ? "a page has not the checksum it was given"
                                                    : sqlite3_errmsg(handle_.get());
  return StoreError(code, doing, why);
}

bool IsTransient(int code) {
  const int kind = code & 0xff;
  return kind == SQLITE_FULL || kind == SQLITE_BUSY || kind == SQLITE_NOMEM;
}

Error StoreError(int code, std::string_view doing, std::string_view why) {
  ErrorCode kind = ErrorCode::kStoreUnavailable;
  if ((code & 0xff) == SQLITE_FULL) kind = ErrorCode::kStorageFull;
  if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB ||
      code == SQLITE_IOERR_DATA) {
    kind = ErrorCode::kStorageCorrupt;
  }
  return MakeError(kind, "the ledger failed while " + std::string(doing) + ": " + std::string(why) +
                             " (SQLite " + std::to_string(code) + ")");
}

}  // namespace seekroute
