// What a client asks for in headers of seekroute's own, beside the body. A value.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"

namespace seekroute {

struct HeaderOptions {
  Duration timeout;               // of the whole request; 0: the gateway's
  std::optional<Duration> queue;  // how long it would wait for room in its limits; none: not said
  bool queue_progress = false;    // its stream may begin with comments while it waits
  std::string session_id;         // of requests that share a prompt; empty: none
};

}  // namespace seekroute
