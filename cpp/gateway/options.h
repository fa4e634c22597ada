// Bounds and deadlines of a gateway. Every one can be set by the operator.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/secret.h"
#include "base/time.h"
#include "routing/retry_policy.h"
#include "wire/sse_parser.h"

namespace seekroute {

// Fixed for the life of a gateway.
struct GatewayOptions {
  int engine_threads = 1;
  Secret pepper;            // of the key MACs
  bool require_key = true;  // false: a request without a key is taken as the operator's own

  size_t max_active = 10'000;           // exchanges at once; more get 503 overloaded
  size_t max_answer_bytes = 32u << 20;  // an answer that is not streamed is held whole
  size_t max_upstream_error_bytes = 64u << 10;
  size_t window_bytes = 64u << 10;  // sent to, and not yet taken by, one client
  SseParser::Limits sse;

  Duration connect_timeout = Duration::Seconds(5);
  Duration first_byte_timeout = Duration::Seconds(60);      // until the upstream's head
  Duration first_content_timeout = Duration::Seconds(120);  // until content; comments don't count
  Duration idle_timeout = Duration::Seconds(30);            // between two pieces of content
  Duration total_timeout = Duration::Seconds(600);
  Duration keep_alive = Duration::Seconds(15);  // silence after which a stream gets a comment

  RetryPolicy retry;
};

}  // namespace seekroute
