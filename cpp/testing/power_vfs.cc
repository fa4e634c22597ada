#include "testing/power_vfs.h"

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

#include "store/sqlite/vfs_layer.h"

namespace seekroute::testing {
namespace {

constexpr size_t kSector = 512;

// One write, or a truncation to `at` when it has no bytes.
struct Pending {
  size_t at = 0;
  std::string bytes;
  bool truncates = false;
};
struct Disk {
  std::string durable;
  std::vector<Pending> pending;
};

std::mutex mu;
std::map<std::string, Disk> disks;  // mu; by path
int countdown = 0;                  // mu
uint64_t seed = 0;                  // mu
std::string suffix;                 // mu
std::atomic<bool> fired{false};

void Apply(const Pending& op, size_t size, std::string* image) {
  if (op.truncates) {
    image->resize(op.at);
    return;
  }
  if (image->size() < op.at + size) image->resize(op.at + size);
  image->replace(op.at, size, op.bytes, 0, size);
}

// mu is held.
void PowerFails() {
  std::mt19937_64 rng(seed);  // NOLINT(cert-msc51-cpp): reproducible
  for (const auto& [path, disk] : disks) {
    std::string image = disk.durable;
    for (const Pending& op : disk.pending) {
      const uint64_t dice = rng() % 4;
      if (dice == 0) continue;  // lost
      const size_t sectors = op.bytes.size() / kSector;
      const bool torn = dice == 1 && sectors > 0;
      Apply(op, torn ? (rng() % (sectors + 1)) * kSector : op.bytes.size(), &image);
    }
    std::ofstream(path + suffix, std::ios::binary | std::ios::trunc) << image;
    // Written past SQLite and without a sync: at its furthest.
    std::ifstream mark(path + ".mark", std::ios::binary);
    if (mark) std::ofstream(path + ".mark" + suffix, std::ios::binary) << mark.rdbuf();
  }
  fired.store(true);
}

void CountDown() {
  if (countdown > 0 && --countdown == 0) PowerFails();
}

struct File {
  sqlite3_file base;
  sqlite3_file* real;
  const std::string* path;  // null: a file without a name, or one that need not last
};

sqlite3_file* Real(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real; }
Disk* Of(sqlite3_file* file) {
  const std::string* path = reinterpret_cast<File*>(file)->path;
  return path == nullptr ? nullptr : &disks[*path];
}

int Close(sqlite3_file* file) {
  sqlite3_file* real = Real(file);
  const int code = real->pMethods->xClose(real);
  delete reinterpret_cast<File*>(file)->path;
  std::free(real);
  return code;
}
int Write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  const int code = Real(file)->pMethods->xWrite(Real(file), from, size, at);
  const std::lock_guard<std::mutex> lock(mu);
  if (Disk* disk = Of(file)) {
    disk->pending.push_back({static_cast<size_t>(at),
                             {static_cast<const char*>(from), static_cast<size_t>(size)},
                             false});
    CountDown();
  }
  return code;
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  const int code = Real(file)->pMethods->xTruncate(Real(file), size);
  const std::lock_guard<std::mutex> lock(mu);
  if (Disk* disk = Of(file)) disk->pending.push_back({static_cast<size_t>(size), {}, true});
  return code;
}
int Sync(sqlite3_file* file, int flags) {
  const int code = Real(file)->pMethods->xSync(Real(file), flags);
  const std::lock_guard<std::mutex> lock(mu);
  if (Disk* disk = Of(file)) {
    for (const Pending& op : disk->pending) Apply(op, op.bytes.size(), &disk->durable);
    disk->pending.clear();
    CountDown();
  }
  return code;
}
int SectorSize(sqlite3_file*) { return kSector; }
int Characteristics(sqlite3_file*) { return 0; }  // the disk promises nothing

constexpr sqlite3_io_methods MakeMethods() {
  sqlite3_io_methods methods = PassedOn<Real>();
  methods.xClose = Close;
  methods.xWrite = Write;
  methods.xTruncate = Truncate;
  methods.xSync = Sync;
  methods.xSectorSize = SectorSize;
  methods.xDeviceCharacteristics = Characteristics;
  return methods;
}
constexpr sqlite3_io_methods kMethods = MakeMethods();

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* const inner = static_cast<sqlite3_vfs*>(vfs->pAppData);
  auto* const real =
      static_cast<sqlite3_file*>(std::calloc(1, static_cast<size_t>(inner->szOsFile)));
  file->pMethods = nullptr;
  const int code = inner->xOpen(inner, name, real, flags, out_flags);
  if (code != SQLITE_OK) {
    std::free(real);
    return code;
  }
  auto* const own = reinterpret_cast<File*>(file);
  own->real = real;
  constexpr int kLasting = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
  own->path = name != nullptr && (flags & kLasting) != 0 ? new std::string(name) : nullptr;
  if (own->path != nullptr) {
    const std::lock_guard<std::mutex> lock(mu);
    if (!disks.contains(*own->path)) {
      std::ifstream there(*own->path, std::ios::binary);
      disks[*own->path].durable = {std::istreambuf_iterator<char>(there),
                                   std::istreambuf_iterator<char>()};
    }
  }
  file->pMethods = &kMethods;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  auto* const inner = static_cast<sqlite3_vfs*>(vfs->pAppData);
  const std::lock_guard<std::mutex> lock(mu);
  disks.erase(name);
  return inner->xDelete(inner, name, sync_folder);
}

}  // namespace

PowerVfs::PowerVfs() {
  sqlite3_initialize();
  sqlite3_vfs* const inner = sqlite3_vfs_find(nullptr);
  static sqlite3_vfs vfs = *inner;  // all but opening and deleting is the real one's
  vfs.pNext = nullptr;
  vfs.zName = kName;
  vfs.pAppData = inner;
  vfs.szOsFile = sizeof(File);
  vfs.xOpen = Open;
  vfs.xDelete = Delete;
  sqlite3_vfs_register(&vfs, 0);
}

PowerVfs& PowerVfs::Get() {
  static PowerVfs vfs;
  return vfs;
}

void PowerVfs::FailAfter(int nth, uint64_t with_seed, const std::string& with_suffix) {
  const std::lock_guard<std::mutex> lock(mu);
  disks.clear();
  countdown = nth;
  seed = with_seed;
  suffix = with_suffix;
  fired.store(false);
}

bool PowerVfs::failed() const { return fired.load(); }

}  // namespace seekroute::testing
