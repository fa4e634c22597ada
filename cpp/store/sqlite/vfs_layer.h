// What file system layers of SQLite have in common: what a layer does not change it passes on.
#pragma once

#include <sqlite3.h>

#include <string>

namespace seekroute {

using OpenFile = int (*)(sqlite3_vfs*, const char*, sqlite3_file*, int, int*);

// Registers a layer over the VFS that is named `inner` (empty: the default one) with SQLite, for
// the life of the process, and returns its name, `prefix` and the inner one's. `open` is called
// with a vfs whose pAppData is the layer below and a file of `own_bytes` more than that one's. At
// the next call nothing is done. Thread-safe.
std::string RegisterLayer(const std::string& prefix, const std::string& inner, int own_bytes,
                          OpenFile open);

inline sqlite3_vfs* VfsBelow(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

// A layer's own part of a file, `File`, stands before the file of the layer below.
template <typename File>
inline constexpr int kOwnBytes = (sizeof(File) + 15) / 16 * 16;
template <typename File>
sqlite3_file* FileBelow(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + kOwnBytes<File>);
}

// The methods of a file that does nothing of its own: each is called on `real(file)`. Version 2: no
// memory-mapped reads, which would pass a layer by.
template <sqlite3_file* (*real)(sqlite3_file*)>
constexpr sqlite3_io_methods PassedOn() {
  sqlite3_io_methods all{};
  all.iVersion = 2;
  all.xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); };
  all.xRead = [](sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
    return real(f)->pMethods->xRead(real(f), to, size, at);
  };
  all.xWrite = [](sqlite3_file* f, const void* from, int size, sqlite3_int64 at) {
    return real(f)->pMethods->xWrite(real(f), from, size, at);
  };
  all.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
    return real(f)->pMethods->xTruncate(real(f), size);
  };
  all.xSync = [](sqlite3_file* f, int flags) { return real(f)->pMethods->xSync(real(f), flags); };
  all.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
    return real(f)->pMethods->xFileSize(real(f), size);
  };
  all.xLock = [](sqlite3_file* f, int level) { return real(f)->pMethods->xLock(real(f), level); };
  all.xUnlock = [](sqlite3_file* f, int level) {
    return real(f)->pMethods->xUnlock(real(f), level);
  };
  all.xCheckReservedLock = [](sqlite3_file* f, int* out) {
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
  };
  all.xFileControl = [](sqlite3_file* f, int op, void* argument) {
    return real(f)->pMethods->xFileControl(real(f), op, argument);
  };
  all.xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); };
  all.xDeviceCharacteristics = [](sqlite3_file* f) {
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
  };
  all.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
  };
  all.xShmLock = [](sqlite3_file* f, int offset, int n, int flags) {
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
  };
  all.xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); };
  all.xShmUnmap = [](sqlite3_file* f, int drop) {
    return real(f)->pMethods->xShmUnmap(real(f), drop);
  };
  return all;
}

}  // namespace seekroute
