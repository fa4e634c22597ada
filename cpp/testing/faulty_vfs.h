// A file system for SQLite whose N-th write, fsync or lock fails as the test says.
#pragma once

#include <cstdint>
#include <string>

namespace seekroute::testing {

enum class DiskFault : uint8_t {
  kNone,
  kFull,     // no space, from the N-th operation on, until Repair()
  kIoError,  // the N-th operation fails, once
  kTorn,     // half of the N-th write reaches the file, then it fails
  kBusy,     // the N-th lock is taken by somebody else, once
};

// The one of the process; files are opened through it by the name kName. Thread-safe.
class FaultyVfs {
 public:
  static constexpr const char* kName = "seekroute-faulty";

  // Registers it with SQLite at the first call.
  static FaultyVfs& Get();

  // The `nth` operation from now on (1: the next) fails as `fault` says.
  void Arm(DiskFault fault, int nth);
  void Repair();  // happened() stays as it is
  // True when the fault has happened since it was armed.
  bool happened() const;

 private:
  FaultyVfs();
};

}  // namespace seekroute::testing
