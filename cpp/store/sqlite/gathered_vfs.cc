#include "store/sqlite/gathered_vfs.h"

#include <sqlite3.h>

#include <vector>

namespace seekroute {
namespace {

// SQLite's own layer for Unix cuts off what is beyond 128 KiB, and reports a full disk.
constexpr size_t kMostGathered = 120u << 10;

struct Layer {
  sqlite3_vfs vfs;
  std::string name;
};

// A log. Before the file of the layer below, which SQLite has allocated with it.
struct File {
  sqlite3_file base;
  std::vector<char>* waiting;  // owned
  sqlite3_int64 at;            // where it begins
};
constexpr int kOwnBytes = (sizeof(File) + 15) / 16 * 16;

sqlite3_vfs* Below(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }
File* Own(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* Real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + kOwnBytes);
}
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

int Lock(sqlite3_file* file, int level) { return MethodsOf(file)->xLock(Real(file), level); }
int Unlock(sqlite3_file* file, int level) { return MethodsOf(file)->xUnlock(Real(file), level); }
int CheckReservedLock(sqlite3_file* file, int* out) {
  return MethodsOf(file)->xCheckReservedLock(Real(file), out);
}
int FileControl(sqlite3_file* file, int op, void* argument) {
  return MethodsOf(file)->xFileControl(Real(file), op, argument);
}
int SectorSize(sqlite3_file* file) { return MethodsOf(file)->xSectorSize(Real(file)); }
int Characteristics(sqlite3_file* file) {
  return MethodsOf(file)->xDeviceCharacteristics(Real(file));
}

// Version 1: a log has no shared memory of its own and is not mapped.
const sqlite3_io_methods kMethods = {1,
                                     Close,
                                     Read,
                                     Write,
                                     Truncate,
                                     Sync,
                                     FileSize,
                                     Lock,
                                     Unlock,
                                     CheckReservedLock,
                                     FileControl,
                                     SectorSize,
                                     Characteristics,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr};

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  sqlite3_vfs* const inner = Below(vfs);
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

// The layer below finds its own state in the vfs that it is called with.
int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  return Below(vfs)->xDelete(Below(vfs), name, sync_folder);
}
int Access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
  return Below(vfs)->xAccess(Below(vfs), name, flags, out);
}
int FullPathname(sqlite3_vfs* vfs, const char* name, int size, char* out) {
  return Below(vfs)->xFullPathname(Below(vfs), name, size, out);
}

}  // namespace

std::string GatheredVfs(const std::string& inner) {
  sqlite3_initialize();
  std::string name = "seekroute-gathered" + (inner.empty() ? inner : "-" + inner);
  sqlite3_mutex* const mu = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP2);
  sqlite3_mutex_enter(mu);
  sqlite3_vfs* const below = sqlite3_vfs_find(inner.empty() ? nullptr : inner.c_str());
  if (below != nullptr && sqlite3_vfs_find(name.c_str()) == nullptr) {
    auto* const layer = new Layer{*below, name};  // SQLite's from here on: it is never taken back
    layer->vfs.pNext = nullptr;
    layer->vfs.zName = layer->name.c_str();
    layer->vfs.pAppData = below;
    layer->vfs.szOsFile = kOwnBytes + below->szOsFile;
    layer->vfs.xOpen = Open;
    layer->vfs.xDelete = Delete;
    layer->vfs.xAccess = Access;
    layer->vfs.xFullPathname = FullPathname;
    sqlite3_vfs_register(&layer->vfs, 0);
  }
  sqlite3_mutex_leave(mu);
  return name;
}

}  // namespace seekroute
