// SQLite without its traps: one connection, prepared statements, failures as Error. The only
// include of sqlite3.h is in this room.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/result.h"

namespace seekroute {

// A prepared statement. Belongs to the thread of its connection; dies before it.
class Statement {
 public:
  Statement() = default;

  // The parameters, from the first on; text is copied. Call before the first Step().
  template <typename... Values>
  Statement& Bind(const Values&... values) {
    sqlite3_reset(handle_.get());
    int at = 0;
    (BindOne(++at, values), ...);
    return *this;
  }
  void BindOne(int at, int64_t value) { sqlite3_bind_int64(handle_.get(), at, value); }
  void BindOne(int at, std::string_view text) {
    sqlite3_bind_text64(handle_.get(), at, text.data() == nullptr ? "" : text.data(), text.size(),
                        SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  void BindOne(int at, const Mac& bytes) {
    sqlite3_bind_blob64(handle_.get(), at, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
  }
  void BindOne(int at, std::nullopt_t) { sqlite3_bind_null(handle_.get(), at); }
  void BindOne(int at, const std::optional<int64_t>& value) {
    value ? BindOne(at, *value) : BindOne(at, std::nullopt);
  }

  // SQLITE_ROW or SQLITE_DONE; else the failure. A statement that is done holds no lock.
  int Step();
  // Step() to the end; SQLITE_OK or the failure.
  int Run();

  int64_t Int(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  bool IsNull(int column) const {
    return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
  }
  bool IsInteger(int column) const {
    return sqlite3_column_type(handle_.get(), column) == SQLITE_INTEGER;
  }
  std::string Text(int column) const;
  Mac Blob(int column) const;  // of 32 bytes; zeros where there are not as many
  int columns() const { return sqlite3_column_count(handle_.get()); }
  const char* ColumnName(int column) const { return sqlite3_column_name(handle_.get(), column); }
  // Lets go of the read transaction before the end was reached.
  void Reset() { sqlite3_reset(handle_.get()); }

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

// One connection. Not thread-safe; may be moved between threads.
class Database {
 public:
  enum class Mode : uint8_t { kReadOnly, kWriter };

  Database() = default;
  Database(Database&&) = default;
  Database& operator=(Database&&) = default;

  // Opens the file at `path`; kWriter creates it and sets WAL and synchronous=FULL. Writers wait 5
  // s for one another, then fail with SQLITE_BUSY. `vfs` names a registered one, below the layer of
  // checksums; empty: the default. Fails for a database without checksums: it is not ours. Fails
  // for an empty file that has a log, and leaves both as they are.
  static Result<Database> Open(const std::string& path, Mode mode, const std::string& vfs = {});

  // `sql` is one statement, and a constant: values are bound.
  Result<Statement> Prepare(std::string_view sql);
  // Any number of statements without parameters; SQLITE_OK or the failure.
  int Execute(const std::string& sql);
  // Of a statement without parameters: the first column of its first row.
  Result<int64_t> QueryInt(std::string_view sql);

  // False: a failure has already rolled the transaction back, and a ROLLBACK would fail itself.
  bool in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }
  void RollbackIfOpen();

  sqlite3* handle() const { return handle_.get(); }
  int LastCode() const { return sqlite3_extended_errcode(handle_.get()); }
  // The last failure, with SQLite's own words. `doing` says what was tried.
  Error LastError(std::string_view doing) const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

// Whether what failed with `code` may succeed later, once it is rolled back: nothing of it is
// written. Of any other failure nobody knows what is on the disk.
bool IsTransient(int code);

// kStorageFull, kStorageCorrupt, or kStoreUnavailable for everything else.
Error StoreError(int code, std::string_view doing, std::string_view why);

}  // namespace seekroute
