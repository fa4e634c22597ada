#include "transport/transport.h"

#include <algorithm>

namespace seekroute {

int64_t RetryAfterMs(const TransportHead& head, UnixSeconds now) {
  if (head.retry_after_ms >= 0 || head.retry_after_date.s <= 0) return head.retry_after_ms;
  // Clamped first: a date may be any number of seconds away.
  return std::clamp<int64_t>(head.retry_after_date.s - now.s, 0, kMaxRetryAfterMs / 1000) * 1000;
}

}  // namespace seekroute
