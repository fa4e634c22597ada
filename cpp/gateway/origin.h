// How a request came in.
#pragma once

#include <cstdint>

namespace seekroute {

enum class Origin : uint8_t {
  kServer,       // over HTTP
  kServerApiV1,  // likewise, by /api/v1: in OpenRouter's shapes
  kInProcess,    // of the program that has the gateway in it: no key is asked for
  kShadow,       // of the gateway's own, to a second model: likewise, and nobody waits for it
};

}  // namespace seekroute
