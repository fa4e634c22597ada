#include "store/sqlite/checked_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace seekroute {
namespace {

constexpr int kPageBytes = 4096;
constexpr int kCoveredBytes = kPageBytes - kChecksumBytes;
constexpr int kReservedAt = 20;  // in the file's header: bytes at the end of a page not SQLite's

struct Layer {
  sqlite3_vfs vfs;
  std::string name;
};

// Before the file of the layer below, which SQLite has allocated with it.
struct File {
  sqlite3_file base;
  bool database;  // false: a log or a journal, which are passed on as they are
  bool checked;
};
constexpr int kOwnBytes = (sizeof(File) + 15) / 16 * 16;

File* Own(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* Real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + kOwnBytes);
}

// Every step is one-to-one in the state before it, so no change of a single word gets lost.
uint64_t ChecksumOf(const unsigned char* page, uint64_t number) {
  uint64_t sum = number * 0x9E3779B97F4A7C15U + 1;
  for (int at = 0; at < kCoveredBytes; at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, page + at, sizeof word);
    sum = (sum ^ word) * 0xD6E8FEB86659FD93U;
    sum ^= sum >> 32;
  }
  return sum;
}

bool IsWholePage(int size, sqlite3_int64 at) { return size == kPageBytes && at % kPageBytes == 0; }

// A page that was given up before it was ever written is a hole in the file.
bool IsHole(const unsigned char* page) {
  return std::all_of(page, page + kPageBytes, [](unsigned char byte) { return byte == 0; });
}

int Close(sqlite3_file* file) { return Real(file)->pMethods->xClose(Real(file)); }

int Read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  const int code = Real(file)->pMethods->xRead(Real(file), to, size, at);
  if (!Own(file)->checked || size < 512) return code;
  if (code == SQLITE_IOERR_SHORT_READ) {
    // SQLite would take what is missing for zeros. Nothing is missing of a file that is new.
    sqlite3_int64 whole = 0;
    const int asked = Real(file)->pMethods->xFileSize(Real(file), &whole);
    return asked == SQLITE_OK && whole == 0 ? code : SQLITE_IOERR_DATA;
  }
  if (code != SQLITE_OK) return code;
  if (!IsWholePage(size, at)) return SQLITE_IOERR_DATA;  // its header tells of another page size
  const auto* page = static_cast<const unsigned char*>(to);
  uint64_t stored = 0;
  std::memcpy(&stored, page + kCoveredBytes, sizeof stored);
  const bool sound =
      stored == ChecksumOf(page, static_cast<uint64_t>(at / kPageBytes)) || IsHole(page);
  return sound ? SQLITE_OK : SQLITE_IOERR_DATA;
}

int Write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  if (!Own(file)->checked || !IsWholePage(size, at)) {
    return Real(file)->pMethods->xWrite(Real(file), from, size, at);
  }
  unsigned char page[kPageBytes];
  std::memcpy(page, from, kPageBytes);
  const uint64_t sum = ChecksumOf(page, static_cast<uint64_t>(at / kPageBytes));
  std::memcpy(page + kCoveredBytes, &sum, sizeof sum);
  return Real(file)->pMethods->xWrite(Real(file), page, size, at);
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  return Real(file)->pMethods->xTruncate(Real(file), size);
}
int Sync(sqlite3_file* file, int flags) { return Real(file)->pMethods->xSync(Real(file), flags); }
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
  if (op == kHasChecksums) {
    *static_cast<bool*>(arg) = Own(file)->checked;
    return SQLITE_OK;
  }
  return Real(file)->pMethods->xFileControl(Real(file), op, arg);
}
int SectorSize(sqlite3_file* file) { return Real(file)->pMethods->xSectorSize(Real(file)); }
int Characteristics(sqlite3_file* file) {
  return Real(file)->pMethods->xDeviceCharacteristics(Real(file));
}
int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return Real(file)->pMethods->xShmMap(Real(file), page, size, extend, out);
}
int ShmLock(sqlite3_file* file, int offset, int n, int flags) {
  return Real(file)->pMethods->xShmLock(Real(file), offset, n, flags);
}
void ShmBarrier(sqlite3_file* file) { Real(file)->pMethods->xShmBarrier(Real(file)); }
int ShmUnmap(sqlite3_file* file, int drop) {
  return Real(file)->pMethods->xShmUnmap(Real(file), drop);
}

// Version 2: no memory-mapped reads, which would pass the checksums by.
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

// True for an empty file, for one whose header says that its pages have room for checksums, and for
// one that is no database: SQLite tells that better.
int FindOut(sqlite3_file* real, bool* checked) {
  sqlite3_int64 size = 0;
  int code = real->pMethods->xFileSize(real, &size);
  if (code != SQLITE_OK) return code;
  *checked = size == 0;
  if (size <= kReservedAt) return SQLITE_OK;
  char header[kReservedAt + 1] = {};
  code = real->pMethods->xRead(real, header, sizeof header, 0);
  constexpr char kMagic[] = "SQLite format 3";
  const bool database = std::memcmp(header, kMagic, sizeof kMagic) == 0;
  *checked = code == SQLITE_OK && (!database || header[kReservedAt] == kChecksumBytes);
  return code;
}

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* const inner = static_cast<sqlite3_vfs*>(vfs->pAppData);
  file->pMethods = nullptr;
  int code = inner->xOpen(inner, name, Real(file), flags, out_flags);
  if (code != SQLITE_OK) return code;
  Own(file)->database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
  Own(file)->checked = false;
  if (Own(file)->database) code = FindOut(Real(file), &Own(file)->checked);
  if (code != SQLITE_OK) {
    Real(file)->pMethods->xClose(Real(file));
    return code;
  }
  file->pMethods = &kMethods;
  return SQLITE_OK;
}

sqlite3_vfs* Below(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

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

std::string CheckedVfs(const std::string& inner) {
  sqlite3_initialize();
  std::string name = "seekroute-checked" + (inner.empty() ? inner : "-" + inner);
  sqlite3_mutex* const mu = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1);
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
