// What of a gateway outlives a restart, as values and as the bytes of a file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "limits/limit_state.h"
#include "routing/answer_lengths.h"
#include "routing/routing_state.h"

namespace seekroute {

// Value type.
struct KeptState {
  // Older ones say nothing of who is well now, and of no minute.
  static constexpr Duration kLongestAge = Duration::Seconds(86'400);

  int64_t wall_ms = 0;  // when it was kept, by the wall clock
  RoutingState routing;
  LimitState limits;           // of those who ask
  LimitState upstream_limits;  // of those who are asked
  AnswerLengths::Kept answers;
  friend bool operator==(const KeptState&, const KeptState&) = default;

  // As it would have been kept `passed` later, were nothing asked meanwhile: what lasts ends by so
  // much sooner, and what was counted is so much older. At most kLongestAge.
  void Age(Duration passed);
};

std::string WriteKeptState(const KeptState& state);

// Fails with kInvalidValue, and a sentence for the operator's log, where the bytes are damaged or
// of another version. Figures are within their bounds, whatever the bytes are. Linear.
Result<KeptState> ReadKeptState(std::string_view bytes);

}  // namespace seekroute
