// A file system layer for SQLite that gives every page of a database a checksum, and refuses to
// read a page that does not have its own: a disk that changes bits does not change balances.
#pragma once

#include <string>

namespace seekroute {

// Of each page of 4096 bytes the last eight are the checksum, over the rest and the page's number.
inline constexpr int kChecksumBytes = 8;

// For sqlite3_file_control(): sets a bool, true when the file has, or as a new one will have,
// checksums. One without must not be written through this layer.
inline constexpr int kHasChecksums = 0x536b01;

// The name of the layer over the VFS that is named; empty: over the default one. It is registered
// with SQLite at the first call, for the life of the process. A page that is damaged is read with
// SQLITE_IOERR_DATA. The write-ahead log has checksums of SQLite's own. Thread-safe.
std::string CheckedVfs(const std::string& inner);

}  // namespace seekroute
