#include "testing/faulty_vfs.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "store/sqlite/vfs_layer.h"

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
int Sync(sqlite3_file* file, int flags) {
  const DiskFault fault = armed.load();
  if ((fault == DiskFault::kFull || fault == DiskFault::kIoError) && Fails()) {
    return fault == DiskFault::kFull ? SQLITE_FULL : SQLITE_IOERR_FSYNC;
  }
  return Real(file)->pMethods->xSync(Real(file), flags);
}
// Where connections of a WAL meet.
int ShmLock(sqlite3_file* file, int offset, int n, int flags) {
  const bool takes = (flags & SQLITE_SHM_LOCK) != 0 && (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  if (takes && armed.load() == DiskFault::kBusy && Fails()) return SQLITE_BUSY;
  return Real(file)->pMethods->xShmLock(Real(file), offset, n, flags);
}

constexpr sqlite3_io_methods MakeMethods() {
  sqlite3_io_methods methods = PassedOn<Real>();
  methods.xClose = Close;
  methods.xWrite = Write;
  methods.xSync = Sync;
  methods.xShmLock = ShmLock;
  return methods;
}
constexpr sqlite3_io_methods kMethods = MakeMethods();

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
