// A file system for SQLite whose power can fail: what was written and not synced is then there, or
// not, or in part, as a seed says.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace seekroute::testing {

// The one of the process; files are opened through it by the name kName. Thread-safe.
class PowerVfs {
 public:
  static constexpr const char* kName = "seekroute-power";

  // Registers it with SQLite at the first call.
  static PowerVfs& Get();

  // The power fails right after the `nth` write or sync from now on (1: the next): what a disk
  // would have of the files is put down under their names with `suffix`. Everything goes on as if
  // nothing had happened, so that a test can compare.
  void FailAfter(int nth, uint64_t seed, const std::string& suffix);
  // Since FailAfter().
  bool failed() const;

 private:
  PowerVfs();
};

}  // namespace seekroute::testing
