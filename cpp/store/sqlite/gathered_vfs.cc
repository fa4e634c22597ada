#include "store/sqlite/gathered_vfs.h"

#include <vector>

#include "store/sqlite/vfs_layer.h"

namespace seekroute {
namespace {

// SQLite's own layer for Unix cuts off what is beyond 128 KiB, and reports a full disk.
constexpr size_t kMostGathered = 120u << 10;

// A log.
struct File {
  sqlite3_file base;
  std::vector<char>* waiting;  // owned
  sqlite3_int64 at;            // where it begins
};

File* Own(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* Real(sqlite3_file* file) { return FileBelow<File>(file); }
const sqlite3_io_methods* MethodsOf(sqlite3_file* file) { return Real(file)->pMethods; }

int WriteWaiting(sqlite3_file* file) {
  std::vector<char>& waiting = *Own(file)->waiting;
  if (waiting.empty()) return SQLITE_OK;
  const int code = MethodsOf(file)->xWrite(Real(file), waiting.data(),
                                           static_cast<int>(waiting.size()), Own(file)->at);
  waiting.clear();  // also of a failure: SQLite writes the frames of its next attempt anew
  return code;
}

int Close(sqlite3_file* file) {
  // What nobody has synced was never committed, but a file that is whole is easier to look at.
  const int written = WriteWaiting(file);
  delete Own(file)->waiting;
  const int closed = MethodsOf(file)->xClose(Real(file));
  return written == SQLITE_OK ? closed : written;
}

int Read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  const int code = WriteWaiting(file);
  return code != SQLITE_OK ? code : MethodsOf(file)->xRead(Real(file), to, size, at);
}

int Write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  std::vector<char>& waiting = *Own(file)->waiting;
  const auto more = static_cast<size_t>(size);
  const bool follows = at == Own(file)->at + static_cast<sqlite3_int64>(waiting.size());
  if (!follows || waiting.size() + more > kMostGathered) {
    const int code = WriteWaiting(file);
    if (code != SQLITE_OK) return code;
  }
  if (waiting.empty()) Own(file)->at = at;
  const auto* bytes = static_cast<const char*>(from);
  waiting.insert(waiting.end(), bytes, bytes + more);
  return SQLITE_OK;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  const int code = WriteWaiting(file);
  return code != SQLITE_OK ? code : MethodsOf(file)->xTruncate(Real(file), size);
}

int Sync(sqlite3_file* file, int flags) {
  const int code = WriteWaiting(file);
  return code != SQLITE_OK ? code : MethodsOf(file)->xSync(Real(file), flags);
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  const int code = WriteWaiting(file);
  return code != SQLITE_OK ? code : MethodsOf(file)->xFileSize(Real(file), size);
}

constexpr sqlite3_io_methods MakeMethods() {
  sqlite3_io_methods methods = PassedOn<Real>();
  methods.iVersion = 1;  // a log has no shared memory of its own
  methods.xClose = Close;
  methods.xRead = Read;
  methods.xWrite = Write;
  methods.xTruncate = Truncate;
  methods.xSync = Sync;
  methods.xFileSize = FileSize;
  return methods;
}
constexpr sqlite3_io_methods kMethods = MakeMethods();

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  sqlite3_vfs* const inner = VfsBelow(vfs);
  // Only a log: every other file is the one of the layer below.
  if ((flags & SQLITE_OPEN_WAL) == 0) return inner->xOpen(inner, name, file, flags, out_flags);
  file->pMethods = nullptr;
  const int code = inner->xOpen(inner, name, Real(file), flags, out_flags);
  if (code != SQLITE_OK) return code;
  Own(file)->waiting = new std::vector<char>();
  Own(file)->at = 0;
  file->pMethods = &kMethods;
  return SQLITE_OK;
}

}  // namespace

std::string GatheredVfs(const std::string& inner) {
  return RegisterLayer("seekroute-gathered", inner, kOwnBytes<File>, Open);
}

}  // namespace seekroute
