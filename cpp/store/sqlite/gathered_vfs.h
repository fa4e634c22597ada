// A file system layer for SQLite that writes the frames of a commit to the write-ahead log at once.
#pragma once

#include <string>

namespace seekroute {

// The name of the layer over the VFS that is named; empty: over the default one. It is registered
// with SQLite at the first call, for the life of the process. Thread-safe.
//
// SQLite writes a log in pieces of 24 and 4096 bytes: ten system calls for a small commit, each of
// which the file system has to merge into a page. Here they wait in memory, at most 120 KiB, until
// the log is synced, read, measured or truncated, or until one does not follow the last. With
// synchronous=FULL nobody is told of a frame before its sync, so nobody can miss it; a log that is
// written without syncs must not be written through this layer. A write that fails is reported by
// the call that needed it, and its frames are gone, as SQLite takes them to be.
std::string GatheredVfs(const std::string& inner);

}  // namespace seekroute
