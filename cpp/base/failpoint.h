// Places where a test kills the process, to see what a restart makes of it. Compiled in only with
// the CMake option SEEKROUTE_FAILPOINTS; otherwise they are nothing at all.
//
//   SEEKROUTE_FAILPOINT=before_settle_commit:abort@3   # SIGKILL at the third settle's commit
#pragma once

#include <string_view>

namespace seekroute {

#ifdef SEEKROUTE_FAILPOINTS

// Kills the process with SIGKILL when the environment asks for it here: nothing is flushed, no
// destructor runs. The variable is read at the first call; what it says that is not understood
// kills at once, with a line on stderr, rather than let a test pass. Thread-safe. The count of
// hits is the one global below gateway/.
void HitFailpoint(std::string_view name);

#define SR_FAILPOINT(name) ::seekroute::HitFailpoint(name)
#define SR_FAILPOINT_IF(condition, name) \
  if (condition) ::seekroute::HitFailpoint(name)

#else

#define SR_FAILPOINT(name) static_cast<void>(0)
#define SR_FAILPOINT_IF(condition, name) static_cast<void>(0)

#endif

}  // namespace seekroute
