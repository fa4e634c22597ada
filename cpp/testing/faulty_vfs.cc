#include "testing/faulty_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace seekroute::testing {
namespace {

std::atomic<DiskFault> armed{DiskFault::kNone};
std::atomic<int> countdown{0};
std::atomic<bool> fired{false};

// What SQLite is given: our methods, and behind them the real file.
struct File {
  sqlite3_file base;
  sqlite3_file* real;
};

sqlite3_file* Real(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real; }

// Counts one operation of the armed sort. True: this one fails.
bool Fails() {
  const DiskFault fault = armed.load();
  if (fault == DiskFault::kNone) return false;
  const int left = --countdown;
  if (left > 0 || (left < 0 && fault != DiskFault::kFull)) return false;
  fired.store(true);
  return true;
}

int Close(sqlite3_file* file) {
  sqlite3_file* real = Real(file);
  const int code = real->pMethods->xClose(real);
  std::free(real);
  return code;
}
int Read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  return Real(file)->pMethods->xRead(Real(file), to, size, at);
}
int Write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  const DiskFault fault = armed.load();
  if (fault != DiskFault::kBusy && Fails()) {
    if (fault == DiskFault::kFull) return SQLITE_FULL;
    if (fault == DiskFault::kTorn) {
      Real(file)->pMethods->xWrite(Real(file), from, size / 2, at);
    }
    return SQLITE_IOERR_WRITE;
  }
  return Real(file)->pMethods->xWrite(Real(file), from, size, at);
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  return Real(file)->pMethods->xTruncate(Real(file), size);
}
int Sync(sqlite3_file* file, int flags) {
  const DiskFault fault = armed.load();
  if ((fault == DiskFault::kFull || fault == DiskFault::kIoError) && Fails()) {
    return fault == DiskFault::kFull ? SQLITE_FULL : SQLITE_IOERR_FSYNC;
  }
  return Real(file)->pMethods->xSync(Real(file), flags);
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Real(file)->pMethods->xFileSize(Real(file), size);
}
int Lock(sqlite3_file* file, int level) { return Real(file)->pMethods->xLock(Real(file), level); }
int Unlock(sqlite3_file* file, int level) {
  return Real(file)->pMethods->xUnlock(Real(file), level);
}
int CheckReservedLock(sqlite3_file* file, int* out) {
  return Real(file)->pMethods->xCheckReservedLock(Real(file), out);
}
int FileControl(sqlite3_file* file, int op, void* arg) {
  return Real(file)->pMethods->xFileControl(Real(file), op, arg);
}
int SectorSize(sqlite3_file* file) { return Real(file)->pMethods->xSectorSize(Real(file)); }
int Characteristics(sqlite3_file* file) {
  return Real(file)->pMethods->xDeviceCharacteristics(Real(file));
}
int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return Real(file)->pMethods->xShmMap(Real(file), page, size, extend, out);
}
// Where connections of a WAL meet.
int ShmLock(sqlite3_file* file, int offset, int n, int flags) {
  const bool takes = (flags & SQLITE_SHM_LOCK) != 0 && (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  if (takes && armed.load() == DiskFault::kBusy && Fails()) return SQLITE_BUSY;
  return Real(file)->pMethods->xShmLock(Real(file), offset, n, flags);
}
void ShmBarrier(sqlite3_file* file) { Real(file)->pMethods->xShmBarrier(Real(file)); }
int ShmUnmap(sqlite3_file* file, int drop) {
  return Real(file)->pMethods->xShmUnmap(Real(file), drop);
}

const sqlite3_io_methods kMethods = {2,
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
                                     ShmMap,
                                     ShmLock,
                                     ShmBarrier,
                                     ShmUnmap,
                                     nullptr,
                                     nullptr};

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* const inner = static_cast<sqlite3_vfs*>(vfs->pAppData);
  auto* const real =
      static_cast<sqlite3_file*>(std::calloc(1, static_cast<size_t>(inner->szOsFile)));
  const int code = inner->xOpen(inner, name, real, flags, out_flags);
  file->pMethods = nullptr;
  if (code != SQLITE_OK) {
    std::free(real);
    return code;
  }
  reinterpret_cast<File*>(file)->real = real;
  file->pMethods = &kMethods;
  return SQLITE_OK;
}

}  // namespace

FaultyVfs::FaultyVfs() {
  sqlite3_initialize();
  sqlite3_vfs* const inner = sqlite3_vfs_find(nullptr);
  static sqlite3_vfs vfs = *inner;  // all but opening is the real one's
  vfs.pNext = nullptr;
  vfs.zName = kName;
  vfs.pAppData = inner;
  vfs.szOsFile = sizeof(File);
  vfs.xOpen = Open;
  sqlite3_vfs_register(&vfs, 0);
}

FaultyVfs& FaultyVfs::Get() {
  static FaultyVfs vfs;
  return vfs;
}

void FaultyVfs::Arm(DiskFault fault, int nth) {
  armed.store(DiskFault::kNone);
  countdown.store(nth);
  fired.store(false);
  armed.store(fault);
}

void FaultyVfs::Repair() { armed.store(DiskFault::kNone); }

bool FaultyVfs::happened() const { return fired.load(); }

}  // namespace seekroute::testing
