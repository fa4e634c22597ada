#include "store/sqlite/vfs_layer.h"

namespace seekroute {
namespace {

struct Layer {
  sqlite3_vfs vfs;
  std::string name;
};

// The layer below finds its own state in the vfs that it is called with.
int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  return VfsBelow(vfs)->xDelete(VfsBelow(vfs), name, sync_folder);
}
int Access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
  return VfsBelow(vfs)->xAccess(VfsBelow(vfs), name, flags, out);
}
int FullPathname(sqlite3_vfs* vfs, const char* name, int size, char* out) {
  return VfsBelow(vfs)->xFullPathname(VfsBelow(vfs), name, size, out);
}

}  // namespace

std::string RegisterLayer(const std::string& prefix, const std::string& inner, int own_bytes,
                          OpenFile open) {
  sqlite3_initialize();
  std::string name = prefix + (inner.empty() ? inner : "-" + inner);
  sqlite3_mutex* const mu = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1);
  sqlite3_mutex_enter(mu);
  sqlite3_vfs* const below = sqlite3_vfs_find(inner.empty() ? nullptr : inner.c_str());
  if (below != nullptr && sqlite3_vfs_find(name.c_str()) == nullptr) {
    auto* const layer = new Layer{*below, name};  // SQLite's from here on: it is never taken back
    layer->vfs.pNext = nullptr;
    layer->vfs.zName = layer->name.c_str();
    layer->vfs.pAppData = below;
    layer->vfs.szOsFile = own_bytes + below->szOsFile;
    layer->vfs.xOpen = open;
    layer->vfs.xDelete = Delete;
    layer->vfs.xAccess = Access;
    layer->vfs.xFullPathname = FullPathname;
    sqlite3_vfs_register(&layer->vfs, 0);
  }
  sqlite3_mutex_leave(mu);
  return name;
}

}  // namespace seekroute
