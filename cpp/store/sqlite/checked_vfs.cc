#include "store/sqlite/checked_vfs.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "store/sqlite/vfs_layer.h"

namespace seekroute {
namespace {

constexpr int kPageBytes = 4096;
constexpr int kCoveredBytes = kPageBytes - kChecksumBytes;
constexpr int kReservedAt = 20;  // in the file's header: bytes at the end of a page not SQLite's

struct File {
  sqlite3_file base;
  bool database;  // false: a log or a journal, which are passed on as they are
  bool checked;
};

File* Own(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* Real(sqlite3_file* file) { return FileBelow<File>(file); }

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

int FileControl(sqlite3_file* file, int op, void* arg) {
  if (op == kHasChecksums) {
    *static_cast<bool*>(arg) = Own(file)->checked;
    return SQLITE_OK;
  }
  return Real(file)->pMethods->xFileControl(Real(file), op, arg);
}

constexpr sqlite3_io_methods MakeMethods() {
  sqlite3_io_methods methods = PassedOn<Real>();
  methods.xRead = Read;
  methods.xWrite = Write;
  methods.xFileControl = FileControl;
  return methods;
}
constexpr sqlite3_io_methods kMethods = MakeMethods();

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
  sqlite3_vfs* const inner = VfsBelow(vfs);
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

}  // namespace

std::string CheckedVfs(const std::string& inner) {
  return RegisterLayer("seekroute-checked", inner, kOwnBytes<File>, Open);
}

}  // namespace seekroute
